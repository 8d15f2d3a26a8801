"""Calibration: the judge's verdicts beside the labels of people, and the people beside each other."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from judges.agreement import ITEMS, SAMPLES, Agreement, compare, is_flagged
from schemas.clock import ms_expr, to_ms

NO_DIALOGUE = "the run has no verdicts of this dialogue"
NO_REPLY = "no judged reply there"
NO_AXIS = "not judged on this axis"
ELSEWHERE = "the turn of this number starts at another time: the turns are others now"
_ITEM = ("dialogue_id", "turn_index", "axis")


@dataclass(frozen=True)
class Unmatched:
    """A label that stands beside no verdict, and why."""

    row: int
    dialogue_id: str
    turn_index: int | None
    t_s: float | None
    axis: str
    why: str


@dataclass(frozen=True)
class Calibration:
    """What came of comparing labels with verdicts. Every label is in exactly one of the counts.

    ``labels`` = ``compared`` + ``open`` (the rater gave no score) + ``again`` (the same rater labelled the same reply
    and axis again; the last counts) + labels in ``unscored`` (axis to reason to labels whose reply the judge gave no
    score) + those in ``unmatched``. ``judge``: the judge against every rater, taking the rater for the truth;
    ``people``: raters against each other, empty where no reply has two.
    """

    labels: int
    raters: int
    compared: int
    open: int
    again: int
    unscored: dict[str, dict[str, int]]
    unmatched: list[Unmatched]
    judge: list[Agreement]
    people: list[Agreement]


def calibrate(
    labels: pl.DataFrame,
    verdicts: pl.DataFrame,
    *,
    max_score: int,
    tolerance_s: float = 0.5,
    samples: int = SAMPLES,
    seed: int = 0,
) -> Calibration:
    """Compare labels (columns of judges.labels.LABELS) with rows of ``verdicts``.

    ``max_score``: scores up to this are flagged, called problematic or not. ``tolerance_s``: how far a label's time may
    lie from the start of the reply it means.
    """
    matched = match(labels, verdicts, tolerance_s)
    strays = matched.filter(pl.col("why").is_not_null())
    there = matched.filter(pl.col("why").is_null())
    given = there.filter(pl.col("score").is_not_null())
    single = given.sort("row").unique((*_ITEM, "rater"), keep="last", maintain_order=True)
    flagged = single.with_columns(
        first=pl.col("judge_score"),
        second=pl.col("score"),
        first_flag=is_flagged("judge_score", "judge_problematic", max_score),
        second_flag=is_flagged("score", "problematic", max_score),
        group=pl.col("rater"),
    )
    scored = flagged.filter(pl.col("judge_score").is_not_null())
    return Calibration(
        labels=labels.height,
        raters=labels["rater"].n_unique(),
        compared=scored.height,
        open=there.height - given.height,
        again=given.height - single.height,
        unscored=unscored_counts(single.filter(pl.col("judge_score").is_null())),
        unmatched=[Unmatched(**row) for row in strays.select(*Unmatched.__dataclass_fields__).to_dicts()],
        judge=compare(scored.select(ITEMS.names()), samples=samples, seed=seed),
        people=compare(_people(flagged), samples=samples, seed=seed, symmetric=True),
    )


def match(labels: pl.DataFrame, verdicts: pl.DataFrame, tolerance_s: float) -> pl.DataFrame:
    """Labels with ``judge_score``, ``judge_problematic`` and ``unscored`` of the verdict they stand beside.

    ``turn_index`` is filled in from ``t_s``: the reply that starts nearest. A label with both must mean one reply.
    ``why`` says why there is no verdict.
    """
    replies = verdicts.select("dialogue_id", "turn_index", "t_s").unique()
    placed = pl.concat(
        [
            labels.filter(pl.col("turn_index").is_not_null()),
            _at_time(labels.filter(pl.col("turn_index").is_null()), replies, tolerance_s),
        ]
    ).sort("row")
    judged = verdicts.select(
        *_ITEM,
        pl.col("score").alias("judge_score"),
        pl.col("problematic").alias("judge_problematic"),
        "unscored",
        pl.lit(True).alias("found"),
    )
    known = replies.select("dialogue_id", "turn_index", ms_expr("t_s").alias("start_ms"))
    is_elsewhere = (ms_expr("t_s") - pl.col("start_ms")).abs() > to_ms(tolerance_s)
    why = (
        pl.when(is_elsewhere)
        .then(pl.lit(ELSEWHERE))
        .when(pl.col("found").is_not_null())
        .then(None)
        .when(~pl.col("dialogue_id").is_in(replies["dialogue_id"].unique().implode()))
        .then(pl.lit(NO_DIALOGUE))
        .when(pl.col("start_ms").is_null())
        .then(pl.lit(NO_REPLY))
        .otherwise(pl.lit(NO_AXIS))
    )
    return (
        placed.join(judged, on=_ITEM, how="left", maintain_order="left")
        .join(known, on=["dialogue_id", "turn_index"], how="left", maintain_order="left")
        .with_columns(why=why)
        .drop("found", "start_ms")
    )


def unscored_counts(rows: pl.DataFrame) -> dict[str, dict[str, int]]:
    """Rows by ``axis`` and reason (``unscored``), in order of their names."""
    counts: dict[str, dict[str, int]] = {}
    for axis, reason, count in rows.group_by("axis", "unscored").len().sort("axis", "unscored").iter_rows():
        counts.setdefault(axis, {})[reason] = count
    return counts


def _at_time(labels: pl.DataFrame, replies: pl.DataFrame, tolerance_s: float) -> pl.DataFrame:
    starts = replies.select("dialogue_id", ms_expr("t_s").alias("ms"), pl.col("turn_index").alias("nearest"))
    return (
        labels.with_columns(ms=ms_expr("t_s"))
        .sort("ms")
        .join_asof(
            starts.sort("ms"),
            on="ms",
            by="dialogue_id",
            strategy="nearest",
            tolerance=to_ms(tolerance_s),
            check_sortedness=False,
        )
        .with_columns(turn_index=pl.col("nearest"))
        .select(labels.columns)
    )


def _people(flagged: pl.DataFrame) -> pl.DataFrame:
    """Every two raters of the same reply and axis, as ITEMS."""
    one = flagged.select(*_ITEM, "rater", pl.col("second").alias("first"), pl.col("second_flag").alias("first_flag"))
    other = flagged.select(*_ITEM, "rater", "second", "second_flag")
    pairs = one.join(other, on=_ITEM).filter(pl.col("rater") < pl.col("rater_right"))
    return pairs.with_columns(group=pl.concat_str("rater", "rater_right", separator="\x1f")).select(ITEMS.names())
