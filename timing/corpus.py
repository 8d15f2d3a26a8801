"""Corpus figures: what the figures of many dialogues come to, beside those of people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from schemas.figures import BETWEEN, SIDES

LONG_FTO_S = 2.0
"""Offsets above this are counted as a share of their own; people have 0.35 % of them (SWB)."""

FTO_QUANTILES = (5, 25, 50, 75, 95)
YIELD_QUANTILES = (50, 95)

PEOPLE = {"fto_p5_s": -0.64, "fto_p50_s": 0.105, "fto_p95_s": 0.82, "fto_over_2s_share": 0.0035}
"""The same figures of people on the telephone (SWB: measured on the word times of Switchboard)."""


@dataclass(frozen=True)
class Figure:
    """A corpus figure: its name, what it is, and whether each side has one or only the model."""

    name: str
    doc: str
    both_sides: bool = True


def _figures() -> Iterator[Figure]:
    yield Figure("fto_n", "floor transfers to this side: how many offsets there are")
    for p in FTO_QUANTILES:
        yield Figure(f"fto_p{p}_s", f"floor transfer offset, {'median' if p == 50 else f'{p} % quantile'}")
    yield Figure("fto_negative_share", "share of its floor transfers that overlap the other side")
    yield Figure("fto_over_2s_share", "share of its floor transfers later than 2 s")
    for event, meaning in zip(
        BETWEEN, ("pauses", "gaps", "overlaps between turns", "overlaps within turns"), strict=True
    ):
        count, length = BETWEEN[event]
        yield Figure(f"{count}_per_min", f"{meaning} per minute of log")
        yield Figure(f"{length.removesuffix('_s')}_mean_s", f"mean length of its {meaning}")
    yield Figure("backchannels_per_min", "backchannels per minute of log")
    yield Figure("speech_share", "share of the log's time in which it speaks")
    yield Figure("talk_share", "its share of both sides' speech")
    yield Figure("words_per_min", "words per minute of own speech, where its words are known")
    yield Figure("interruptions_per_user_turn", "faults B per user utterance", both_sides=False)
    yield Figure("no_response_per_user_turn", "faults C no_response per user utterance", both_sides=False)
    yield Figure("late_per_user_turn", "faults C late per user utterance", both_sides=False)
    yield Figure("barge_ins_per_min", "user barge-ins on the running model per minute of log", both_sides=False)
    for p in YIELD_QUANTILES:
        yield Figure(f"yield_p{p}_s", f"time until the model falls silent after a barge-in, {p} %", both_sides=False)
    yield Figure("ignored_barge_in_share", "share of barge-ins that the model talks past (D1)", both_sides=False)


CORPUS_FIGURES = tuple(_figures())


def corpus_figures(figures: pl.DataFrame, transfers: pl.DataFrame, yields: pl.DataFrame) -> pl.DataFrame:
    """One row per group of dialogues.

    ``figures``: rows of that table and a column ``group``. ``transfers``: columns ``group, channel, fto_s``, a row per
    floor transfer. ``yields``: columns ``group, yield_s``, a row per barge-in. The result has the columns ``group,
    dialogues, minutes`` and, for every figure, ``SIDE_NAME``; null where there is nothing to tell it from. Negative
    offsets are as they are.
    """
    totals = figures.group_by("group").agg(
        pl.len().alias("dialogues"),
        pl.exclude("dialogue_id", "group").sum(),
        *(
            pl.col(f"{side}_speech_s").filter(pl.col(f"{side}_words").is_not_null()).sum().alias(f"{side}_worded_s")
            for side in SIDES
        ),
    )
    rows = totals
    for side in SIDES:
        rows = rows.join(_offsets(transfers.filter(pl.col("channel") == side), side), on="group", how="left")
    rows = rows.join(
        yields.group_by("group").agg(
            pl.col("yield_s").quantile(p / 100, "linear").alias(f"model_yield_p{p}_s") for p in YIELD_QUANTILES
        ),
        on="group",
        how="left",
    )
    rows = rows.with_columns((pl.col("duration_s") / 60).alias("minutes"))
    rows = rows.with_columns(
        *(expression for side in SIDES for expression in _of_side(side)),
        _share(pl.sum_horizontal("cut_ins", "pause_takeovers", "cut_offs"), "user_utterances").alias(
            "model_interruptions_per_user_turn"
        ),
        _share(pl.col("no_responses"), "user_utterances").alias("model_no_response_per_user_turn"),
        _share(pl.col("late_answers"), "user_utterances").alias("model_late_per_user_turn"),
        _share(pl.col("barge_ins"), "minutes").alias("model_barge_ins_per_min"),
        _share(pl.col("ignored_barge_ins"), "barge_ins").alias("model_ignored_barge_in_share"),
    )
    names = [f"{side}_{f.name}" for f in CORPUS_FIGURES for side in (SIDES if f.both_sides else SIDES[:1])]
    return rows.select("group", "dialogues", "minutes", *names).sort("group")


def _offsets(own: pl.DataFrame, side: str) -> pl.DataFrame:
    fto = pl.col("fto_s")
    return own.group_by("group").agg(
        fto.count().alias(f"{side}_fto_n"),
        *(fto.quantile(p / 100, "linear").alias(f"{side}_fto_p{p}_s") for p in FTO_QUANTILES),
        (fto < 0).mean().alias(f"{side}_fto_negative_share"),
        (fto > LONG_FTO_S).mean().alias(f"{side}_fto_over_2s_share"),
    )


def _of_side(side: str) -> Iterator[pl.Expr]:
    for count, length in BETWEEN.values():
        yield _share(pl.col(f"{side}_{count}"), "minutes").alias(f"{side}_{count}_per_min")
        mean = _share(pl.col(f"{side}_{length}"), f"{side}_{count}")
        yield mean.alias(f"{side}_{length.removesuffix('_s')}_mean_s")
    yield _share(pl.col(f"{side}_backchannels"), "minutes").alias(f"{side}_backchannels_per_min")
    yield _share(pl.col(f"{side}_speech_s"), "duration_s").alias(f"{side}_speech_share")
    talk = pl.sum_horizontal(f"{one}_speech_s" for one in SIDES)
    yield pl.when(talk > 0).then(pl.col(f"{side}_speech_s") / talk).alias(f"{side}_talk_share")
    yield _share(pl.col(f"{side}_words") * 60, f"{side}_worded_s").alias(f"{side}_words_per_min")


def _share(part: pl.Expr, whole: str) -> pl.Expr:
    """``part / whole``, null where there is nothing to divide by."""
    return pl.when(pl.col(whole) > 0).then(part / pl.col(whole))
