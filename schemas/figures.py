"""Table ``figures``: how the two sides of a dialogue take turns, in counts and seconds that add up over dialogues."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from schemas.table import SECONDS, Column, Table
from schemas.timing_events import Event

SIDES = ("model", "user")

BETWEEN = {
    Event.PAUSE: ("pauses", "pause_s"),
    Event.GAP: ("gaps", "gap_s"),
    Event.OVERLAP_BETWEEN: ("overlaps_between", "overlap_between_s"),
    Event.OVERLAP_WITHIN: ("overlaps_within", "overlap_within_s"),
}
"""Silences and overlaps of the ledger, and the names of their number and of their total length, after the side's."""


def _of_side(side: str) -> Iterator[Column]:
    other = "user" if side == "model" else "model"
    yield Column(f"{side}_speech_s", SECONDS, f"Time the {side} speaks: IPUs of its utterances and backchannels")
    yield Column(f"{side}_utterances", pl.Int64(), f"Utterances of the {side}")
    yield Column(f"{side}_floor_turns", pl.Int64(), f"Floor turns of the {side}")
    yield Column(f"{side}_backchannels", pl.Int64(), f"Backchannels of the {side}")
    yield Column(f"{side}_words", pl.Int64(), f"Words of the {side}; null when it has none at all", nullable=True)
    yield Column(f"{side}_transfers_after_gap", pl.Int64(), f"Times the {side} took the floor with an FTO of 0 or more")
    yield Column(f"{side}_transfers_in_overlap", pl.Int64(), f"Times the {side} took the floor with a negative FTO")
    meanings = {
        Event.PAUSE: f"silences after which the {side} goes on itself",
        Event.GAP: f"silences that the {side} ends after the {other} spoke",
        Event.OVERLAP_BETWEEN: f"overlaps in which the {side} came second and outlasted the {other}",
        Event.OVERLAP_WITHIN: f"overlaps in which the {side} came second and the {other} kept the floor",
    }
    for event, meaning in meanings.items():
        count, length = BETWEEN[event]
        yield Column(f"{side}_{count}", pl.Int64(), f"Number of {meaning}")
        yield Column(f"{side}_{length}", SECONDS, f"Total length of {meaning}")


FIGURES = Table(
    name="figures",
    doc="One row per dialogue: counts and seconds of turn taking. All of them add up; offsets (FTO) are in `turns`.",
    writer="figures",
    key=(),
    columns=(
        Column("dialogue_id", pl.String(), "Dialogue"),
        Column("duration_s", SECONDS, "Length of the log"),
        Column("both_speech_s", SECONDS, "Time both sides speak at once"),
        Column("silence_s", SECONDS, "Time neither side speaks, before the first and after the last word included"),
        *(column for side in SIDES for column in _of_side(side)),
        Column("cut_ins", pl.Int64(), "Faults B cut_in"),
        Column("pause_takeovers", pl.Int64(), "Faults B pause_takeover"),
        Column("cut_offs", pl.Int64(), "Faults B cut_off"),
        Column("no_responses", pl.Int64(), "Faults C no_response"),
        Column("late_answers", pl.Int64(), "Faults C late"),
        Column("slow_answers", pl.Int64(), "Events slow_answer"),
        Column("barge_ins", pl.Int64(), "Events barge_in: the user starts on the running model"),
        Column("barge_in_yield_s", SECONDS, "Total time from those starts until the model fell silent"),
        Column("ignored_barge_ins", pl.Int64(), "Events D1: barge-ins that the model talked past"),
    ),
    checks={
        "no count and no length is negative": pl.all_horizontal(pl.selectors.numeric() >= 0),
        "nobody speaks longer than the log": pl.all_horizontal(
            pl.col(f"{side}_speech_s") <= pl.col("duration_s") for side in SIDES
        ),
    },
)
