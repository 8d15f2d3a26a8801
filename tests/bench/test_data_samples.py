"""The bundled sample logs hold what their truth and their README say."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

SAMPLES = Path(__file__).resolve().parents[2] / "data_samples"
ROWS = [json.loads(line) for line in (SAMPLES / "manifest.jsonl").read_text().splitlines()]


def truth_of(row: dict) -> dict:
    return json.loads((SAMPLES / "truth" / f"{row['id']}.json").read_text())


def rms(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(samples))))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
def test_speech_is_where_the_truth_says(row: dict) -> None:
    log, rate_hz = sf.read(SAMPLES / row["path"])
    truth = truth_of(row)
    assert len(log) / rate_hz == pytest.approx(row["duration"], abs=2e-3)
    assert row["duration"] <= 60
    for channel, who in ((row["model_channel"], "model"), (row["user_channel"], "user")):
        spoken = np.zeros(len(log), dtype=bool)
        for s in (s for s in truth["segments"] if s["who"] == who):
            spoken[round((s["start"] - 0.02) * rate_hz) : round((s["end"] + 0.02) * rate_hz)] = True
        silent = rms(log[~spoken, channel])
        for s in (s for s in truth["segments"] if s["who"] == who):
            assert rms(log[round(s["start"] * rate_hz) : round(s["end"] * rate_hz), channel]) > 5 * silent


def test_the_readme_lists_every_event() -> None:
    listed = {
        (Path(file).stem, time, subtype)
        for file, time, subtype in re.findall(
            r"^\| `([\w.-]+)` \| ([\d.]+) \| (\w+) \|", (SAMPLES / "README.md").read_text(), re.M
        )
    }
    planted = {(row["id"], f"{e['t']:.2f}", e["subtype"]) for row in ROWS for e in truth_of(row)["events"]}
    assert listed == planted


def test_every_timing_fault_is_shown_and_the_files_stay_small() -> None:
    shown = {(e["type"], e["subtype"]) for row in ROWS for e in truth_of(row)["events"]}
    assert shown >= {("B", "overlap"), ("B", "yield"), ("B", "pause"), ("B", "cut_off"), ("A", "offtopic")}
    assert shown >= {("C", "reprompt"), ("C", "late"), ("C", "end"), ("C", "after_short_answer")}
    assert sum(path.stat().st_size for path in SAMPLES.rglob("*") if path.is_file()) < 4_000_000


def test_words_lie_in_speech_of_their_channel() -> None:
    with_words = [row for row in ROWS if "words" in row]
    assert {row["id"] for row in with_words} >= {"cut-off"}
    for row in with_words:
        segments = truth_of(row)["segments"]
        for word in json.loads((SAMPLES / row["words"]).read_text())["words"]:
            assert any(
                s["who"] == word["channel"] and s["start"] <= word["start"] < word["end"] <= s["end"] for s in segments
            )
