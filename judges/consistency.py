"""Consistency: the judge beside itself, in two runs over the same replies."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from judges.agreement import ITEMS, SAMPLES, Agreement, compare, is_flagged

_REPLY = ("dialogue_id", "turn_index", "t_s", "axis")


@dataclass(frozen=True)
class Consistency:
    """Two runs' verdicts. Every row of either run is in one of the counts.

    ``only_first``, ``only_second``: rows of replies or axes the other run does not have; the others stand in both:
    ``compared``, or unscored in one or in both. ``agreement``: precision and recall take the second run for the truth.
    """

    compared: int
    only_first: int
    only_second: int
    unscored_first: int
    unscored_second: int
    unscored_both: int
    agreement: list[Agreement]


def consistency(
    first: pl.DataFrame, second: pl.DataFrame, *, max_score: int, samples: int = SAMPLES, seed: int = 0
) -> Consistency:
    """Compare rows of ``verdicts`` of two runs. ``max_score``: as for flags."""
    columns = (*_REPLY, "score", "problematic")
    both = first.select(columns).join(second.select(columns), on=_REPLY)
    left, right = pl.col("score").is_null(), pl.col("score_right").is_null()
    scored = both.filter(~left & ~right)
    items = scored.select(
        "dialogue_id",
        "axis",
        pl.lit("").alias("group"),
        pl.col("score").alias("first"),
        pl.col("score_right").alias("second"),
        is_flagged("score", "problematic", max_score).alias("first_flag"),
        is_flagged("score_right", "problematic_right", max_score).alias("second_flag"),
    ).select(ITEMS.names())
    return Consistency(
        compared=scored.height,
        only_first=first.height - both.height,
        only_second=second.height - both.height,
        unscored_first=both.filter(left & ~right).height,
        unscored_second=both.filter(right & ~left).height,
        unscored_both=both.filter(left & right).height,
        agreement=compare(items, samples=samples, seed=seed),
    )
