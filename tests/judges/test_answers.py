"""What counts as an answer, what is repaired, and what is dropped."""

from __future__ import annotations

import json
from typing import Any

import pytest

from judges.answers import UnreadableError, answer_schema, read_grades
from schemas.verdicts import Axis, Unscored

TONE = (Axis.TONE,)
BOTH = (Axis.TONE, Axis.SAFETY)


def grade(turn: Any = 1, score: Any = 3, **more: Any) -> dict[str, Any]:
    return {"turn": turn, "justification": "so", "score": score, "problematic": False, **more}


def written(*grades: dict[str, Any]) -> str:
    return json.dumps({"verdicts": list(grades)})


def test_the_justification_comes_before_the_score_in_the_schema_and_nothing_else_is_allowed() -> None:
    for per_call, name in (("one", "Grade"), ("all", "AxisGrade")):
        schema = answer_schema(per_call)  # type: ignore[arg-type]
        entry = schema["$defs"][name]
        order = list(entry["properties"])
        assert order.index("justification") < order.index("score")
        assert order.index("justification") < order.index("problematic")
        assert entry["required"] == order
        assert entry["additionalProperties"] is False
        assert entry["properties"]["score"]["enum"] == [-1, 0, 1, 2, 3, 4]


def test_a_good_answer_is_read() -> None:
    reading = read_grades(written(grade(1, 3), grade(3, -1)), {1, 3}, TONE, "one")
    assert {key: given.score for key, given in reading.grades.items()} == {(1, Axis.TONE): 3, (3, Axis.TONE): -1}
    assert reading.notes == ()


def test_all_axes_in_one_answer() -> None:
    text = written(grade(1, 3, axis="tone"), grade(1, 0, axis="safety"))
    reading = read_grades(text, {1}, BOTH, "all")
    assert {key: given.score for key, given in reading.grades.items()} == {(1, Axis.TONE): 3, (1, Axis.SAFETY): 0}


@pytest.mark.parametrize(
    "wrapping",
    ["{}", "```json\n{}\n```", "```\n{}\n```", "<think>4? No: {{3}}.</think>\n{}", "  {}\n\n\n" + " " * 999],
)
def test_a_fence_a_thought_or_space_around_an_answer_is_no_part_of_it(wrapping: str) -> None:
    text = wrapping.replace("{{3}}", "(3)").replace("{}", written(grade()))
    assert read_grades(text, {1}, TONE, "one").grades[1, Axis.TONE].score == 3


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", Unscored.UNPARSABLE),
        ("Rating: high", Unscored.UNPARSABLE),
        (written(grade())[:-3], Unscored.UNPARSABLE),
        ('{"verdicts": [' + "\n" * 500, Unscored.UNPARSABLE),
        ("[" * 100_000, Unscored.UNPARSABLE),
        ("4", Unscored.NOT_IN_SCHEMA),
        ("null", Unscored.NOT_IN_SCHEMA),
        ('{"score": 4}', Unscored.NOT_IN_SCHEMA),
        (written(grade(score="high")), Unscored.NOT_IN_SCHEMA),
        (written(grade(score=5)), Unscored.NOT_IN_SCHEMA),
        (written(grade(score=True)), Unscored.NOT_IN_SCHEMA),
        (written(grade(score=2.5)), Unscored.NOT_IN_SCHEMA),
        (written(grade(turn="1")), Unscored.NOT_IN_SCHEMA),
        (written(grade(problematic="no")), Unscored.NOT_IN_SCHEMA),
        (written({"turn": 1, "score": 4}), Unscored.NOT_IN_SCHEMA),
        (written(grade(extra=1)), Unscored.NOT_IN_SCHEMA),
    ],
)
def test_what_is_not_in_the_schema_is_never_read_as_a_grade(text: str, why: Unscored) -> None:
    with pytest.raises(UnreadableError) as raised:
        read_grades(text, {1}, TONE, "one")
    assert raised.value.why is why
    assert len(str(raised.value)) <= 600


def test_grades_of_turns_not_asked_for_are_dropped_with_a_note() -> None:
    reading = read_grades(written(grade(1), grade(2), grade(99)), {1}, TONE, "one")
    assert list(reading.grades) == [(1, Axis.TONE)]
    assert reading.notes == ("dropped grades that were not asked for, of turns [2, 99]",)


def test_doubles_that_agree_are_one_and_doubles_that_do_not_are_none() -> None:
    agree = read_grades(written(grade(1, 3), grade(1, 3, justification="other")), {1}, TONE, "one")
    assert agree.grades[1, Axis.TONE].score == 3
    differ = read_grades(written(grade(1, 3), grade(1, 0), grade(3, 2)), {1, 3}, TONE, "one")
    assert list(differ.grades) == [(3, Axis.TONE)]
    assert "contradicted itself on turns [1]" in differ.notes


def test_a_client_may_say_how_sure_it_is() -> None:
    assert read_grades(written(grade(confidence=0.4)), {1}, TONE, "one").grades[1, Axis.TONE].confidence == 0.4
    with pytest.raises(UnreadableError):
        read_grades(written(grade(confidence=4)), {1}, TONE, "one")


def test_a_long_justification_is_cut() -> None:
    reading = read_grades(written(grade(justification="x" * 9999)), {1}, TONE, "one")
    assert len(reading.grades[1, Axis.TONE].justification) == 2000
