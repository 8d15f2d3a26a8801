"""Two hundred malformed logs among two hundred good ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.audio_files import FORMATS, turns, write
from tests.e2e.command import ask, run
from tests.miner.malformed import make_malformed


@pytest.mark.slow
def test_every_good_log_is_processed_and_every_bad_one_quarantined_with_its_reason(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    bad = make_malformed(logs, 200, seed=5)
    for i in range(200):
        rng = np.random.default_rng(i)
        rate_hz = int(rng.choice([8000, 16000, 24000, 48000]))
        write(logs / f"good{i:03d}{FORMATS[i % len(FORMATS)]}", turns(rng, rate_hz, rng.uniform(1.0, 2.0), 2), rate_hz)
    done = run("run", str(logs), "--model-channel", "left", "--store", str(tmp_path / "store"), "--asr", "given")
    assert done.returncode == 3, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    rows = ask(tmp_path / "store", "SELECT dialogue_id, reason FROM quarantine WHERE table_name = 'dialogues'")
    found = {row["dialogue_id"]: row["reason"] for row in rows}
    wanted = {path.relative_to(logs).with_suffix("").as_posix(): reason.value for path, reason in bad.items()}
    assert found == wanted
    listened = ask(tmp_path / "store", "SELECT DISTINCT dialogue_id FROM activity")
    assert {row["dialogue_id"] for row in listened} == {f"good{i:03d}" for i in range(200)}
    again = run(
        "run", str(logs), "--model-channel", "left", "--store", str(tmp_path / "store"), "--asr", "given", "--json"
    )
    assert again.returncode == 3
    assert [stage["computed"] for stage in json.loads(again.stdout)["stages"]] == [0] * 8
