"""Words to speakers: by the time they share with each speaker's turns."""

from __future__ import annotations

import numpy as np
import polars as pl

from schemas.clock import IntMs, array_to_ms


def assign_speakers(words: pl.DataFrame, speaker_turns: pl.DataFrame) -> pl.DataFrame:
    """The words of one channel with a column ``speaker``: who they share most time with, else who is nearest.

    ``words``: any frame with start_s and end_s; order and other columns are kept. ``speaker_turns``: columns
    ``SPEAKER_TURNS``. Of two equally good speakers the first by name is taken. Null where nobody was found.
    """
    start, end = array_to_ms(words["start_s"].to_numpy()), array_to_ms(words["end_s"].to_numpy())
    names = speaker_turns["speaker"].unique().sort()
    if names.is_empty() or words.is_empty():
        return words.with_columns(pl.lit(None, dtype=pl.String).alias("speaker"))
    closeness = np.stack(
        [_closeness(start, end, *_spans(speaker_turns.filter(pl.col("speaker") == name))) for name in names]
    )
    return words.with_columns(names.gather(closeness.argmax(axis=0)).alias("speaker"))


def _spans(turns: pl.DataFrame) -> tuple[IntMs, IntMs]:
    """One speaker's turns as spans in order that do not overlap, (m,) each."""
    turns = turns.sort("start_s")
    start, end = array_to_ms(turns["start_s"].to_numpy()), array_to_ms(turns["end_s"].to_numpy())
    reached = np.maximum.accumulate(end)
    first = np.flatnonzero(np.r_[True, start[1:] > reached[:-1]])
    return start[first], reached[np.r_[first[1:], len(end)] - 1]


def _closeness(start: IntMs, end: IntMs, turn_start: IntMs, turn_end: IntMs) -> IntMs:
    """Milliseconds words (n,) share with a speaker's spans (m,); where none, minus the distance to the nearest."""
    shared = _spoken(end, turn_start, turn_end) - _spoken(start, turn_start, turn_end)
    following = np.searchsorted(turn_end, start)
    far = np.iinfo(np.int64).max // 2
    to_next = np.where(following < len(turn_start), turn_start[np.minimum(following, len(turn_start) - 1)] - end, far)
    to_last = np.where(following > 0, start - turn_end[following - 1], far)
    return np.where(shared > 0, shared, -np.maximum(np.minimum(to_next, to_last), 0))


def _spoken(until: IntMs, turn_start: IntMs, turn_end: IntMs) -> IntMs:
    """Milliseconds of the spans that lie before ``until`` (n,)."""
    before = np.searchsorted(turn_start, until, side="right")
    whole = np.concatenate([[0], np.cumsum(turn_end - turn_start)])
    return np.asarray(whole[before] - np.where(before > 0, np.maximum(turn_end[before - 1] - until, 0), 0))
