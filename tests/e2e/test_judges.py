"""`duplex-miner judges` on the sample logs, judged by rules."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.e2e.command import run

RULES = [
    {"contains": "baking soda", "axis": "helpfulness", "score": 1, "justification": "It leaves out how long."},
    {"contains": "hours a night", "axis": "helpfulness", "score": 0, "problematic": True},
    {"contains": "warm air", "axis": "interruption", "score": 0, "justification": "It begins too early."},
    {"contains": "Shakespeare", "axis": "interruption", "score": 1, "justification": "It begins too early."},
]
LABELS = """dialogue_id,turn_index,t_s,axis,score,rater
off-topic,3,,helpfulness,0,ann
off-topic,3,,helpfulness,1,bob
off-topic,,2.0,helpfulness,3,ann
cut-off,5,,helpfulness,3,ann
cut-off,5,,helpfulness,1,bob
cut-off,3,,helpfulness,-1,ann
cut-in,1,,helpfulness,3,ann
nobody,3,,tone,4,ann
"""


@pytest.fixture(scope="module")
def store(unheard: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample logs, judged in the run `default` and, by other rules and another seed, in `again`."""
    folder = tmp_path_factory.mktemp("judged")
    judged = Path(shutil.copytree(unheard, folder / "store"))
    for name, rules, seed in (("default", RULES, 0), ("again", RULES[1:], 1)):
        answers = folder / f"{name}.jsonl"
        answers.write_text("".join(json.dumps({"justification": "", **rule}) + "\n" for rule in rules))
        done = run(
            *("judge", "--store", str(judged), "--run", name, "--set", "judge.client=mock"),
            *("--set", f"clients.answers={answers}", "--set", f"judge.seed={seed}"),
        )
        assert done.returncode == 0, done.stderr
    return judged


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    path = tmp_path / "labels.csv"
    path.write_text(LABELS)
    return path


def test_labels_of_people_beside_the_verdicts(store: Path, labels: Path) -> None:
    done = run("judges", "calibrate", str(labels), "--store", str(store), "--run", "default", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [found[key] for key in ("run", "max_score", "labels", "raters", "compared")] == ["default", 1, 8, 2, 6]
    assert found["unscored"] == {"helpfulness": {"no_words": 1}}
    assert [(one["row"], one["dialogue_id"]) for one in found["unmatched"]] == [(8, "nobody")]
    (judge,) = found["judge"]
    assert (judge["axis"], judge["n"], judge["dialogues"]) == ("helpfulness", 5, 2)
    # Pairs (judge, rater): (0, 0), (0, 1), (3, 3), (1, 3), (1, 1).
    assert judge["exact"]["value"] == 3 / 5
    assert judge["within_one"]["value"] == 4 / 5
    assert judge["flags"] == {"both": 3, "first_only": 1, "second_only": 0, "neither": 2}
    assert judge["applies"] == {"both": 5, "first_only": 1, "second_only": 0, "neither": 0}
    assert judge["kappa"]["low"] <= judge["kappa"]["value"] <= judge["kappa"]["high"]
    (people,) = found["people"]
    assert (people["n"], people["exact"]["value"], people["within_one"]["value"]) == (2, 0, 0.5)


def test_the_table_names_what_was_not_compared(store: Path, labels: Path) -> None:
    text = run("judges", "calibrate", str(labels), "--store", str(store), "--run", "default").stdout
    assert "8 labels of 2 raters" in text
    assert "1 unscored by the judge on helpfulness: no_words 1" in text
    assert "row 8: nobody, turn 3, tone: the run has no verdicts of this dialogue" in text
    assert "helpfulness: 0 by both, 0 by the judge alone, 1 by people alone" in text
    assert "people beside each other" in text


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("dialogue_id,turn_index,axis\na,1,tone\n", "has no column score (it has dialogue_id, turn_index, axis)"),
        ("dialogue_id,turn_index,axis,score\na,1,tone,9\n", "row 1: score is '9'"),
        ("dialogue_id,turn_index,axis,score\nx,1,tone,3\n", "no label of"),
        ("dialogue_id,turn_index,axis,score\n", "holds no labels"),
    ],
)
def test_labels_that_cannot_be_used_are_one_line(store: Path, tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(content)
    done = run("judges", "calibrate", str(path), "--store", str(store))
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert says in done.stderr
    assert done.stderr.count("\n") == 1


def test_the_judge_beside_itself(store: Path) -> None:
    command = ("judges", "agree", "--store", str(store), "--run", "default", "--against", "again")
    found = json.loads(run(*command, "--json").stdout)
    assert "judge.seed: 0 -> 1" in found["changed"]
    axes = {one["axis"]: one for one in found["agreement"]}
    assert len(axes) == 8
    assert axes["helpfulness"]["n"] == 5
    assert axes["helpfulness"]["exact"]["value"] == 0.8, "one rule of five replies is gone"
    assert axes["tone"]["exact"]["value"] == 1
    assert axes["tone"]["kappa"]["value"] is None, "a 3 throughout agrees by chance"
    assert found["unscored_both"] == 7 * 40
    text = run(*command).stdout
    assert "run default beside run again: 35 verdicts compared" in text
    same = run("judges", "agree", "--store", str(store), "--run", "again", "--against", "again")
    assert (same.returncode, "share their verdicts" in same.stderr) == (2, True)


def test_the_judge_beside_the_detector(store: Path) -> None:
    command = ("judges", "timing", "--store", str(store), "--run", "default")
    interruption, unresponsiveness = json.loads(run(*command, "--json").stdout)["axes"]
    assert interruption["flags"] == {"both": 1, "first_only": 1, "second_only": 0, "neither": 3}
    assert interruption["unscored"] == 40
    (example,) = interruption["examples"]
    assert (example["flagged_by"], example["dialogue_id"], example["turn_index"]) == ("judge", "off-topic", 1)
    assert unresponsiveness["flags"]["first_only"] == 0
    text = run(*command).stdout
    assert "interruption: the judge beside the detector's B, 5 replies scored" in text
    assert "It begins too early." in text


@pytest.mark.slow
def test_without_verdicts_it_says_what_to_do(unheard: Path, labels: Path) -> None:
    for command in (["calibrate", str(labels)], ["agree", "--against", "default"], ["timing"]):
        done = run("judges", *command, "--store", str(unheard))
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert "has no verdicts: set judge.client and run `duplex-miner judge`" in done.stderr
