"""Two stores with the sample logs, each mined once: with words heard, and with only those that came with the logs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.command import SAMPLES, run


@pytest.fixture(scope="session")
def mined(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of `run data_samples/manifest.jsonl`. Tests must not change it; copy it first."""
    store = tmp_path_factory.mktemp("mined") / "store"
    done = run("run", str(SAMPLES), "--store", str(store))
    assert done.returncode == 0, done.stdout + done.stderr
    return store


@pytest.fixture(scope="session")
def unheard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with `--asr given`: quick, for tests of the machinery around the stages. Copy it before any change."""
    store = tmp_path_factory.mktemp("unheard") / "store"
    done = run("run", str(SAMPLES), "--store", str(store), "--asr", "given")
    assert done.returncode == 0, done.stdout + done.stderr
    return store
