"""The sample logs, from audio to pairs: what is planted is found, and nothing else."""

from __future__ import annotations

import json
import shutil
import statistics
from pathlib import Path

import pytest
import soundfile

from tests.e2e.command import ROOT, SAMPLES, ask, run, tables

SUBTYPES = {
    "overlap": "cut_in",
    "yield": "cut_in",
    "pause": "pause_takeover",
    "cut_off": "cut_off",
    "late": "late",
    "end": "no_response",
    "reprompt": "no_response",
    "after_short_answer": "no_response",
}


def planted() -> list[tuple[str, str, str, float]]:
    truths = [json.loads(path.read_text()) for path in sorted((ROOT / "data_samples" / "truth").glob("*.json"))]
    return [
        (truth["id"], event["type"], SUBTYPES[event["subtype"]], event["t"])
        for truth in truths
        for event in truth["events"]
        if event["type"] in ("B", "C")
    ]


def test_every_planted_timing_fault_is_found_at_its_time_and_nothing_else(mined: Path) -> None:
    issues = ask(mined, "SELECT dialogue_id, issue_type, subtype, t_s FROM issues ORDER BY dialogue_id, t_s")
    found = [(i["dialogue_id"], i["issue_type"], i["subtype"]) for i in issues]
    wanted = sorted(planted(), key=lambda fault: (fault[0], fault[3]))
    assert found == [fault[:3] for fault in wanted]
    errors = [abs(float(str(i["t_s"])) - fault[3]) for i, fault in zip(issues, wanted, strict=True)]
    assert statistics.median(errors) <= 0.06
    assert max(errors) <= 0.25


def test_each_issue_has_one_pair_and_ready_ones_put_the_reply_in_its_place(mined: Path) -> None:
    pairs = ask(mined, "SELECT p.*, i.t_s FROM pairs p JOIN issues i USING (issue_id)")
    assert len(pairs) == len(planted())
    ready = [pair for pair in pairs if pair["status"] == "ready"]
    assert {pair["subtype"] for pair in ready} == {"cut_in", "pause_takeover", "late"}
    for pair in ready:
        start = pair["chosen_speech"][0]["start_s"]
        assert start == pytest.approx(pair["user_end_s"] + pair["response_gap_s"], abs=0.0011)
        assert pair["reply_check"] == "unchecked"
    waiting = {pair["subtype"]: pair["status_reason"] for pair in pairs if pair["status"] == "needs_rewrite"}
    assert waiting == {"cut_off": "unfinished_request", "no_response": "no_reply_in_log"}


def test_leak_is_measured_and_makes_no_user_speech(mined: Path) -> None:
    rows = ask(mined, "SELECT * FROM activity WHERE dialogue_id = 'leak-and-noise' AND channel = 'user'")
    truth = json.loads((ROOT / "data_samples" / "truth" / "leak-and-noise.json").read_text())
    planted_db = truth["condition"]["echo_db"] + truth["condition"]["gain_db"]  # the microphone's gain is on both
    assert rows[0]["leak_db"] == pytest.approx(planted_db, abs=3)
    said = [s for s in truth["segments"] if s["who"] == "user"]
    for segment in rows[0]["speech"]:
        assert any(s["start"] - 0.2 < segment["end_s"] and segment["start_s"] < s["end"] + 0.2 for s in said)


def test_backchannels_and_barge_ins_are_seen_and_are_no_faults(mined: Path) -> None:
    kinds = ask(mined, "SELECT channel, kind FROM turns WHERE dialogue_id = 'backchannels' AND kind = 'backchannel'")
    assert {row["channel"] for row in kinds} == {"model", "user"}
    events = ask(mined, "SELECT event FROM events WHERE dialogue_id = 'barge-in'")
    assert "barge_in" in {row["event"] for row in events}


def test_the_same_logs_as_a_plain_folder_give_the_same_faults(unheard: Path, tmp_path: Path) -> None:
    folder = tmp_path / "logs" / "of-today"
    folder.mkdir(parents=True)
    for name in ("cut-in.flac", "late-answer.ogg"):
        shutil.copy(ROOT / "data_samples" / name, folder)
    samples, rate = soundfile.read(folder / "cut-in.flac")
    soundfile.write(folder / "swapped.wav", samples[:, ::-1], rate)
    left = run(
        "run", str(tmp_path / "logs"), "--model-channel", "left", "--store", str(tmp_path / "store"), "--asr", "given"
    )
    assert left.returncode == 0, left.stderr
    query = "SELECT issue_type, subtype, t_s FROM issues WHERE dialogue_id = '{}' ORDER BY t_s"
    for name in ("cut-in", "late-answer"):
        assert ask(tmp_path / "store", query.format(f"of-today/{name}")) == ask(unheard, query.format(name))
    assert ask(tmp_path / "store", query.format("of-today/swapped")) != ask(unheard, query.format("cut-in"))


def test_no_audio_and_no_path_of_this_machine_is_in_the_tables(mined: Path) -> None:
    assert {path.suffix for path in mined.rglob("*") if path.is_file()} <= {".json", ".parquet", ".lock"}
    rows = " ".join(str(frame.to_dicts()) for frame in tables(mined).values())
    assert str(SAMPLES.parent) not in rows
    assert str(mined) not in rows


def test_running_again_computes_nothing(mined: Path) -> None:
    done = run("run", str(SAMPLES), "--store", str(mined), "--json")
    assert done.returncode == 0
    stages = json.loads(done.stdout)["stages"]
    assert [(stage["computed"], stage["reused"]) for stage in stages] == [(0, 13)] * 8


def test_a_threshold_of_detect_recomputes_detect_and_only_pairs_whose_issues_changed(
    mined: Path, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    shutil.copytree(mined, store)
    before = tables(store)["timing_events"].partition_by("dialogue_id", as_dict=True)
    done = run("run", str(SAMPLES), "--store", str(store), "--set", "detect.no_response_ms=4500", "--json")
    computed = {stage["stage"]: stage["computed"] for stage in json.loads(done.stdout)["stages"]}
    after = tables(store)["timing_events"].partition_by("dialogue_id", as_dict=True)
    changed = [key for key, frame in before.items() if not frame.equals(after[key])]
    assert 0 < len(changed) < 13
    assert computed == {
        "ingest": 0,
        "listen": 0,
        "tokens": 0,
        "transcribe": 0,
        "turns": 0,
        "detect": 13,
        "figures": len(changed),
        "pairs": len(changed),
    }
    back = json.loads(run("run", str(SAMPLES), "--store", str(store), "--json").stdout)
    assert [stage["computed"] for stage in back["stages"]] == [0] * 8


@pytest.mark.slow
def test_ray_makes_the_same_tables(unheard: Path, tmp_path: Path) -> None:
    # a relative path: Ray's workers have a working directory of their own
    done = run(
        "run", str(SAMPLES), "--store", "by-ray", "--engine", "ray", "--workers", "2", "--asr", "given", cwd=tmp_path
    )
    assert done.returncode == 0, done.stdout + done.stderr
    expected = tables(unheard)
    assert all(frame.equals(expected[name]) for name, frame in tables(tmp_path / "by-ray").items())


def test_stages_one_by_one_make_the_same_tables_as_run(unheard: Path, tmp_path: Path) -> None:
    store = str(tmp_path / "store")
    assert run("ingest", str(SAMPLES), "--store", store).returncode == 0
    for stage in ("listen", "tokens", "transcribe", "turns", "detect", "figures", "pairs"):
        options = ["--asr", "given"] if stage == "transcribe" else []
        done = run(stage, "--store", store, "--workers", "1", *options)
        assert done.returncode == 0, done.stderr
    expected = tables(unheard)
    assert all(frame.equals(expected[name]) for name, frame in tables(tmp_path / "store").items())
