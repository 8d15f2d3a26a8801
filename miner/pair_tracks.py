"""Many short sorted lists at once: pick spans out of thousands of timelines without a loop.

A ``Track`` holds the spans of all owners (dialogues, or turns) end to end, sorted by owner and start. A query asks
one question of every row of a batch and answers with ``Picks``: which spans, row by row. Times are integer ms.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from schemas.clock import IntMs, array_to_s

NEVER = 2**36
"""Later than the end of any log (two years in ms). Also the stride between owners on the common axis."""

NOWHERE = -1
"""Before the start of any log."""


@dataclass(frozen=True)
class Picks:
    """Spans picked for each row: row ``i`` has the spans ``index[offsets[i]:offsets[i + 1]]`` of the track."""

    offsets: IntMs
    index: IntMs

    @classmethod
    def of_ranges(cls, first: IntMs, stop: IntMs) -> Self:
        """Picks of the half-open ranges ``[first, stop)``, one per row; a range that runs backwards is empty."""
        lengths = np.maximum(stop - first, 0)
        offsets = np.concatenate(([0], np.cumsum(lengths)))
        return cls(offsets, np.arange(offsets[-1]) - np.repeat(offsets[:-1] - first, lengths))

    @property
    def counts(self) -> IntMs:
        """Number of spans of each row."""
        return np.asarray(np.diff(self.offsets), dtype=np.int64)

    def spread(self, per_row: IntMs) -> IntMs:
        """A value per row, repeated for each of its spans."""
        return np.repeat(per_row, self.counts)

    def to_list(self, fields: Mapping[str, pl.Series]) -> pl.Series:
        """A list column of structs, one list per row, from fields with one value per picked span."""
        values = pl.DataFrame(fields).to_struct("spans").to_arrow()
        lists: pa.LargeListArray = pa.LargeListArray.from_arrays(pa.array(self.offsets), values)
        return pl.Series(lists)


@dataclass(frozen=True)
class Track:
    """Spans sorted by (owner, start). ``owner`` are small non-negative numbers; every array has one value per span."""

    owner: IntMs
    start: IntMs
    end: IntMs

    @classmethod
    def of(cls, frame: pl.DataFrame, owner: str) -> Self:
        """The rows of a frame with columns ``start`` and ``end`` (ms), already sorted by ``owner`` and start."""
        return cls(*(frame[column].cast(pl.Int64).to_numpy() for column in (owner, "start", "end")))

    def touching(self, owner: IntMs, lo: IntMs, hi: IntMs) -> Picks:
        """The spans with a part inside ``[lo, hi)``; spans of one owner must not overlap each other."""
        return Picks.of_ranges(
            np.searchsorted(self._ends, _on_axis(owner, lo), "right"),
            np.searchsorted(self._starts, _on_axis(owner, hi), "left"),
        )

    def centred(self, owner: IntMs, lo: IntMs, hi: IntMs) -> Picks:
        """The spans whose middle lies in ``[lo, hi)``. A span inside a longer one goes where that one goes."""
        return Picks.of_ranges(
            np.searchsorted(self._middles, _on_axis(owner, 2 * lo), "left"),
            np.searchsorted(self._middles, _on_axis(owner, 2 * hi), "left"),
        )

    def next_start(self, owner: IntMs, t: IntMs) -> IntMs:
        """Start of the owner's first span that starts after ``t``; ``NEVER`` when there is none."""
        return self._look_up(self.start, np.searchsorted(self._starts, _on_axis(owner, t), "right"), owner, NEVER)

    def last_end(self, owner: IntMs, t: IntMs) -> IntMs:
        """End of the owner's last span that ends by ``t``; ``NOWHERE`` when there is none. Spans must not overlap."""
        return self._look_up(self.end, np.searchsorted(self._ends, _on_axis(owner, t), "right") - 1, owner, NOWHERE)

    def heard_until(self, owner: IntMs, t: IntMs) -> IntMs:
        """How far the owner's spans reach up to ``t``: the end of its last one, or ``t``; ``NOWHERE`` without one."""
        last = np.searchsorted(self._starts, _on_axis(owner, t), "left") - 1
        return np.minimum(self._look_up(self.end, last, owner, NOWHERE), t)

    def cut(self, picks: Picks, lo: IntMs, hi: IntMs, shift: IntMs | None = None) -> dict[str, pl.Series]:
        """Start and end (seconds) of picked spans, cut to their row's ``[lo, hi]``, then moved by its ``shift``."""
        low, high = picks.spread(lo), picks.spread(hi)
        move = np.int64(0) if shift is None else picks.spread(shift)
        return {
            "start_s": pl.Series(array_to_s(np.clip(self.start[picks.index], low, high) + move)),
            "end_s": pl.Series(array_to_s(np.clip(self.end[picks.index], low, high) + move)),
        }

    def _look_up(self, times: IntMs, at: IntMs, owner: IntMs, missing: int) -> IntMs:
        """The times of spans ``at``, and ``missing`` where that place is past the owner's spans."""
        if not len(self.owner):
            return np.full(len(owner), missing, dtype=np.int64)
        held = np.clip(at, 0, len(self.owner) - 1)
        return np.where((at == held) & (self.owner[held] == owner), times[held], missing)

    @cached_property
    def _starts(self) -> IntMs:
        return _on_axis(self.owner, self.start)

    @cached_property
    def _ends(self) -> IntMs:
        return _on_axis(self.owner, self.end)

    @cached_property
    def _middles(self) -> IntMs:
        doubled = _on_axis(self.owner, self.start + self.end)
        return np.asarray(np.maximum.accumulate(doubled), dtype=np.int64) if len(doubled) else doubled


def int_column(frame: pl.DataFrame, name: str, missing: int = 0) -> IntMs:
    """A column of whole numbers as an array, ``missing`` where it is null."""
    return np.asarray(frame[name].cast(pl.Int64).fill_null(missing).to_numpy(), dtype=np.int64)


def _on_axis(owner: npt.NDArray[np.int64], t: npt.NDArray[np.int64]) -> IntMs:
    """Times of all owners on one axis, so that one binary search serves every row. ``t`` may be twice a time."""
    return owner * (2 * NEVER + 1) + np.clip(t, 0, 2 * NEVER)
