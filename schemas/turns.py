"""Table ``turns``: utterances and backchannels of both sides, in order of their starts."""

from __future__ import annotations

import polars as pl

from schemas.table import SECONDS, SPAN, Column, Table, ordered_spans

TURNS = Table(
    name="turns",
    doc="One row per utterance or backchannel. Floor turns are utterances with the same `floor_turn`.",
    writer="turns",
    key=("turn_index",),
    columns=(
        Column("dialogue_id", pl.String(), "Dialogue"),
        Column("turn_index", pl.Int64(), "Position in the dialogue, both sides counted, from 0, by start"),
        Column("channel", pl.String(), "model | user"),
        Column("kind", pl.String(), "utterance | backchannel"),
        Column("start_s", SECONDS, "Start of its first IPU"),
        Column("end_s", SECONDS, "End of its last IPU"),
        Column("ipus", pl.List(SPAN), "Inter-pausal units: own speech with gaps below 200 ms bridged"),
        Column("text", pl.String(), "Its words, when the channel has words", nullable=True),
        Column("n_words", pl.Int64(), "Number of words; null when the channel has none at all", nullable=True),
        Column("floor_turn", pl.Int64(), "Floor turn it belongs to, from 0; null for a backchannel", nullable=True),
        Column(
            "fto_s",
            SECONDS,
            "Floor transfer offset: start minus the other side's last end, on the first utterance of a floor turn after a change of speaker; negative in overlap",
            nullable=True,
        ),
        Column("is_question", pl.Boolean(), "Its words ask something; null without words or a lexicon", nullable=True),
        Column("is_closing", pl.Boolean(), "Its words say goodbye; null without words or a lexicon", nullable=True),
        Column("is_complete", pl.Boolean(), "Its words end a sentence; null when words cannot tell", nullable=True),
        Column(
            "lexicon",
            pl.String(),
            "Language whose lexicon read the dialogue's words; null when its language has none and words told nothing",
            nullable=True,
        ),
    ),
    checks={
        "channel is model or user": pl.col("channel").is_in(["model", "user"]),
        "kind is utterance or backchannel": pl.col("kind").is_in(["utterance", "backchannel"]),
        "start_s < end_s": pl.col("start_s") < pl.col("end_s"),
        "ipus are ordered": ordered_spans("ipus"),
    },
)
