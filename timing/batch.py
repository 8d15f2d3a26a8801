"""Tables of a batch as arrays: dialogues and their sides get numbers, seconds become integer milliseconds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
import pyarrow as pa

from schemas.clock import IntMs, array_to_ms, array_to_s
from timing.intervals import Index, Spans, union

MODEL, USER = 0, 1
CHANNELS = ("model", "user")
"""Names of the sides, by number. The group of a side is 2 x dialogue + side, so ``group ^ 1`` is the other side."""


def number(frame: pl.DataFrame, dialogue_ids: Sequence[str]) -> pl.DataFrame:
    """Rows of the batch's dialogues with a column ``dialogue``: the position of their id in ``dialogue_ids``."""
    numbers = pl.DataFrame(
        {"dialogue_id": pl.Series(dialogue_ids, dtype=pl.String), "dialogue": np.arange(len(dialogue_ids))}
    )
    return frame.join(numbers, on="dialogue_id", how="inner", maintain_order="left")


def by_side(frame: pl.DataFrame) -> pl.DataFrame:
    """The same rows with a column ``group``, from ``dialogue`` and ``channel``."""
    return frame.with_columns(
        (2 * pl.col("dialogue") + (pl.col("channel") == CHANNELS[USER]).cast(pl.Int64)).alias("group")
    )


def speech(activity: pl.DataFrame, max_gap_ms: int) -> Spans:
    """Own speech of both sides, from numbered rows of ``activity``, with gaps up to ``max_gap_ms`` bridged."""
    spans = activity.select("group", "speech").explode("speech").drop_nulls("speech").unnest("speech")
    start, end = array_to_ms(spans["start_s"].to_numpy()), array_to_ms(spans["end_s"].to_numpy())
    solid = end > start
    return union(spans["group"].to_numpy().astype(np.int64)[solid], start[solid], end[solid], max_gap_ms)[0]


def span_lists(owner: Index, start: IntMs, end: IntMs, n: int) -> pl.Series:
    """Intervals as lists of (start_s, end_s) by owner. ``owner`` ascends; shape (n,)."""
    offsets = np.searchsorted(owner, np.arange(n + 1)).astype(np.int32)
    values = pa.StructArray.from_arrays([array_to_s(start), array_to_s(end)], ["start_s", "end_s"])
    lists = pl.from_arrow(pa.ListArray.from_arrays(offsets, values))
    assert isinstance(lists, pl.Series)
    return lists
