"""Interval arithmetic over many groups, against sets of milliseconds."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from timing.intervals import NONE, Spans, intersection, union

Raw = list[tuple[int, int, int]]
raw = st.lists(st.tuples(st.integers(0, 3), st.integers(-20, 60), st.integers(1, 25)), max_size=25)
moments = st.lists(st.tuples(st.integers(0, 4), st.integers(-40, 110)), min_size=1, max_size=20)


def arrays(spans: Raw) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    table = np.array([(g, s, s + n) for g, s, n in spans], dtype=np.int64).reshape(-1, 3)
    return table[:, 0], table[:, 1], table[:, 2]


def merged(spans: Raw) -> Spans:
    return union(*arrays(spans))[0]


def held(spans: Raw) -> set[tuple[int, int]]:
    return {(g, t) for g, s, n in spans for t in range(s, s + n)}


def as_set(spans: Spans) -> set[tuple[int, int]]:
    rows = zip(spans.group.tolist(), spans.start.tolist(), spans.end.tolist(), strict=True)
    return {(g, t) for g, s, e in rows for t in range(s, e)}


@given(raw)
def test_union_holds_the_same_time_in_order_and_apart(spans: Raw) -> None:
    whole, owner = union(*arrays(spans))
    assert as_set(whole) == held(spans)
    same = whole.group[1:] == whole.group[:-1]
    assert np.all(whole.start[1:][same] > whole.end[:-1][same])
    assert np.all(np.diff(whole.group) >= 0)
    for (group, start, length), index in zip(spans, owner.tolist(), strict=True):
        assert whole.group[index] == group
        assert whole.start[index] <= start
        assert start + length <= whole.end[index]


@given(raw, st.integers(0, 15))
def test_union_bridges_gaps_up_to_the_limit_and_no_longer_ones(spans: Raw, gap: int) -> None:
    plain, bridged = merged(spans), union(*arrays(spans), gap)[0]
    same = plain.group[1:] == plain.group[:-1]
    gaps = (plain.start[1:] - plain.end[:-1])[same]
    assert len(bridged) == len(plain) - int((gaps <= gap).sum())


@given(raw, raw)
def test_intersection_is_time_that_both_hold(a: Raw, b: Raw) -> None:
    first, second = merged(a), merged(b)
    both, i, j = intersection(first, second)
    assert as_set(both) == held(a) & held(b)
    assert np.all(first.start[i] <= both.start)
    assert np.all(both.end <= second.end[j])


@given(raw, moments, st.integers(0, 60))
def test_covered_counts_the_time_inside_a_window(spans: Raw, at: list[tuple[int, int]], width: int) -> None:
    whole, time = merged(spans), held(spans)
    group, low = np.array(at, dtype=np.int64).T
    expected = [len({(g, t) for t in range(x, x + width)} & time) for g, x in at]
    assert whole.covered(group, low, low + width).tolist() == expected
    assert whole.covered(group, low, low - 5).tolist() == [0] * len(at)


@given(raw, moments)
def test_neighbours_of_a_moment_stay_in_their_group(spans: Raw, at: list[tuple[int, int]]) -> None:
    whole = merged(spans)
    rows = list(zip(whole.group.tolist(), whole.start.tolist(), whole.end.tolist(), strict=True))
    group, t = np.array(at, dtype=np.int64).T
    for (g, x), before, after, inside in zip(
        at,
        whole.last_before(group, t).tolist(),
        whole.first_from(group, t).tolist(),
        whole.holding(group, t).tolist(),
        strict=True,
    ):
        assert before == max((i for i, r in enumerate(rows) if r[0] == g and r[1] < x), default=NONE)
        assert after == min((i for i, r in enumerate(rows) if r[0] == g and r[1] >= x), default=NONE)
        assert inside == next((i for i, r in enumerate(rows) if r[0] == g and r[1] < x < r[2]), NONE)
