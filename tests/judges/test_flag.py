"""Which verdicts make faults of type A, and what their rows say."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest
from pydantic import ValidationError

from judges.flag import content_issues
from judges.settings import FlagConfig
from schemas.content_issues import CONTENT_ISSUES
from schemas.ids import issue_id
from schemas.verdicts import VERDICTS
from tests.judges.talks import frames, talk

TALK = talk("d", *(f"said {i}" for i in range(12)))
TURNS = frames([TALK])[1]


def verdict(turn: int, axis: str, score: int | None, problematic: bool | None = False) -> dict[str, Any]:
    return {
        "dialogue_id": "d",
        "turn_index": turn,
        "axis": axis,
        "t_s": turn * 2.5,
        "end_s": turn * 2.5 + 2,
        "score": score,
        "problematic": None if score is None else problematic,
        "justification": f"because of {axis}",
        "unscored": "unparsable" if score is None else None,
        "judge": "mock",
    }


def flagged(*verdicts: dict[str, Any], **config: Any) -> pl.DataFrame:
    rows = VERDICTS.conform(pl.DataFrame(verdicts, infer_schema_length=None))
    return CONTENT_ISSUES.conform(content_issues(rows, TURNS, FlagConfig.model_validate(config)))


@pytest.mark.parametrize(
    ("score", "problematic", "is_fault"),
    [(0, False, True), (1, False, True), (2, False, False), (2, True, True), (4, True, True), (4, False, False)],
)
def test_a_reply_is_flagged_when_problematic_or_scored_low(score: int, problematic: bool, is_fault: bool) -> None:
    assert flagged(verdict(1, "tone", score, problematic)).height == is_fault


@pytest.mark.parametrize("score", [None, -1])
def test_no_score_and_an_axis_that_does_not_apply_flag_nothing(score: int | None) -> None:
    assert flagged(verdict(1, "tone", score, True)).is_empty()


def test_timing_axes_flag_nothing() -> None:
    assert flagged(verdict(1, "interruption", 0, True), verdict(1, "unresponsiveness", 0, True)).is_empty()


def test_one_row_per_reply_with_the_worst_axis_first() -> None:
    (row,) = flagged(
        verdict(3, "tone", 0),
        verdict(3, "helpfulness", 1, True),
        verdict(3, "safety", 1),
        verdict(3, "factual_accuracy", 4),
    ).to_dicts()
    assert row["axes"] == ["tone", "helpfulness", "safety"]
    assert (row["subtype"], row["score"], row["issue_type"]) == ("tone", 0, "A")
    assert (row["t_s"], row["end_s"], row["turn_index"], row["other_turn_index"]) == (7.5, 9.5, 3, 2)
    assert row["issue_id"] == issue_id("d", "A", 7.5)
    assert json.loads(row["evidence"])["helpfulness"] == {
        "score": 1,
        "problematic": True,
        "justification": "because of helpfulness",
    }


def test_a_model_that_speaks_first_answers_nobody() -> None:
    late = TURNS.filter(pl.col("turn_index") > 0)
    rows = VERDICTS.conform(pl.DataFrame([verdict(1, "tone", 0)], infer_schema_length=None))
    assert content_issues(rows, late, FlagConfig())["other_turn_index"].to_list() == [None]


def test_the_first_fault_in_time_is_spent_first_and_the_rest_in_an_order_of_their_own() -> None:
    rows = flagged(*(verdict(turn, "tone", 0) for turn in (11, 9, 7, 5, 3, 1)))
    assert rows["t_s"].is_sorted()
    assert rows["rank"][0] == 0
    assert sorted(rows["rank"]) == list(range(6))
    assert rows["rank"].to_list() != list(range(6))
    fewer = flagged(*(verdict(turn, "tone", 0) for turn in (11, 9, 7, 1)))
    order = [row["issue_id"] for row in rows.sort("rank").to_dicts() if row["turn_index"] in (11, 9, 7, 1)]
    assert fewer.sort("rank")["issue_id"].to_list() == order, "the order does not hang on what else is flagged"


def test_thresholds_and_axes_are_settings() -> None:
    assert flagged(verdict(1, "tone", 2), max_score=2).height == 1
    assert flagged(verdict(1, "tone", 0), max_score=-1).is_empty()
    assert flagged(verdict(1, "tone", 0), axes=["safety"]).is_empty()
    with pytest.raises(ValidationError, match="interruption: no axis of content"):
        FlagConfig.model_validate({"axes": ["interruption"]})
