"""Intervals of many groups at once: union, overlap, neighbours and cover, on integer milliseconds.

A *group* is whatever keeps intervals apart: a dialogue, or one channel of it. All groups of a batch lie one behind the
other on a single axis, so that every question is one sort or one binary search over the whole batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from schemas.clock import IntMs

Index = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

NONE = -1
"""Index of an interval that is not there."""
FAR = 1 << 40
"""Time in ms of an event that never comes: later than any log ends."""


@dataclass(frozen=True)
class Spans:
    """Intervals ``[start, end)`` in ms, sorted by (group, start), disjoint within a group. Arrays of equal length."""

    group: Index
    start: IntMs
    end: IntMs

    def __len__(self) -> int:
        return len(self.start)

    def take(self, which: Mask | Index) -> Spans:
        """A part of the intervals, in the order given (a mask, or ascending indices)."""
        return Spans(self.group[which], self.start[which], self.end[which])

    @property
    def length(self) -> IntMs:
        """Length of every interval, ms."""
        return self.end - self.start

    @cached_property
    def _bounds(self) -> tuple[int, int]:
        """Lowest position a query is told apart at, and the width of one group on the axis."""
        if not len(self):
            return 0, 1
        low = int(self.start.min()) - 1
        return low, int(self.end.max()) + 2 - low

    @cached_property
    def _axis_start(self) -> IntMs:
        return self.place(self.group, self.start)

    @cached_property
    def _axis_end(self) -> IntMs:
        return self.place(self.group, self.end)

    @cached_property
    def _cumulative(self) -> IntMs:
        return np.concatenate(([0], np.cumsum(self.length)))

    def place(self, group: Index, t: IntMs) -> IntMs:
        """Position of a time of a group on the common axis. Times beyond all intervals fall on the group's edge."""
        low, width = self._bounds
        return np.asarray(group * width + np.clip(t - low, 0, width - 1), dtype=np.int64)

    def _same_group(self, index: Index, group: Index) -> Index:
        inside = (index >= 0) & (index < len(self))
        if not len(self):
            return np.full(len(index), NONE, dtype=np.int64)
        same = inside & (self.group[np.clip(index, 0, len(self) - 1)] == group)
        return np.where(same, index, NONE)

    def count_before(self, group: Index, t: IntMs) -> Index:
        """How many intervals, of this group and all groups before it, start before ``t``."""
        if not len(self):
            return np.zeros(len(group), dtype=np.int64)
        return np.asarray(np.searchsorted(self._axis_start, self.place(group, t), side="left"), dtype=np.int64)

    def last_before(self, group: Index, t: IntMs) -> Index:
        """Index of the last interval of the group that starts before ``t``, or NONE."""
        return self._same_group(self.count_before(group, t) - 1, group)

    def first_from(self, group: Index, t: IntMs) -> Index:
        """Index of the first interval of the group that starts at or after ``t``, or NONE."""
        return self._same_group(self.count_before(group, t), group)

    def holding(self, group: Index, t: IntMs) -> Index:
        """Index of the interval with ``start < t < end``, or NONE."""
        before = self.last_before(group, t)
        return np.where(pick(self.end, before, t) > t, before, NONE)

    def neighbours(self) -> tuple[Index, Index]:
        """Index of every interval's predecessor and successor in its group, or NONE."""
        here = np.arange(len(self))
        return self._same_group(here - 1, self.group), self._same_group(here + 1, self.group)

    def covered(self, group: Index, low: IntMs, high: IntMs) -> IntMs:
        """Total length of the group's intervals inside ``[low, high)``, ms; 0 where ``high <= low``."""
        total = self._length_until(group, high) - self._length_until(group, low)
        return np.asarray(np.maximum(total, 0), dtype=np.int64)

    def _length_until(self, group: Index, t: IntMs) -> IntMs:
        if not len(self):
            return np.zeros(len(group), dtype=np.int64)
        position = self.place(group, t)
        last = self.count_before(group, t) - 1
        inside = np.maximum(last, 0)
        partial = np.minimum(self.length[inside], position - self._axis_start[inside])
        return np.where(last >= 0, self._cumulative[inside] + partial, 0)


def pick(values: npt.NDArray[np.int64], index: Index, default: int | npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """``values[index]``, with ``default`` where the index is NONE."""
    if not len(values):
        return np.broadcast_to(np.asarray(default, dtype=np.int64), index.shape).copy()
    return np.where(index == NONE, default, values[np.maximum(index, 0)])


def in_order(group: Index, start: IntMs) -> Index:
    """Indices that put intervals in order of (group, start). Tables mostly come in order, and a sort is dear."""
    later = group[1:] > group[:-1]
    if np.all(later | ((group[1:] == group[:-1]) & (start[1:] >= start[:-1]))):
        return np.arange(len(start))
    return np.lexsort((start, group))


def union(group: Index, start: IntMs, end: IntMs, max_gap_ms: int = 0) -> tuple[Spans, Index]:
    """Merge intervals of a group whose gap is at most ``max_gap_ms``; empty intervals must be gone.

    Takes them in any order, overlapping or not. Returns the merged intervals, and for every input interval the index
    of the one it went into.
    """
    if not len(start):
        return Spans(group, start, end), np.zeros(0, dtype=np.int64)
    order = in_order(group, start)
    group, start, end = group[order], start[order], end[order]
    low = int(start.min())
    width = int(end.max()) - low + 1
    reach = np.maximum.accumulate(group * width + end - low)
    fresh = np.empty(len(start), dtype=np.bool_)
    fresh[0] = True
    fresh[1:] = (group[1:] != group[:-1]) | (group[1:] * width + start[1:] - low > reach[:-1] + max_gap_ms)
    first = np.flatnonzero(fresh)
    owner = np.empty(len(start), dtype=np.int64)
    owner[order] = np.cumsum(fresh) - 1
    return Spans(group[first], start[first], np.maximum.reduceat(end, first)), owner


def bridged(spans: Spans, max_gap_ms: int) -> Spans:
    """The same intervals with gaps up to ``max_gap_ms`` closed."""
    return union(spans.group, spans.start, spans.end, max_gap_ms)[0]


def overlap_pairs(a: Spans, b: Spans) -> tuple[Index, Index]:
    """All pairs (index in a, index in b) of one group that share time, in order of ``a``."""
    if not len(a) or not len(b):
        empty = np.zeros(0, dtype=np.int64)
        return empty, empty
    first = np.searchsorted(b._axis_end, b.place(a.group, a.start), side="right")
    stop = np.searchsorted(b._axis_start, b.place(a.group, a.end), side="left")
    return expand(first, stop)


def expand(first: Index, stop: Index) -> tuple[Index, Index]:
    """Spell out ranges ``[first, stop)``: for every element the number of its range, and the element."""
    count = np.maximum(stop - first, 0)
    which = np.repeat(np.arange(len(count)), count)
    within = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)
    return which, first[which] + within


def intersection(a: Spans, b: Spans) -> tuple[Spans, Index, Index]:
    """Time that both hold, with the index in ``a`` and in ``b`` of what meets there."""
    i, j = overlap_pairs(a, b)
    meet = Spans(a.group[i], np.maximum(a.start[i], b.start[j]), np.minimum(a.end[i], b.end[j]))
    return meet, i, j
