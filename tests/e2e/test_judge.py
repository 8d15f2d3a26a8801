"""Content faults through the command: a judge named in the settings, and none."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from store.layout import Store
from tests.e2e.command import ask, run, tables
from tests.judges.servers import fault_server

RULE = {
    "contains": "warm air",
    "axis": "helpfulness",
    "score": 1,
    "problematic": True,
    "justification": "Nobody asked.",
}


@pytest.fixture
def store(unheard: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(unheard, tmp_path / "store"))


def judge_settings(folder: Path) -> list[str]:
    rules = folder / "rules.jsonl"
    rules.write_text(json.dumps(RULE), encoding="utf-8")
    return ["--set", "transcribe.asr=given", "--set", "judge.client=mock", "--set", f"clients.answers={rules}"]


def test_run_with_a_judge_finds_faults_of_content_and_computes_nothing_else(store: Path, tmp_path: Path) -> None:
    done = run("run", "--store", str(store), *judge_settings(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "1 A helpfulness" in done.stdout
    assert "no judge is configured" not in done.stdout
    assert [line.split()[0] for line in done.stderr.splitlines() if "13 computed" in line] == ["judge", "flag", "pairs"]
    (issue,) = ask(store, "FROM issues WHERE issue_type = 'A'")
    assert (issue["dialogue_id"], issue["subtype"], issue["turn_index"]) == ("cut-off", "helpfulness", 3)
    kinds = ask(store, "SELECT issue_type, count(*) AS n FROM issues GROUP BY ALL ORDER BY 1")
    assert kinds == [{"issue_type": "A", "n": 1}, {"issue_type": "B", "n": 6}, {"issue_type": "C", "n": 6}]
    assert "A helpfulness: Nobody asked. (score 1)" in run("show", "cut-off", "--store", str(store)).stdout
    found = tables(store)
    replies = found["turns"].filter(channel="model", kind="utterance")
    assert found["verdicts"].height == 7 * replies.height
    again = run("run", "--store", str(store), *judge_settings(tmp_path))
    assert " 13 computed" not in again.stderr


def test_without_a_judge_run_says_so_and_the_stage_says_what_to_set(store: Path) -> None:
    done = run("run", "--store", str(store), "--asr", "given")
    assert done.returncode == 0, done.stderr
    assert "no judge is configured, so no content faults (type A) are looked for" in done.stdout
    assert "judge" not in done.stderr
    assert ask(store, "FROM issues WHERE issue_type = 'A'") == []
    alone = run("judge", "--store", str(store))
    assert (alone.returncode, alone.stderr.count("set judge.client")) == (2, 1)


def test_faults_of_an_earlier_judge_stay_when_a_later_run_names_none(store: Path, tmp_path: Path) -> None:
    run("run", "--store", str(store), *judge_settings(tmp_path))
    run("run", "--store", str(store), "--asr", "given", "--set", "flag.max_score=0")
    assert len(ask(store, "FROM issues WHERE issue_type = 'A'")) == 1, "it is problematic all the same"
    assert Store.open(str(store)).list("cache") == [], "a mock's answers cost nothing and are not kept"


def test_settings_of_all_rooms_are_checked_together(tmp_path: Path) -> None:
    done = run(
        *("run", str(tmp_path), "--set", "detect.no_response_ms=x", "--set", "judge.axes=[]"),
        *("--set", 'flag.axes=["interruption"]', "--set", "clients.concurrency=0", "--set", "judge.base_url=x"),
    )
    assert done.returncode == 2
    for key in ("detect.no_response_ms", "judge.axes", "flag.axes", "clients.concurrency", "judge.base_url"):
        assert f"  {key}: " in done.stderr
    assert done.stderr.startswith("error: 5 wrong settings")


def test_a_judge_that_hears_gets_the_sound_of_the_logs_and_run_says_so(unheard: Path, tmp_path: Path) -> None:
    store = shutil.copytree(unheard, tmp_path / "store")
    with fault_server() as server:
        asked = ["--asr", "given", "--set", "judge.client=openai", "--set", "judge.model=tiny"]
        asked += ["--set", "judge.audio=turn", "--set", f"clients.base_url={server.url}"]
        done = run("run", "--store", str(store), *asked)
        came = server.came()
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("judge.audio is turn: sound of the logs, the user's voice in it, is sent to") == 1
    scored = ask(store, "FROM verdicts WHERE score IS NOT NULL")
    assert {row["dialogue_id"] for row in scored} == {"cut-off", "off-topic"}, "the logs that came with words"
    assert len(came) == len(scored)
    assert all(len(said["sounds"]) == len(said["turns"]) == 1 for said in came)
    done = run("run", "--store", str(store), "--asr", "given", "--set", "judge.client=recorded", *asked[6:8])
    assert (done.returncode, done.stderr.count("the client recorded cannot hear")) == (2, 1)
