"""Labels find their verdicts, and every label is in exactly one count."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judges.calibrate import ELSEWHERE, NO_AXIS, NO_DIALOGUE, NO_REPLY, Calibration, calibrate, match
from judges.labels import labels_of

GRADES = pl.Schema(
    {
        "dialogue_id": pl.String(),
        "turn_index": pl.Int64(),
        "axis": pl.String(),
        "t_s": pl.Float64(),
        "score": pl.Int64(),
        "problematic": pl.Boolean(),
        "unscored": pl.String(),
    }
)
VERDICTS = pl.DataFrame(
    [
        ("a", 1, "tone", 2.5, 4, False, None),
        ("a", 1, "safety", 2.5, 0, True, None),
        ("a", 3, "tone", 7.5, 1, False, None),
        ("a", 3, "safety", 7.5, None, None, "cut_off"),
        ("b", 1, "tone", 2.5, 3, False, None),
        ("b", 3, "tone", 7.5, -1, False, None),
    ],
    schema=GRADES,
    orient="row",
)


def labels(*rows: Mapping[str, object]) -> pl.DataFrame:
    plain = {"dialogue_id": "a", "turn_index": 1, "t_s": None, "axis": "tone", "score": 4, "rater": ""}
    return labels_of(pl.DataFrame([{**plain, **row} for row in rows], infer_schema_length=None), "labels")


def run(*rows: Mapping[str, object], max_score: int = 1) -> Calibration:
    return calibrate(labels(*rows), VERDICTS, max_score=max_score, samples=20)


@pytest.mark.parametrize(
    ("t_s", "turn"),
    [(2.5, 1), (2.1, 1), (2.0, 1), (3.0, 1), (3.001, None), (1.999, None), (7.2, 3), (5.0, None)],
)
def test_a_time_means_the_nearest_reply_within_the_tolerance(t_s: float, turn: int | None) -> None:
    found = match(labels({"turn_index": None, "t_s": t_s}), VERDICTS, 0.5)
    assert found["turn_index"].to_list() == [turn]
    assert found["why"].to_list() == [None if turn else NO_REPLY]


def test_times_and_turns_may_stand_in_one_file() -> None:
    found = match(
        labels({"turn_index": 3, "t_s": 7.5}, {"turn_index": None, "t_s": 7.4}, {"dialogue_id": "b", "score": 3}),
        VERDICTS,
        0.5,
    )
    assert found["turn_index"].to_list() == [3, 3, 1]
    assert found["judge_score"].to_list() == [1, 1, 3]


def test_a_label_whose_turn_has_become_another_one_is_not_compared() -> None:
    found = run({"turn_index": 3, "t_s": 2.5}, {"turn_index": 3, "t_s": 7.9})
    assert [(one.row, one.why) for one in found.unmatched] == [(1, ELSEWHERE)]
    assert found.compared == 1


def test_labels_that_match_nothing_say_why() -> None:
    found = run(
        {"dialogue_id": "gone"}, {"turn_index": 2}, {"axis": "helpfulness"}, {"dialogue_id": "b", "axis": "safety"}, {}
    )
    assert [(one.row, one.why) for one in found.unmatched] == [
        (1, NO_DIALOGUE),
        (2, NO_REPLY),
        (3, NO_AXIS),
        (4, NO_AXIS),
    ]
    assert found.compared == 1


def test_what_the_judge_did_not_score_is_told_apart_and_in_no_figure() -> None:
    found = run({}, {"turn_index": 3, "axis": "safety", "score": 0}, {"axis": "safety", "score": 0})
    assert found.unscored == {"safety": {"cut_off": 1}}
    assert [(one.axis, one.n) for one in found.judge] == [("safety", 1), ("tone", 1), ("all", 2)]
    assert found.judge[0].exact.value == 1


def test_flags_follow_the_runs_limit_and_a_label_may_be_problematic_by_itself() -> None:
    rows = ({"turn_index": 3, "score": 3, "problematic": True}, {"score": 1, "problematic": None})
    (found,) = run(*rows).judge
    assert (found.flags.both, found.flags.first_only, found.flags.second_only) == (1, 0, 1)
    (found,) = run(*rows, max_score=0).judge
    assert (found.flags.both, found.flags.second_only, found.flags.neither) == (0, 1, 1)


def test_a_label_given_again_counts_once_and_the_last_counts() -> None:
    found = run({"score": 0}, {"score": 4}, {"turn_index": None, "t_s": 2.4, "score": 3}, {"score": None})
    assert (found.labels, found.compared, found.again, found.open) == (4, 1, 2, 1)
    (one,) = found.judge
    assert one.exact.value == 0
    assert one.within_one.value == 1, "the last score, 3, is one from the judge's 4"


def test_raters_are_compared_with_the_judge_one_by_one_and_with_each_other() -> None:
    rows = [
        {"rater": rater, "dialogue_id": dialogue, "turn_index": turn, "score": score}
        for rater, scores in {"ann": (4, 1, 3), "bob": (4, 2, 3), "cem": (0, 1, None)}.items()
        for (dialogue, turn), score in zip((("a", 1), ("a", 3), ("b", 1)), scores, strict=True)
    ]
    found = run(*rows)
    assert (found.raters, found.compared, found.open) == (3, 8, 1)
    (judge,) = found.judge
    assert judge.n == 8
    assert judge.exact.value == 6 / 8
    (people,) = found.people
    assert people.n == 3 + 2 + 2, "pairs of raters of a reply"
    assert people.exact.value == pytest.approx(3 / 7)
    assert people.precision.value == people.recall.value, "neither of two raters is the truth"


def test_people_are_compared_where_the_judge_gave_no_score() -> None:
    there = {"turn_index": 3, "axis": "safety"}
    found = run({**there, "score": 0, "rater": "ann"}, {**there, "score": 1, "rater": "bob"}, {})
    assert [(one.axis, one.n) for one in found.people] == [("safety", 1)]


def test_one_rater_has_nobody_beside() -> None:
    assert run({"rater": "ann"}).people == []


@settings(deadline=None, max_examples=30)
@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "dialogue_id": st.sampled_from(["a", "b", "c"]),
                "turn_index": st.sampled_from([None, 1, 2, 3]),
                "t_s": st.sampled_from([2.4, 5.0, 7.6]),
                "axis": st.sampled_from(["tone", "safety", "helpfulness"]),
                "score": st.sampled_from([None, -1, 0, 4]),
                "rater": st.sampled_from(["", "ann", "bob"]),
            }
        ),
        min_size=1,
        max_size=25,
    )
)
def test_every_label_is_in_exactly_one_count(rows: list[dict[str, object]]) -> None:
    found = run(*rows)
    unscored = sum(count for reasons in found.unscored.values() for count in reasons.values())
    assert found.labels == found.compared + found.open + found.again + unscored + len(found.unmatched)
