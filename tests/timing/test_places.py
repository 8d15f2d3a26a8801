"""Faults of timing and of content put together: which place is which type of pair, and in which order."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from schemas.content_issues import CONTENT_ISSUES
from schemas.timing_events import TIMING_EVENTS
from timing.places import places

Timing = tuple[str, str, float, int, int | None]


def found(timing: list[Timing], content: list[tuple[float, int, int | None]], dialogue: str = "d") -> pl.DataFrame:
    """Places of a dialogue: timing as (issue type, subtype, t, turn, other turn), content as (t, turn, other turn)."""
    events = [
        {
            "dialogue_id": dialogue,
            "event_id": f"t{i}",
            "event": issue_type,
            "issue_type": issue_type if issue_type in ("B", "C") else None,
            "subtype": subtype,
            "t_s": t_s,
            "end_s": t_s,
            "turn_index": turn,
            "other_turn_index": other,
            "rank": i,
            "evidence": "{}",
        }
        for i, (issue_type, subtype, t_s, turn, other) in enumerate(timing)
    ]
    issues = [
        {
            "issue_id": f"c{i}",
            "dialogue_id": dialogue,
            "issue_type": "A",
            "subtype": "tone",
            "axes": ["tone"],
            "score": 0,
            "t_s": t_s,
            "end_s": t_s,
            "turn_index": turn,
            "other_turn_index": other,
            "rank": i,
            "evidence": "{}",
        }
        for i, (t_s, turn, other) in enumerate(content)
    ]
    return places(
        pl.DataFrame(events, schema=TIMING_EVENTS.schema), pl.DataFrame(issues, schema=CONTENT_ISSUES.schema)
    ).sort("t0_s")


def kinds(frame: pl.DataFrame) -> list[tuple[object, ...]]:
    return frame.select("pair_type", "t0_s", "turn_index", "user_turn_index", "issue_id").rows()


def test_faults_in_different_places_stay_apart() -> None:
    frame = found(
        [
            ("B", "cut_in", 3.0, 2, 1),
            ("C", "no_response", 9.0, 3, 4),
            ("C", "late", 20.0, 5, 6),
            ("pause", "", 1.0, 1, 2),
        ],
        [(1.0, 0, None)],
    )
    assert kinds(frame) == [
        ("A", 1.0, 0, None, "c0"),
        ("B", 3.0, 2, 1, "t0"),
        ("C", 9.0, None, 3, "t1"),
        ("C", 20.0, 6, 5, "t2"),
    ]


def test_a_content_fault_of_the_intruding_or_late_turn_joins_the_timing_fault() -> None:
    frame = found(
        [("B", "cut_in", 3.0, 2, 1), ("C", "late", 9.0, 3, 4), ("C", "no_response", 30.0, 7, 8)],
        [(3.0, 2, 1), (15.0, 4, 3), (33.0, 8, 7)],
    )
    assert kinds(frame) == [
        ("A+B", 3.0, 2, 1, "t0"),
        ("A+C", 9.0, 4, 3, "t1"),
        ("C", 30.0, None, 7, "t2"),  # a silence has no content, whatever comes after it
        ("A", 33.0, 8, 7, "c2"),
    ]
    assert frame["content_issue_id"].to_list() == ["c0", "c1", None, "c2"]


def test_dialogues_do_not_mix() -> None:
    one, other = found([("B", "cut_in", 3.0, 2, 1)], [], "one"), found([], [(3.0, 2, 1)], "other")
    assert kinds(one)[0][0] == "B"
    assert kinds(other)[0][0] == "A"


@given(st.lists(st.integers(0, 30), unique=True, max_size=8), st.lists(st.integers(0, 30), unique=True, max_size=8))
def test_each_fault_is_in_one_place_and_ranks_begin_with_the_first(b: list[int], a: list[int]) -> None:
    frame = found(
        [("B", "cut_in", float(turn), turn, turn - 1) for turn in b], [(float(turn), turn, None) for turn in a]
    )
    assert frame.height == len(set(a) | set(b))
    assert sorted(frame["t0_s"].to_list()) == sorted(float(turn) for turn in set(a) | set(b))
    assert sorted(frame["rank"].to_list()) == list(range(frame.height))
    if frame.height:
        assert frame["rank"][0] == 0
