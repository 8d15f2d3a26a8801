"""Words held against the speech of their own channel: which speech each belongs to, and which lie in none."""

from __future__ import annotations

import numpy as np
import polars as pl

from audio.words.channels import APART_MS, Mask, Speech, in_order, on_axis
from schemas.clock import IntMs, array_to_s
from schemas.reasons import WordDoubt


def hold_to_speech(words: pl.DataFrame, speech: Speech, tolerance_ms: int) -> pl.DataFrame:
    """Numbered words in order, snapped to the speech of their channel or marked as dropped.

    A word belongs to the own-channel speech it overlaps most, else to the one at most ``tolerance_ms`` away. It may not
    start before that speech; one that lies before it altogether is moved there whole. Recognisers start the first word
    after a silence seconds early, so its end is the better time. A time that is a guess stays `interpolated`.
    """
    words = in_order(words)
    group = words["group"].to_numpy()
    was = on_axis(group, words["start_s"])
    start, end, held = _snap(was, on_axis(group, words["end_s"]), speech, tolerance_ms)
    snapped = pl.Series(start != was) & (words["timing_source"] != "interpolated")
    return in_order(
        words.with_columns(
            pl.Series("start_s", array_to_s(start - group * APART_MS)),
            pl.Series("end_s", array_to_s(end - group * APART_MS)),
            pl.when(snapped).then(pl.lit("snapped")).otherwise("timing_source").alias("timing_source"),
            pl.when(pl.col("text") == "")
            .then(pl.lit(WordDoubt.EMPTY_TEXT.value))
            .when(~pl.Series(held))
            .then(pl.lit(WordDoubt.NO_OWN_SPEECH.value))
            .alias("dropped"),
        )
    )


def _snap(start: IntMs, end: IntMs, speech: Speech, tolerance: int) -> tuple[IntMs, IntMs, Mask]:
    """New starts and ends of words (n,), and whether any speech holds them."""
    if not len(speech):
        return start, end, np.zeros(len(start), dtype=np.bool_)
    far = np.int64(2 * APART_MS)
    first = np.searchsorted(speech.end, start, side="right")

    def overlap(index: IntMs) -> IntMs:
        """Milliseconds shared with that speech; negative: the distance to it."""
        inside = np.clip(index, 0, len(speech) - 1)
        shared = np.minimum(end, speech.end[inside]) - np.maximum(start, speech.start[inside])
        return np.where(inside == index, shared, -far)

    candidates = np.stack([first - 1, first, first + 1])
    shared = np.stack([overlap(index) for index in candidates])
    best = np.argmax(shared, axis=0)
    which = np.take_along_axis(candidates, best[None], axis=0)[0].clip(0, len(speech) - 1)
    held = np.take_along_axis(shared, best[None], axis=0)[0] >= -tolerance
    new_start = np.where(held, np.maximum(start, speech.start[which]), start)
    before = held & (end <= speech.start[which])
    moved_end = np.minimum(new_start + end - start, speech.end[which])
    return new_start, np.where(before, moved_end, np.maximum(end, new_start)), held
