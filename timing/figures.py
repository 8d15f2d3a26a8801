"""Figures of turn taking per dialogue, as the table ``figures`` has them: what adds up over any set of dialogues.

Pauses, gaps and overlaps are those of Heldner & Edlund 2010 and come from the ledger; a pause belongs to the side that
goes on, a gap to the side that ends it, an overlap to the side that came second.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from schemas.clock import array_to_ms, ms_expr
from schemas.figures import BETWEEN, FIGURES, SIDES
from schemas.timing_events import Event
from timing.batch import CHANNELS, number
from timing.intervals import Spans, intersection, union

FAULTS = {
    "cut_ins": (Event.MODEL_INTERRUPTS, "cut_in"),
    "pause_takeovers": (Event.MODEL_INTERRUPTS, "pause_takeover"),
    "cut_offs": (Event.MODEL_INTERRUPTS, "cut_off"),
    "no_responses": (Event.MODEL_SILENT, "no_response"),
    "late_answers": (Event.MODEL_SILENT, "late"),
}


def dialogue_figures(
    activity: pl.DataFrame, turns: pl.DataFrame, events: pl.DataFrame, dialogue_ids: Sequence[str]
) -> pl.DataFrame:
    """Rows of the table ``figures`` for all dialogues of a batch, from rows of the three tables named."""
    lengths = activity.group_by("dialogue_id").agg(ms_expr("duration_s").max().alias("duration_s"))
    parts = [_turns(turns), _speech(turns, dialogue_ids), _between(events, turns), _faults(events)]
    rows = pl.DataFrame({"dialogue_id": dialogue_ids}, schema={"dialogue_id": pl.String}).join(
        lengths, on="dialogue_id", how="left", maintain_order="left"
    )
    for part in parts:
        rows = rows.join(part, on="dialogue_id", how="left", maintain_order="left")
    may_be_null = [column.name for column in FIGURES.columns if column.nullable]
    rows = rows.with_columns(pl.all().exclude("dialogue_id", *may_be_null).fill_null(0))
    alone = pl.col("model_speech_s") + pl.col("user_speech_s") - pl.col("both_speech_s")
    rows = rows.with_columns((pl.col("duration_s") - alone).alias("silence_s"))
    seconds = [column.name for column in FIGURES.columns if column.name.endswith("_s")]
    return rows.with_columns(pl.col(seconds) / 1000).select(FIGURES.schema.names())


def _turns(turns: pl.DataFrame) -> pl.DataFrame:
    """Turns, floor turns, words and floor transfers of each side."""
    found = []
    for side in SIDES:
        own = pl.col("channel") == side
        fto = pl.col("fto_s").filter(own)
        words = pl.col("n_words").filter(own)
        found += [
            (own & (pl.col("kind") == "utterance")).sum().cast(pl.Int64).alias(f"{side}_utterances"),
            pl.col("floor_turn").filter(own).drop_nulls().n_unique().cast(pl.Int64).alias(f"{side}_floor_turns"),
            (own & (pl.col("kind") == "backchannel")).sum().cast(pl.Int64).alias(f"{side}_backchannels"),
            pl.when(words.count() > 0).then(words.sum()).alias(f"{side}_words"),
            (fto >= 0).sum().cast(pl.Int64).alias(f"{side}_transfers_after_gap"),
            (fto < 0).sum().cast(pl.Int64).alias(f"{side}_transfers_in_overlap"),
        ]
    return turns.group_by("dialogue_id").agg(found)


def _speech(turns: pl.DataFrame, dialogue_ids: Sequence[str]) -> pl.DataFrame:
    """Time each side speaks and time both do, in ms, one row per dialogue."""
    n = len(dialogue_ids)
    ipus = number(turns, dialogue_ids).select("dialogue", "channel", "ipus").explode("ipus").unnest("ipus")
    sides = [_spans(ipus.filter(pl.col("channel") == channel)) for channel in CHANNELS]
    both = intersection(*sides)[0]
    totals = {f"{channel}_speech_s": side for channel, side in zip(CHANNELS, sides, strict=True)}
    totals["both_speech_s"] = both
    return pl.DataFrame(
        {"dialogue_id": pl.Series(dialogue_ids, dtype=pl.String)}
        | {
            name: np.bincount(spans.group, weights=spans.length, minlength=n).astype(np.int64)
            for name, spans in totals.items()
        }
    )


def _spans(ipus: pl.DataFrame) -> Spans:
    start, end = array_to_ms(ipus["start_s"].to_numpy()), array_to_ms(ipus["end_s"].to_numpy())
    return union(ipus["dialogue"].to_numpy().astype(np.int64), start, end)[0]


def _between(events: pl.DataFrame, turns: pl.DataFrame) -> pl.DataFrame:
    """Pauses, gaps and overlaps of each side: how many, and how long in ms."""
    rows = events.filter(pl.col("event").is_in([event.value for event in BETWEEN])).select(
        "dialogue_id",
        "event",
        pl.col("other_turn_index").alias("turn_index"),
        (ms_expr("end_s") - ms_expr("t_s")).alias("length"),
    )
    # Of all four the second turn decides whose it is: who goes on, who takes over, who came in.
    rows = rows.join(turns.select("dialogue_id", "turn_index", "channel"), on=["dialogue_id", "turn_index"], how="left")
    found = []
    for side in SIDES:
        for event, (count, total) in BETWEEN.items():
            length = pl.col("length").filter((pl.col("channel") == side) & (pl.col("event") == event.value))
            found.append(length.len().cast(pl.Int64).alias(f"{side}_{count}"))
            found.append(length.sum().alias(f"{side}_{total}"))
    return rows.group_by("dialogue_id").agg(found)


def _faults(events: pl.DataFrame) -> pl.DataFrame:
    """Faults by subtype, slow answers and barge-ins."""

    def count(which: pl.Expr, name: str) -> pl.Expr:
        return which.sum().cast(pl.Int64).alias(name)

    faults = [
        count((pl.col("event") == event.value) & (pl.col("subtype") == subtype), name)
        for name, (event, subtype) in FAULTS.items()
    ]
    barge_in = pl.col("event") == Event.BARGE_IN.value
    return events.group_by("dialogue_id").agg(
        *faults,
        count(pl.col("event") == Event.SLOW_ANSWER.value, "slow_answers"),
        count(barge_in, "barge_ins"),
        (ms_expr("end_s") - ms_expr("t_s")).filter(barge_in).sum().alias("barge_in_yield_s"),
        count(pl.col("event") == Event.BARGE_IN_IGNORED.value, "ignored_barge_ins"),
    )
