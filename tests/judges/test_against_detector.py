"""The judge's timing axes beside the detector's events, on tables made by hand."""

from __future__ import annotations

import polars as pl
import pytest

from judges.against_detector import TimingAgreement, timing_agreement
from judges.agreement import Cells

REPLIES = {1: 2.0, 3: 8.0, 5: 14.0}
"""Turns of the model and their starts, the same in every dialogue; the even turns are the user's."""


def verdicts(axis: str, scores: dict[str, tuple[int | None, ...]]) -> pl.DataFrame:
    rows = [
        (dialogue, turn, axis, t_s, score, None if score is None else False, f"says {score}")
        for dialogue, given in scores.items()
        for (turn, t_s), score in zip(REPLIES.items(), given, strict=True)
    ]
    names = ["dialogue_id", "turn_index", "axis", "t_s", "score", "problematic", "justification"]
    types = [pl.String, pl.Int64, pl.String, pl.Float64, pl.Int64, pl.Boolean, pl.String]
    return pl.DataFrame(rows, schema=dict(zip(names, types, strict=True)), orient="row")


def events(*rows: tuple[str, str, str, float, int]) -> pl.DataFrame:
    names = ["dialogue_id", "event", "subtype", "t_s", "turn_index"]
    types = [pl.String, pl.String, pl.String, pl.Float64, pl.Int64]
    return pl.DataFrame(rows, schema=dict(zip(names, types, strict=True)), orient="row")


def only(found: list[TimingAgreement]) -> TimingAgreement:
    assert len(found) == 1
    return found[0]


def test_interruptions_are_put_to_the_intruding_turn() -> None:
    judged = verdicts("interruption", {"a": (0, 4, 1), "b": (3, 3, None), "c": (-1, 4, 4)})
    cuts = events(("a", "B", "cut_in", 2.0, 1), ("b", "B", "cut_in", 8.0, 3), ("b", "B", "cut_off", 14.0, 5))
    found = only(timing_agreement(judged, cuts, max_score=1, samples=50))
    assert (found.axis, found.event, found.n, found.dialogues) == ("interruption", "B", 8, 3)
    assert found.flags == Cells(both=1, first_only=1, second_only=1, neither=5)
    assert (found.unscored, found.not_applicable, found.no_reply) == (1, 1, 0)
    assert (found.precision.value, found.recall.value) == (0.5, 0.5)
    # Observed 6/8; by chance (2 * 2 + 6 * 6) / 64.
    assert found.kappa.value == pytest.approx((6 / 8 - 40 / 64) / (1 - 40 / 64))
    assert [(one.flagged_by, one.dialogue_id, one.turn_index, one.t_s) for one in found.examples] == [
        ("judge", "a", 5, 14.0),
        ("detector", "b", 3, 8.0),
    ]
    assert found.examples[0].justification == "says 1"
    assert found.examples[1].subtype == "cut_in"


def test_silence_is_put_to_the_next_reply_and_counted_where_there_is_none() -> None:
    judged = verdicts("unresponsiveness", {"a": (4, 0, 4), "b": (1, 4, 4)})
    silences = events(
        ("a", "C", "late", 3.0, 2),  # answered by the reply at 8 s
        ("a", "C", "no_response", 6.0, 2),  # and so is a second request
        ("a", "C", "no_response", 15.0, 6),  # nobody spoke any more
        ("b", "C", "no_response", 14.0, 4),  # a reply that starts at that very moment
    )
    found = only(timing_agreement(judged, silences, max_score=1, samples=50))
    assert found.flags == Cells(both=1, first_only=1, second_only=1, neither=3)
    assert found.no_reply == 1
    assert {(one.flagged_by, one.dialogue_id, one.turn_index) for one in found.examples} == {
        ("judge", "b", 1),
        ("detector", "b", 5),
    }


def test_events_of_one_kind_say_nothing_of_the_other_axis() -> None:
    judged = pl.concat([verdicts(axis, {"a": (4, 4, 4)}) for axis in ("interruption", "unresponsiveness")])
    found = timing_agreement(judged, events(("a", "B", "cut_in", 8.0, 3)), max_score=1, samples=20)
    assert [(one.axis, one.flags.second_only) for one in found] == [("interruption", 1), ("unresponsiveness", 0)]


def test_an_event_at_a_turn_nobody_judged_is_counted() -> None:
    judged = verdicts("interruption", {"a": (4, 4, 4)})
    found = only(timing_agreement(judged, events(("a", "B", "cut_in", 9.0, 4)), max_score=1, samples=20))
    assert found.no_reply == 1
    assert found.flags == Cells(0, 0, 0, 3)
    assert found.recall.value is None


def test_a_dialogue_where_all_is_unscored_is_in_no_figure() -> None:
    judged = verdicts("interruption", {"a": (None, None, None)})
    found = only(timing_agreement(judged, events(("a", "B", "cut_in", 2.0, 1)), max_score=1))
    assert (found.n, found.unscored, found.kappa.value, found.examples) == (0, 3, None, [])


def test_examples_are_few_and_the_same_each_time_whatever_the_order() -> None:
    judged = verdicts("interruption", {f"d{i:02d}": (0, 0, 0) for i in range(20)})
    nothing = events()
    found = only(timing_agreement(judged, nothing, max_score=1, examples=4, samples=0))
    assert len(found.examples) == 4
    assert found.flags.first_only == 60
    assert len({one.dialogue_id for one in found.examples}) > 1, "drawn, not the first ones"
    assert found == only(timing_agreement(judged.reverse(), nothing, max_score=1, examples=4, samples=0))
