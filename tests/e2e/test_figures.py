"""`duplex-miner figures`: what it prints, compares and refuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli import app
from tests.e2e.command import ask, run, tables
from tests.miner.bench_folders import word_tasks


def groups(store: Path, *arguments: str) -> dict[str, dict[str, Any]]:
    """Figures by group, from the command run in this process."""
    done = CliRunner().invoke(app, ["figures", "--store", str(store), "--json", *arguments])
    assert done.exit_code == 0, done.output
    return {group["group"]: group for group in json.loads(done.stdout)["groups"]}


def test_the_figures_of_a_corpus_stand_beside_those_of_people(mined: Path) -> None:
    found = groups(mined)["default"]
    assert found["dialogues"] == 13
    events = tables(mined)["timing_events"]
    faults = events.filter(issue_type="B").height
    turns = tables(mined)["turns"].filter(channel="user", kind="utterance").height
    assert found["model"]["interruptions_per_user_turn"] == pytest.approx(faults / turns)
    assert found["model"]["talk_share"] + found["user"]["talk_share"] == pytest.approx(1)
    text = run("figures", "--store", str(mined)).stdout
    median = next(line for line in text.splitlines() if line.startswith("fto_p50_s"))
    assert f"{found['model']['fto_p50_s']:.3f}" in median
    assert "0.105" in median
    assert "0.35 %" in text
    assert "\x1b[" not in text


def test_figures_are_a_table_of_their_own(mined: Path) -> None:
    rows = ask(mined, "SELECT count(*) AS n, sum(cut_ins)::INT AS cut_ins, min(silence_s) AS least FROM figures")
    cut_ins = ask(mined, "SELECT count(*) AS n FROM issues WHERE subtype = 'cut_in'")
    assert rows[0]["n"] == 13
    assert rows[0]["cut_ins"] == cut_ins[0]["n"]
    assert float(str(rows[0]["least"])) >= 0


def test_groups_and_models_add_up(mined: Path) -> None:
    whole = groups(mined)["default"]
    voices = groups(mined, "--by", "voice")
    assert len(voices) > 1
    assert sum(one["dialogues"] for one in voices.values()) == whole["dialogues"]
    assert sum(one["model"]["fto_n"] or 0 for one in voices.values()) == whole["model"]["fto_n"]
    assert list(groups(mined, "--models", "scripted")) == ["scripted"]
    assert set(groups(mined, "--by", "language")) <= {"en", "unknown"}


@pytest.mark.slow
def test_two_runs_side_by_side_and_figures_that_are_missing_are_counted_first(mined: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    shutil.copytree(mined, store)
    there = ["--store", str(store)]
    patient = ["--set", "detect.no_response_ms=5000"]
    assert run("detect", *there, "--run", "patient", *patient).returncode == 0
    done = run("figures", *there, "--run", "patient", "--against", "default")
    assert done.returncode == 0, done.stderr
    assert "figures          " in done.stderr
    found = groups(store, "--run", "patient", "--against", "default")
    assert list(found) == ["patient", "default"]
    rates = [one["model"]["no_response_per_user_turn"] for one in found.values()]
    assert rates[0] < rates[1]
    again = run("figures", *there, "--run", "patient")
    assert again.stderr == ""
    by_language = groups(store, "--run", "patient", "--against", "default", "--by", "language")
    assert next(iter(by_language)).startswith("patient ")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--models", "scripted,nobody"], "no dialogue of model nobody; it has scripted"),
        (["--run", "nowhere"], "no run named 'nowhere'"),
        (["--against", "default"], "names the run itself"),
        (["--models", "scripted", "--by", "voice"], "leave --by out"),
        (["--compat"], "go with --full-duplex-bench"),
        (["--by", "shoe_size"], "'model_id'"),
        (["--full-duplex-bench", "no/such/folder"], "is not a folder"),
    ],
)
def test_mistakes_end_with_code_2(mined: Path, arguments: list[str], says: str) -> None:
    done = run("figures", "--store", str(mined), *arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_full_duplex_bench_folder_needs_no_store(tmp_path: Path) -> None:
    folder = str(word_tasks(tmp_path / "bench"))
    text = run("figures", "--full-duplex-bench", folder, "--compat").stdout
    assert "pause_handling" in text
    assert "0.625" in text
    plain = json.loads(run("figures", "--full-duplex-bench", folder, "--json").stdout)
    assert {one["task"] for one in plain} == {"pause_handling", "smooth_turn_taking", "user_interruption"}
    assert all(one["scored"] == one["samples"] for one in plain)
