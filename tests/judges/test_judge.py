"""The stage: rows of ``verdicts`` for every reply and axis, its fingerprint, and templates of one's own."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest

from judges.clients import Answer
from judges.judge import Judge
from judges.settings import ClientSettings, JudgeConfig
from judges.templates import Templates
from schemas.verdicts import VERDICTS, Axis
from store.layout import Store, StoreError
from store.stage import Batch
from tests.judges.talks import Scripted, frames, good_answer, talk

TALKS = [talk("a", "What is two and two?", "Go away.", "Please?", "Four."), talk("b", "hi", ""), talk("c", "hello?")]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(str(tmp_path / "store"))


def rules(folder: Path, *lines: dict[str, object]) -> Path:
    path = folder / "rules.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def make(store: Store, *, prompts: Path | None = None, answers: Path | None = None, **config: object) -> Judge:
    settings = ClientSettings(prompts=prompts, answers=answers)
    return Judge(JudgeConfig.model_validate({"client": "mock", **config}), settings, store=store)


def test_every_reply_has_a_row_per_axis_scored_or_with_a_reason(store: Store, tmp_path: Path) -> None:
    rude = {"contains": "go away", "axis": "tone", "score": 0, "problematic": True, "justification": "It is rude."}
    stage = pickle.loads(pickle.dumps(make(store, answers=rules(tmp_path, rude))))
    stage.open()
    headers, turns = frames(TALKS)
    rows = VERDICTS.conform(stage.process(Batch(["a", "b", "c"], {"dialogues": headers, "turns": turns})).rows)
    assert rows.height == 3 * len(Axis)
    found = {(row["dialogue_id"], row["turn_index"], row["axis"]): row for row in rows.to_dicts()}
    tone = found["a", 1, "tone"]
    assert (tone["score"], tone["problematic"], tone["justification"]) == (0, True, "It is rude.")
    assert (tone["t_s"], tone["end_s"], tone["judge"]) == (2.5, 4.5, "mock")
    assert found["a", 3, "tone"]["score"] == 3
    assert {row["unscored"] for key, row in found.items() if key[0] == "b"} == {"no_words"}
    asked = {row["request"] for row in found.values() if row["dialogue_id"] == "a"}
    assert len(asked) == 7, "rows of one answer share its request"


def test_without_a_judge_the_stage_says_what_to_set(store: Store) -> None:
    with pytest.raises(StoreError, match=r"set judge\.client"):
        make(store, client="none")


def test_what_templates_and_rules_say_is_part_of_the_fingerprint_and_where_they_lie_is_not(
    store: Store, tmp_path: Path
) -> None:
    shipped = make(store).variant
    here, there, other = (tmp_path / name for name in ("here", "there", "other"))
    for folder in (here, there, other):
        folder.mkdir()
        (folder / "axis_tone.j2").write_text("tone: Would a friend say it like this?\n")
    (other / "axis_tone.j2").write_text("tone: Is it polite?\n")
    assert make(store, prompts=here).variant == make(store, prompts=there).variant
    assert len({shipped, make(store, prompts=here).variant, make(store, prompts=other).variant}) == 3
    assert make(store, prompts=here, axes=["safety"]).variant == make(store, axes=["safety"]).variant, (
        "tone is not used"
    )
    one = make(store, answers=rules(tmp_path, {"contains": "x", "score": 1})).variant
    two = make(store, answers=rules(tmp_path, {"contains": "x", "score": 2})).variant
    assert len({shipped, one, two}) == 3


def test_another_attempt_asks_again_only_where_no_answer_came(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    headers, turns = frames(TALKS[:1])
    batch = Batch(["a"], {"dialogues": headers, "turns": turns})
    failing = Scripted(
        lambda request: Answer(None) if "safety" in str(request.question) else Answer(good_answer(request))
    )
    working = Scripted(lambda request: Answer(good_answer(request)))
    unscored = []
    for attempt, client in enumerate((failing, working)):
        monkeypatch.setattr("judges.judge.open_client", lambda *_, client=client: client)
        stage = make(store, attempt=attempt)
        stage.open()
        rows = stage.process(batch).rows
        unscored.append(rows["unscored"].drop_nulls().to_list())
    assert unscored == [["request_failed"] * 2, []]
    assert (len(failing.asked), len(working.asked)) == (7, 1)
    assert make(store, attempt=0).variant != make(store, attempt=1).variant


def test_a_setting_of_execution_changes_no_fingerprint(store: Store) -> None:
    config = JudgeConfig(client="mock")
    far = ClientSettings(base_url="http://elsewhere/v1", concurrency=2, deadline_s=5, retries=0, api_key_env="KEY")
    assert Judge(config, far, store=store).variant == make(store).variant


def test_templates_of_ones_own_take_the_place_of_the_shipped_ones(tmp_path: Path) -> None:
    (tmp_path / "axis_tone.j2").write_text("tone: Would a friend say it like this?\n")
    own = Templates.load(tmp_path)
    text = own.render("judge", transcript="T", turns=(1, 3), axes=["tone"])
    assert text.startswith("T\n")
    assert "evaluate: 1, 3." in text
    assert text.endswith("tone: Would a friend say it like this?")


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("axis_tonne.j2", "x", "nothing uses axis_tonne"),
        ("judge.j2", "{{ transcrypt }}", "judge.j2: 'transcrypt' is undefined"),
        ("judge.j2", "{% if %}", "judge.j2: "),
        ("judge.j2", "Turns: {{ turns }}", "leaves out {{ transcript }}"),
        ("judge.j2", "{{ transcript.__class__.__mro__ }} {{ transcript }}", "judge.j2: "),
        ("judge.j2", "{{ transcript + 1 }}", "judge.j2: "),
        ("judge.j2", "{{ transcript }}{{ 1 / 0 }}", "judge.j2: "),
        ("judge.j2", "{% include 'nothing' %}", "judge.j2: "),
        ("repair.j2", "{{ oops }}", "repair.j2: 'oops' is undefined"),
        ("judge_again.j2", "{{ oops }}", "judge_again.j2: 'oops' is undefined"),
    ],
)
def test_a_template_that_cannot_be_used_is_told_before_anything_is_asked(
    store: Store, tmp_path: Path, name: str, text: str, says: str
) -> None:
    folder = tmp_path / "prompts"
    folder.mkdir()
    (folder / name).write_text(text)
    with pytest.raises(StoreError) as raised:
        make(store, prompts=folder)
    assert says in str(raised.value)


def test_files_that_are_not_there_are_named(store: Store, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"no folder of prompts at .*check clients\.prompts"):
        make(store, prompts=tmp_path / "none")
    with pytest.raises(StoreError, match=r"check clients\.answers"):
        make(store, answers=tmp_path / "none.jsonl")


def test_a_rule_that_is_none_names_its_line(store: Store, tmp_path: Path) -> None:
    stage = make(store, answers=rules(tmp_path, {"contains": "x", "score": 1}, {"contains": "x", "score": 9}))
    with pytest.raises(StoreError, match="line 2: no rule of the mock judge"):
        stage.open()


def test_thresholds_and_word_lists_of_the_heuristic_judge_are_part_of_its_fingerprint_alone(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient = {"loop": {"word_times": 50}}
    shipped = make(store, client="heuristic").variant
    assert make(store, client="heuristic", heuristic=patient).variant != shipped
    assert make(store, client="mock", heuristic=patient).variant == make(store, client="mock").variant
    monkeypatch.setattr("judges.judge.lexicons_hash", lambda: "other words")
    assert make(store, client="heuristic").variant != shipped


def test_thresholds_of_the_heuristic_judge_reach_it(store: Store) -> None:
    headers, turns = frames([talk("a", "When is it?", "now " * 9)])

    def score(loop: dict[str, int]) -> object:
        stage = make(store, client="heuristic", axes=["helpfulness"], heuristic={"loop": loop})
        stage.open()
        return stage.process(Batch(["a"], {"dialogues": headers, "turns": turns})).rows["score"].item()

    assert score({}) == 0
    assert score({"word_times": 50, "repeatable_times": 50}) == 3
