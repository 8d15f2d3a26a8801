"""Full-Duplex-Bench folders: which samples are found, what their sets come to, what cannot be scored."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr

from miner.full_duplex_bench import measure
from miner.full_duplex_bench_report import summarise
from miner.ingest.refs import SourceError
from tests.miner.bench_folders import even, mark, sample, word_tasks

ROOT = Path(__file__).parents[2]


def sets_of(root: Path, *, compat: bool, reference: Path | None = None) -> dict[str, dict[str, Any]]:
    measured = measure(str(root), str(reference) if reference else None, compat=compat)
    return {one["set"]: one for one in summarise(measured, compat=compat)}


def test_compat_gives_the_numbers_of_the_benchmarks_own_scripts(tmp_path: Path) -> None:
    found = sets_of(word_tasks(tmp_path), compat=True)
    # What its scripts print for these folders (eval_pause_handling, eval_smooth_turn_taking, eval_user_interruption).
    scripts = {
        "pauses": {"takeover_rate": 0.625},
        "turns": {"takeover_rate": 0.6, "latency_mean_s": 0.44999999999999946},
        "interruptions": {"takeover_rate": 1.0, "latency_mean_s": 1.02},
    }
    for name, printed in scripts.items():
        figures = {key: value for key, value in found[name]["figures"].items() if key != "span_mean_s"}
        assert figures == pytest.approx(printed)


@pytest.mark.parametrize("compat", [True, False])
def test_the_cases_of_the_shipped_examples(tmp_path: Path, compat: bool) -> None:
    found = sets_of(word_tasks(tmp_path), compat=compat)
    pause, turn, cut = (found[name]["by_sample"][0] for name in ("pauses", "turns", "interruptions"))
    assert (pause["taken"], pause["span_s"]) == (True, pytest.approx(4.68))
    assert (turn["taken"], turn["latency_s"]) == (True, pytest.approx(1.35))
    assert (cut["taken"], cut["latency_s"]) == (True, pytest.approx(4.08))


def test_without_compat_nothing_is_clamped_and_the_response_is_found(tmp_path: Path) -> None:
    found = sets_of(word_tasks(tmp_path), compat=False)
    latency = {name: [one.get("latency_s") for one in found[name]["by_sample"]] for name in found}
    assert latency["turns"] == [pytest.approx(1.35), pytest.approx(-0.41), pytest.approx(0.49), None, None]
    assert latency["interruptions"] == [
        pytest.approx(4.08),
        pytest.approx(0.756),
        None,
        pytest.approx(-0.244),
    ]
    assert found["turns"]["figures"]["negative_share"] == pytest.approx(1 / 3)
    assert found["pauses"]["figures"]["takeover_rate"] == 0.5


def test_a_sample_that_cannot_be_scored_is_counted_with_its_reason(tmp_path: Path) -> None:
    sample(tmp_path / "t" / "1", even(3, 6, 9), turn_taking=mark(2, 2.5))
    sample(tmp_path / "t" / "2", even(3, 6, 9), turn_taking=[])
    sample(tmp_path / "t" / "3", even(3, 6, 9), turn_taking={"odd": 1})
    (sample(tmp_path / "t" / "4", [], turn_taking=mark(2, 2.5)) / "output.json").write_text("{broken")
    one = sets_of(tmp_path, compat=False)["t"]
    assert (one["samples"], one["scored"]) == (4, 1)
    problems = [entry.get("problem") for entry in one["by_sample"]]
    assert problems[0] is None
    assert problems[1] == "no mark in turn_taking.json"
    assert all(problems[2:])
    assert one["figures"]["takeover_rate"] == 1


def test_v15_tags_that_a_judge_left_are_counted(tmp_path: Path) -> None:
    for name, tag in (("1", "C_RESPOND"), ("2", "C_RESUME"), ("3", "C_RESPOND")):
        folder = voices(tmp_path / "user_interruption" / name, 16_000)
        (folder / "metadata.json").write_text(json.dumps({"timestamps": [5.0, 6.5]}))
        (folder / "content_tag.json").write_text(json.dumps({"behaviour": [tag]}))
    for compat in (True, False):
        figures = sets_of(tmp_path, compat=compat)["user_interruption"]["figures"]
        assert figures["C_RESPOND"] == pytest.approx(2 / 3)
        assert {"stop_mean_s", "response_mean_s"} <= figures.keys()


def voices(folder: Path, rate_hz: int, log: str = "cut-in.flac") -> Path:
    """A sample log as a folder of the benchmark, at any rate."""
    sound, own_hz = soundfile.read(ROOT / "data_samples" / log, dtype="float32")
    if own_hz != rate_hz:
        sound = soxr.resample(sound, own_hz, rate_hz)
    folder.mkdir(parents=True, exist_ok=True)
    soundfile.write(folder / "output.wav", sound[:, 0], rate_hz)
    soundfile.write(folder / "input.wav", sound[:, 1], rate_hz)
    return folder


def test_backchannels_need_a_reference_for_their_divergence(tmp_path: Path) -> None:
    folder = voices(tmp_path / "icc" / "7", 16_000)
    (folder / "output.json").write_text(json.dumps({"text": "", "chunks": []}))
    reference = tmp_path / "people.json"
    reference.write_text(json.dumps({"7": list(np.ones(160) / 160)}))
    for compat in (True, False):
        assert "jsd" not in sets_of(tmp_path / "icc", compat=compat)["."]["figures"]
        figures = sets_of(tmp_path / "icc", compat=compat, reference=reference)["."]["figures"]
        assert 0 < figures["jsd"] <= 1
        assert figures["takeover_rate"] == 1
    with pytest.raises(SourceError, match=r"icc_gt_distribution\.json"):
        sets_of(tmp_path / "icc", compat=True, reference=folder / "output.json")


def test_compat_reads_24_khz_as_if_it_were_16_as_the_script_does(tmp_path: Path) -> None:
    for rate_hz in (16_000, 24_000):
        folder = voices(tmp_path / str(rate_hz) / "7", rate_hz, "backchannels.ogg")
        (folder / "output.json").write_text(json.dumps({"text": "", "chunks": []}))
    found = {
        (rate, compat): sets_of(tmp_path / str(rate), compat=compat)["."]["figures"]
        for rate in (16_000, 24_000)
        for compat in (True, False)
    }
    assert found[16_000, False] == pytest.approx(found[24_000, False])
    assert found[16_000, True] != found[24_000, True]


def test_speech_stands_in_for_words_that_are_not_there(tmp_path: Path) -> None:
    folder = voices(tmp_path / "turns" / "1", 16_000)
    (folder / "turn_taking.json").write_text(json.dumps(mark(2.0, 2.5)))
    assert sets_of(tmp_path, compat=False)["turns"]["scored"] == 1
    assert sets_of(tmp_path, compat=True)["turns"]["by_sample"][0]["problem"] == "no output.json"


def test_a_pause_taken_after_the_user_has_finished_is_an_answer(tmp_path: Path) -> None:
    folder = voices(tmp_path / "pauses" / "1", 16_000)
    (folder / "pause.json").write_text(json.dumps(mark(1.0, 1.5)))
    chunks = [{"text": "w", "timestamp": word} for word in even(31.5, 34.0, 8)]
    (folder / "output.json").write_text(json.dumps({"text": "", "chunks": chunks}))
    assert sets_of(tmp_path, compat=False)["pauses"]["figures"] == {"takeover_rate": 0.0}
    scripts = sets_of(tmp_path, compat=True)["pauses"]["figures"]
    assert scripts == pytest.approx({"takeover_rate": 1.0, "span_mean_s": 2.5})


def test_a_folder_without_samples_is_said_to_be_one(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(SourceError, match="no samples in"):
        measure(str(tmp_path), None, compat=False)
