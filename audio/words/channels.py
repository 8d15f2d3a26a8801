"""Words and speech of many channels on one axis of milliseconds: channel ``group`` begins at ``group x APART_MS``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from schemas.clock import IntMs, Seconds, array_to_ms

Mask = npt.NDArray[np.bool_]

CHANNEL = ("dialogue_id", "channel")
APART_MS = 10**10
"""Distance between two channels: longer than any log."""


def number(words: pl.DataFrame, activity: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Both frames with a column ``group``: the number of their channel, in the order of (dialogue_id, channel).

    ``activity`` is sorted by it.
    """
    channels = pl.concat([activity.select(CHANNEL), words.select(CHANNEL)]).unique().sort(CHANNEL)
    channels = channels.with_row_index("group").with_columns(pl.col("group").cast(pl.Int64))
    numbered, speaking = (
        frame.join(channels, on=CHANNEL, how="left", maintain_order="left") for frame in (words, activity)
    )
    return numbered, speaking.sort("group")


def in_order(words: pl.DataFrame) -> pl.DataFrame:
    """Numbered words by channel and start; those that start together, and those without a start, as they came."""
    start = words["start_s"].to_numpy()
    group = words["group"].to_numpy()
    # To see that they are in order, as words mostly are, is far cheaper than to sort them.
    if ((group[1:] > group[:-1]) | ((group[1:] == group[:-1]) & (start[1:] >= start[:-1]))).all():
        return words
    place = pl.col("start_s")
    if words["start_s"].null_count():
        place = place.forward_fill().over("group").fill_null(-np.inf)
    return words.sort("group", place, maintain_order=True)


def on_axis(group: IntMs, seconds: pl.Series) -> IntMs:
    """Places of times of channels, shape (n,)."""
    return np.asarray(group * APART_MS + array_to_ms(seconds.to_numpy()), dtype=np.int64)


@dataclass(frozen=True)
class Speech:
    """Own speech of all channels of a batch: disjoint intervals ``[start, end)`` on the axis, in order."""

    start: IntMs
    end: IntMs
    level_db: Seconds

    @classmethod
    def of(cls, activity: pl.DataFrame) -> Speech:
        """Speech of numbered rows of ``activity``, as it is."""
        spans = activity.select("group", "speech").filter(pl.col("speech").list.len() > 0)
        spans = spans.explode("speech").unnest("speech")
        group = spans["group"].to_numpy()
        start, end = on_axis(group, spans["start_s"]), on_axis(group, spans["end_s"])
        return cls(start, end, spans["level_db"].to_numpy())

    def bridged(self, gap_ms: int) -> Speech:
        """The same with gaps below ``gap_ms`` closed; the level is that of the first piece."""
        begins = np.ones(len(self), dtype=np.bool_)
        begins[1:] = self.start[1:] - self.end[:-1] >= max(gap_ms, 1)
        first = np.flatnonzero(begins)
        last = np.append(first[1:], len(self))[: len(first)] - 1
        return Speech(self.start[first], self.end[last], self.level_db[first])

    def __len__(self) -> int:
        return len(self.start)

    @cached_property
    def _total(self) -> IntMs:
        """Speech before each interval and, last, in all."""
        return np.concatenate(([0], np.cumsum(self.end - self.start)))

    def last_from(self, at: IntMs) -> IntMs:
        """Index of the last interval that starts at or before each place, -1 where there is none."""
        return np.asarray(np.searchsorted(self.start, at, side="right") - 1, dtype=np.int64)

    def until(self, at: IntMs) -> IntMs:
        """Milliseconds of speech before each place, of this channel and all before it."""
        if not len(self):
            return np.zeros(np.shape(at), dtype=np.int64)
        index = self.last_from(at)
        inside = np.maximum(index, 0)
        length = self.end[inside] - self.start[inside]
        spoken = self._total[inside] + np.minimum(at - self.start[inside], length)
        return np.asarray(np.where(index >= 0, spoken, 0), dtype=np.int64)

    def place(self, spoken: IntMs, edge: Literal["start", "end"]) -> IntMs:
        """Where so much has been spoken: the inverse of ``until``. Needs speech.

        Between two intervals, an ``end`` is where the one ends and a ``start`` where the other starts.
        """
        index = np.searchsorted(self._total[1:], spoken, side="right" if edge == "start" else "left")
        inside = np.minimum(index, len(self) - 1)
        return np.asarray(self.start[inside] + spoken - self._total[inside], dtype=np.int64)


def neighbours_differ(group: IntMs) -> tuple[Mask, Mask]:
    """Which rows are the first and the last of their channel; ``group`` ascends."""
    changes = group[1:] != group[:-1]
    return np.append(True, changes)[: len(group)], np.append(changes, True)[: len(group)]
