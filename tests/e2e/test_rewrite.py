"""New replies through the command: a rewriter named in the settings, and none."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.e2e.command import ask, run

GRADE = {"contains": "ten hours a night", "axis": "helpfulness", "score": 0, "problematic": True}
SOAP = {"instead_of": "ten hours a night", "improved_response": "Rub a drop of dish soap on the lenses."}
GO_ON = {"instead_of": "warm air", "improved_response": "Sorry, go on, what does your husband not like?"}


@pytest.fixture
def store(unheard: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(unheard, tmp_path / "store"))


def settings(folder: Path, *rules: dict[str, object], judge: bool = True) -> list[str]:
    path = folder / "rules.jsonl"
    path.write_text("".join(json.dumps(rule) + "\n" for rule in rules), encoding="utf-8")
    clients = ["--set", "transcribe.asr=given", "--set", "rewrite.client=mock", "--set", f"clients.answers={path}"]
    return [*clients, "--set", "judge.client=mock"] if judge else clients


def outcomes(store: Path) -> dict[tuple[object, object], tuple[object, object]]:
    rows = ask(store, "FROM rewrites")
    return {(row["dialogue_id"], row["pair_type"]): (row["status"], row["reason"]) for row in rows}


def test_run_with_judge_and_rewriter_writes_replies_where_words_tell_what_was_asked(
    store: Path, tmp_path: Path
) -> None:
    done = run("run", "--store", str(store), *settings(tmp_path, GRADE, SOAP, GO_ON))
    assert done.returncode == 0, done.stderr
    assert "no rewriter is configured" not in done.stdout
    assert outcomes(store) == {
        ("off-topic", "A"): ("rewritten", None),
        ("cut-off", "B"): ("rewritten", None),
        **{
            (name, "C"): ("rejected", "no_user_words")
            for name in ("leak-and-noise", "no-answer-at-end", "reprompt", "silent-after-yes")
        },
    }
    (row,) = ask(store, "SELECT r.*, i.issue_type FROM rewrites r JOIN issues i USING (issue_id) WHERE pair_type = 'A'")
    assert row["issue_type"] == "A"
    assert row["original"] == "Between eight and ten hours a night."
    assert row["improved_response"] == SOAP["improved_response"]
    again = run("run", "--store", str(store), *settings(tmp_path, GRADE, SOAP, GO_ON))
    assert " 13 computed" not in again.stderr


def test_without_a_judge_the_rewriter_answers_what_timing_tells(store: Path, tmp_path: Path) -> None:
    assert run("rewrite", "--store", str(store), *settings(tmp_path, GO_ON, judge=False)).returncode == 0
    found = outcomes(store)
    assert found["cut-off", "B"] == ("rewritten", None)
    assert ("off-topic", "A") not in found


def test_a_reply_that_cannot_be_said_makes_no_new_reply_and_names_its_rule(store: Path, tmp_path: Path) -> None:
    shouted = {**GO_ON, "improved_response": "Sorry (really), go on!"}
    run("rewrite", "--store", str(store), *settings(tmp_path, shouted, judge=False))
    (row,) = ask(store, "SELECT status, reason, detail FROM rewrites WHERE dialogue_id = 'cut-off'")
    assert row == {"status": "rejected", "reason": "unspeakable", "detail": "brackets: (really"}


def test_without_a_rewriter_run_says_so_and_the_stage_says_what_to_set(store: Path) -> None:
    done = run("run", "--store", str(store), "--asr", "given")
    assert done.returncode == 0, done.stderr
    assert "no rewriter is configured, so no replies are written" in done.stdout
    assert ask(store, "FROM rewrites") == []
    alone = run("rewrite", "--store", str(store))
    assert (alone.returncode, alone.stderr.count("set rewrite.client")) == (2, 1)
