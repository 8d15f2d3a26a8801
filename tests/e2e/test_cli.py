"""The command line as a user meets it: what it prints, how it fails, how it ends."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from pathlib import Path

import polars as pl
import pytest

from tests.e2e.command import ROOT, SAMPLES, ask, command, run, tables


def test_show_reads_as_a_dialogue_with_its_faults(mined: Path) -> None:
    text = run("show", "cut-off", "--store", str(mined)).stdout
    assert "MODEL" in text
    assert "USER" in text
    assert "my husband does not like" in text
    assert "◆ B cut_off: the model cuts the user off" in text
    assert "needs_rewrite (unfinished_request)" in text
    late = run("show", "late-answer", "--store", str(mined)).stdout
    assert "[1.7 s of speech]" in late
    assert "◆ C late" in late


def test_show_names_what_there_is_when_asked_for_what_is_not(mined: Path) -> None:
    done = run("show", "nobody", "--store", str(mined))
    assert done.returncode == 2
    assert done.stderr.startswith("error: run default has no dialogue 'nobody'; it has backchannels,")


@pytest.mark.parametrize("form", ["table", "jsonl", "csv", "parquet"])
def test_sql_writes_every_format(mined: Path, tmp_path: Path, form: str) -> None:
    query = "SELECT dialogue_id, chosen_speech FROM pairs ORDER BY ALL"
    target = tmp_path / f"out.{form}"
    if form == "table":
        assert "chosen_speech" in run("sql", query, "--store", str(mined)).stdout
        return
    assert run("sql", query, "--store", str(mined), "--format", form, "--output", str(target)).returncode == 0
    readers = {"jsonl": pl.read_ndjson, "csv": pl.read_csv, "parquet": pl.read_parquet}
    assert readers[form](target).height == tables(mined)["pairs"].height


@pytest.mark.parametrize(
    "attack",
    [
        "COPY (SELECT 1) TO 'x.csv'",
        "ATTACH 'x.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET memory_limit = '1GB'",
        "PRAGMA database_list",
        "SELECT 1; DROP VIEW issues",
        "DROP VIEW issues",
        "CREATE TABLE x AS SELECT 1",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM glob('/etc/*')",
        "SELECT getenv('HOME')",
        "SELECT * FROM read_json('https://example.com/x.json')",
        "EXPORT DATABASE 'x'",
        "not sql at all",
        "",
    ],
)
def test_sql_refuses_everything_but_one_select_over_the_store(mined: Path, attack: str) -> None:
    done = run("sql", attack, "--store", str(mined))
    assert done.returncode == 2, done.stdout
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
    assert not (ROOT / "x.csv").exists()


def test_status_counts_what_is_there(mined: Path) -> None:
    states = json.loads(run("status", "--store", str(mined), "--json").stdout)["tables"]
    assert [state["table"] for state in states] == [
        "dialogues",
        "activity",
        "text_tokens",
        "words",
        "turns",
        "timing_events",
        "verdicts",
        "content_issues",
        "pairs",
    ]
    counts = {state["table"]: (state["done"], state["to_do"]) for state in states}
    assert (counts.pop("verdicts"), counts.pop("content_issues")) == ((0, 13), (0, 0)), "no judge was named"
    assert set(counts.values()) == {(13, 0)}
    assert "made by" in run("status", "--store", str(mined)).stdout


def test_two_runs_are_listed_compared_and_chosen(mined: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    shutil.copytree(mined, store)
    there = ["--store", str(store)]
    # without LOGS: a new run shares what the active one took in
    assert run("run", *there, "--run", "patient", "--set", "detect.no_response_ms=5000").returncode == 0
    listed = json.loads(run("runs", *there, "--json").stdout)
    assert {entry["run"]: entry["active"] for entry in listed} == {"default": False, "patient": True}
    diff = run("runs", *there, "diff", "default", "patient").stdout
    assert "detect.no_response_ms: 3000 -> 5000" in diff
    fewer = "SELECT count(*) AS n FROM issues WHERE issue_type = 'C'"
    patient = ask(store, fewer)[0]["n"]
    assert run("runs", *there, "use", "default").returncode == 0
    assert ask(store, fewer)[0]["n"] > patient


def test_forget_says_what_it_removed_and_keeps_the_recording_out_under_any_name(mined: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    shutil.copytree(mined, store)
    text = run("forget", "cut-in", "--store", str(store)).stdout
    assert "forgot 'cut-in'" in text
    assert "pairs: 2 rows" in text
    for path in store.rglob("*.parquet"):
        assert "cut-in" not in pl.read_parquet(path)["dialogue_id"].to_list()
    again = run("run", str(SAMPLES), "--store", str(store))
    assert "1 forgotten" in again.stderr
    other = tmp_path / "other"
    other.mkdir()
    shutil.copy(ROOT / "data_samples" / "cut-in.flac", other / "renamed.flac")
    renamed = run("run", str(other), "--model-channel", "left", "--store", str(store))
    assert renamed.returncode == 3
    assert ask(store, "SELECT dialogue_id, reason FROM quarantine") == [
        {"dialogue_id": "renamed", "reason": "forgotten"}
    ]
    assert "held nothing" in run("forget", "never-seen", "--store", str(store)).stdout


def test_wrong_settings_are_all_named_at_once(tmp_path: Path) -> None:
    config = tmp_path / "wrong.toml"
    config.write_text("[detect]\nno_response_ms = 'soon'\nnonsense = 1\n[pairs]\nwindow_b = 'wide'\n[nowhere]\na = 1\n")
    done = run("run", str(SAMPLES), "--store", str(tmp_path / "store"), "--config", str(config))
    assert done.returncode == 2
    for key in ("detect.no_response_ms", "detect.nonsense", "pairs.window_b", "nowhere"):
        assert key in done.stderr
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run", "no/such/folder", "--model-channel", "left"], "is not a folder"),
        (["run", "no-such.jsonl"], "no-such.jsonl"),
        (["run"], "no store at"),
        (["status"], "no store at"),
        (["run", str(ROOT / "data_samples"), "--kind", "nonsense"], "no kind of source"),
        (["run", str(ROOT / "data_samples"), "--kind", "folder"], "--model-channel"),
        (["run", str(SAMPLES), "--config", "none.toml"], "no settings file at none.toml"),
        (["run", str(SAMPLES), "--run", "../up"], "is not a plain name"),
        (["run", str(SAMPLES), "--model-channel", "right"], "says itself where the model is"),
        (["run", str(SAMPLES), "--set", "turns.language=tlh"], "no lexicon for language 'tlh'"),
    ],
)
def test_mistakes_get_one_line_and_exit_code_2(tmp_path: Path, arguments: list[str], says: str) -> None:
    done = run(*arguments, "--store", str(tmp_path / "store"))
    assert done.returncode == 2, done.stdout + done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_an_empty_folder_is_said_to_be_empty(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "notes.txt").write_text("no audio")
    done = run("run", str(tmp_path / "logs"), "--model-channel", "left", "--store", str(tmp_path / "store"))
    assert done.returncode == 2
    assert "no logs" in done.stderr
    assert not (tmp_path / "store").exists()


def test_a_second_folder_of_the_same_name_is_not_taken_for_the_first(tmp_path: Path) -> None:
    for place in ("a", "b"):
        folder = tmp_path / place / "logs"
        folder.mkdir(parents=True)
        shutil.copy(ROOT / "data_samples" / "late-answer.ogg", folder / f"{place}.ogg")
    store = ["--store", str(tmp_path / "store"), "--model-channel", "left"]
    assert run("run", str(tmp_path / "a" / "logs"), *store).returncode == 0
    refused = run("run", str(tmp_path / "b" / "logs"), *store)
    assert refused.returncode == 2
    assert "--source NAME" in refused.stderr
    assert run("run", str(tmp_path / "b" / "logs"), *store, "--source", "b").returncode == 0
    (tmp_path / "a").rename(tmp_path / "c")
    moved = run("run", str(tmp_path / "c" / "logs"), *store, "--moved", "--json")
    assert json.loads(moved.stdout)["stages"][0]["computed"] == 0


def test_doctor_tells_what_works() -> None:
    done = run("doctor", "--json")
    assert done.returncode == 0
    findings = {finding["name"]: finding for finding in json.loads(done.stdout)}
    assert findings["vad silero"]["works"]
    assert findings["vad webrtc"]["works"]
    assert "all that mining needs works" in run("doctor").stdout


@pytest.mark.slow
def test_ctrl_c_stops_at_once_and_the_same_command_finishes(mined: Path, tmp_path: Path) -> None:
    arguments = command("run", str(SAMPLES), "--store", str(tmp_path / "store"), "--workers", "2")
    process = subprocess.Popen(arguments, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:  # the first finished stage is the moment to stop
        if line.startswith("ingest"):
            break
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the same command goes on where it was" in errors
    assert "Traceback" not in errors
    assert run("run", str(SAMPLES), "--store", str(tmp_path / "store")).returncode == 0
    expected = tables(mined)
    assert all(frame.equals(expected[name]) for name, frame in tables(tmp_path / "store").items())
