"""The judge's timing axes beside the detector, which reads the clock: where they agree, and where to look."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from judges.agreement import (
    SAMPLES,
    Cells,
    Estimate,
    cells,
    estimate,
    is_flagged,
    per_dialogue,
    precision,
    quadratic_kappa,
    recall,
    resampled,
)
from schemas.ids import unit_draw
from schemas.timing_events import Event
from schemas.verdicts import DOES_NOT_APPLY, Axis

JUDGE_ONLY = "judge"
DETECTOR_ONLY = "detector"


@dataclass(frozen=True)
class Disagreement:
    """A reply that only one of the two calls a fault (``flagged_by``: judge | detector)."""

    flagged_by: str
    dialogue_id: str
    turn_index: int
    t_s: float
    score: int
    subtype: str
    justification: str


@dataclass(frozen=True)
class TimingAgreement:
    """One timing axis. ``flags``: scored replies, the judge first and the detector second.

    ``unscored``: replies without a score. ``not_applicable``: scored -1; no flag. ``no_reply``: faults of the detector
    that fall on no judged reply. ``precision`` and ``recall`` are the judge's, taking the detector for the truth.
    """

    axis: str
    event: str
    n: int
    dialogues: int
    flags: Cells
    unscored: int
    not_applicable: int
    no_reply: int
    precision: Estimate
    recall: Estimate
    kappa: Estimate
    examples: list[Disagreement]


def timing_agreement(
    verdicts: pl.DataFrame,
    events: pl.DataFrame,
    *,
    max_score: int,
    examples: int = 5,
    samples: int = SAMPLES,
    seed: int = 0,
) -> list[TimingAgreement]:
    """Compare both timing axes, as far as they were judged. ``verdicts`` and ``events``: rows of the same dialogues.

    B stands at the model's intruding turn. C stands at the user's turn; it is put to the first reply that starts after
    it, which is the one that came late, came after another request, or left the request open.
    ``examples``: disagreements to give of each kind, drawn by their ids.
    """
    found = []
    for axis, event, place in (
        (Axis.INTERRUPTION, Event.MODEL_INTERRUPTS, _intruding),
        (Axis.UNRESPONSIVENESS, Event.MODEL_SILENT, _next_reply),
    ):
        own = verdicts.filter(pl.col("axis") == axis)
        if own.is_empty():
            continue
        placed = place(events.filter(pl.col("event") == event), own)
        at_reply = (
            placed.filter(pl.col("reply").is_not_null())
            .sort("dialogue_id", "t_s", "subtype")
            .unique(("dialogue_id", "reply"), keep="first", maintain_order=True)
            .select("dialogue_id", pl.col("reply").alias("turn_index"), "subtype")
        )
        judged = own.join(at_reply, on=["dialogue_id", "turn_index"], how="left").with_columns(
            judge=is_flagged("score", "problematic", max_score), detector=pl.col("subtype").is_not_null()
        )
        no_reply = int(placed["reply"].null_count())
        found.append(_one_axis(axis, event, judged, no_reply, examples, samples, seed))
    return found


def _one_axis(
    axis: Axis, event: Event, judged: pl.DataFrame, no_reply: int, examples: int, samples: int, seed: int
) -> TimingAgreement:
    scored = judged.filter(pl.col("score").is_not_null())
    cell = scored.select(pl.col("judge").cast(pl.Int64) * 2 + pl.col("detector").cast(pl.Int64)).to_series()
    counts = per_dialogue(scored["dialogue_id"], cell.to_numpy(), 4)
    table = counts.sum(0).reshape(2, 2)
    drawn = resampled(counts, samples, seed).reshape(-1, 2, 2) if len(counts) else np.empty((0, 2, 2))
    return TimingAgreement(
        axis=axis.value,
        event=event.value,
        n=scored.height,
        dialogues=len(counts),
        flags=cells(table),
        unscored=judged.height - scored.height,
        not_applicable=scored.filter(pl.col("score") == DOES_NOT_APPLY).height,
        no_reply=no_reply,
        precision=estimate(precision(table), precision(drawn), len(counts)),
        recall=estimate(recall(table), recall(drawn), len(counts)),
        kappa=estimate(quadratic_kappa(table), quadratic_kappa(drawn), len(counts)),
        examples=[
            *_examples(JUDGE_ONLY, scored.filter(pl.col("judge") & ~pl.col("detector")), examples, seed),
            *_examples(DETECTOR_ONLY, scored.filter(~pl.col("judge") & pl.col("detector")), examples, seed),
        ],
    )


def _examples(flagged_by: str, rows: pl.DataFrame, most: int, seed: int) -> list[Disagreement]:
    names = rows.select(pl.concat_str("dialogue_id", "turn_index", "axis", separator="\x1f")).to_series()
    draws = pl.Series([unit_draw(seed, name) for name in names], dtype=pl.Float64)
    drawn = rows.with_columns(draw=draws).bottom_k(most, by="draw").sort("dialogue_id", "t_s")
    wanted = ("dialogue_id", "turn_index", "t_s", "score", "subtype", "justification")
    shown = drawn.select(wanted).with_columns(pl.col("subtype", "justification").fill_null(""))
    return [Disagreement(flagged_by, **row) for row in shown.to_dicts()]


def _intruding(events: pl.DataFrame, replies: pl.DataFrame) -> pl.DataFrame:
    """Events with ``reply``: the turn at fault where it was judged, else null."""
    judged = replies.select("dialogue_id", "turn_index", pl.col("turn_index").alias("reply"))
    return events.join(judged, on=["dialogue_id", "turn_index"], how="left")


def _next_reply(events: pl.DataFrame, replies: pl.DataFrame) -> pl.DataFrame:
    """Events with ``reply``: the first judged turn that starts at their time or later, null where none does."""
    starts = replies.select("dialogue_id", "t_s", pl.col("turn_index").alias("reply"))
    return events.sort("t_s").join_asof(
        starts.sort("t_s"), on="t_s", by="dialogue_id", strategy="forward", check_sortedness=False
    )
