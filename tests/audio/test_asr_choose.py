"""Which recogniser is taken, by what really lies on the machine. Nothing is loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from faster_whisper.utils import _MODELS

from audio.asr import choose as module
from audio.asr.choose import Choice, choose, content_identity
from audio.backends import MissingBackendError, ModelMissingError

REVISION = "0123abcd"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any weights, on which every package is installed."""
    for name in ("HF_HOME", "HF_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(module, "find_spec", lambda name: object())
    return tmp_path


def without(monkeypatch: pytest.MonkeyPatch, *packages: str) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None if name in packages else object())


def put_hub_model(machine: Path, repository: str) -> None:
    folder = machine / "huggingface" / "hub" / f"models--{repository.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text(REVISION)
    (folder / "snapshots" / REVISION).mkdir(parents=True)
    (folder / "snapshots" / REVISION / "model.bin").write_bytes(b"weights")


def test_auto_takes_faster_whisper_when_its_weights_are_here(machine: Path) -> None:
    put_hub_model(machine, "Systran/faster-whisper-small")

    choice = choose("auto")

    assert (choice.name, choice.model, choice.identity) == ("faster-whisper", "small", f"small@{REVISION}")
    assert choice.label == "faster-whisper:small"


def test_a_download_that_broke_off_is_no_model(machine: Path) -> None:
    put_hub_model(machine, "Systran/faster-whisper-small")
    next((machine / "huggingface").rglob("model.bin")).unlink()

    assert choose("auto").name == "pocketsphinx"


def test_auto_goes_on_to_openai_whisper(machine: Path) -> None:
    (machine / "whisper").mkdir()
    (machine / "whisper" / "small.pt").write_bytes(b"weights")

    choice = choose("auto")

    assert (choice.name, choice.model) == ("openai-whisper", "small")
    assert "faster-whisper has no weights 'small'" in choice.told


def test_auto_goes_on_to_pocketsphinx_and_to_nothing(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose("auto").name == "pocketsphinx"
    assert "\n" not in choose("auto").told

    without(monkeypatch, "faster_whisper", "whisper", "pocketsphinx")

    assert choose("auto").name == "given"
    assert "pocketsphinx is not installed" in choose("auto").told


def test_auto_with_a_model_never_hears_with_another(machine: Path) -> None:
    put_hub_model(machine, "Systran/faster-whisper-small")

    with pytest.raises(ModelMissingError, match="medium"):
        choose("auto", "medium")


def test_what_is_asked_for_and_not_here_is_an_error_that_says_what_to_do(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ModelMissingError, match=r"execution\.asr\.download=true"):
        choose("faster-whisper")
    assert choose("faster-whisper", download=True).identity == "small@newest"
    with pytest.raises(ModelMissingError, match="own model only"):
        choose("pocketsphinx", "small")
    without(monkeypatch, "whisper")
    with pytest.raises(MissingBackendError, match="pip install"):
        choose("openai-whisper")


def test_a_folder_of_weights_is_known_by_its_content_and_not_by_its_path(machine: Path) -> None:
    choices: list[Choice] = []
    for name, content in (("a", b"x"), ("b", b"x"), ("c", b"y")):
        (machine / name).mkdir()
        (machine / name / "model.bin").write_bytes(content)
        choices.append(choose("auto", str(machine / name)))

    assert [choice.name for choice in choices] == ["faster-whisper"] * 3
    assert choices[0].identity == choices[1].identity != choices[2].identity
    with pytest.raises(ModelMissingError, match=r"no model\.bin"):
        choose("faster-whisper", str(machine))


def test_a_changed_mebibyte_anywhere_changes_the_identity(tmp_path: Path) -> None:
    content = bytearray(5 * 2**20)
    seen = set()
    for place in (None, 0, 2, 4):
        if place is not None:
            content[place * 2**20 : (place + 1) * 2**20] = bytes([place + 1]) * 2**20
        (tmp_path / "w").write_bytes(content)
        seen.add(content_identity(tmp_path / "w"))
    assert len(seen) == 4


def test_every_name_of_faster_whispers_is_looked_for_where_it_puts_it() -> None:
    assert {name: module._repository(name) for name in _MODELS} == _MODELS


def test_choosing_loads_nothing_heavy() -> None:
    code = (
        "import sys; from audio.asr.choose import choose; choose('auto');"
        "print([m for m in ('ctranslate2', 'faster_whisper', 'pocketsphinx', 'torch', 'whisper') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
