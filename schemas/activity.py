"""Table ``activity``: when each channel carries its own speaker's voice."""

from __future__ import annotations

import polars as pl

from schemas.table import SECONDS, Column, Table, ordered_spans

SEGMENT = pl.Struct({"start_s": pl.Float64(), "end_s": pl.Float64(), "level_db": pl.Float64()})

ACTIVITY = Table(
    name="activity",
    doc="Two rows per dialogue, one per channel: own speech, the other side's leak, and levels.",
    writer="listen",
    key=("channel",),
    columns=(
        Column("dialogue_id", pl.String(), "Dialogue"),
        Column("channel", pl.String(), "model | user"),
        Column("duration_s", SECONDS, "Length of the log"),
        Column(
            "speech", pl.List(SEGMENT), "Own speech: start_s, end_s (exact to 10 ms) and RMS level_db (dBFS), in order"
        ),
        Column("leak", pl.List(SEGMENT), "Heard on this channel, but the other side's voice: taken out of `speech`"),
        Column("level_db", pl.Float64(), "RMS over own speech, dBFS; null without speech", nullable=True),
        Column(
            "noise_db",
            pl.Float64(),
            "RMS outside all speech, dBFS; null where the log has no such place",
            nullable=True,
        ),
        Column(
            "leak_db",
            pl.Float64(),
            "User channel: level of the model's voice in it relative to the model channel, dB; null if none was measured",
            nullable=True,
        ),
        Column("leak_delay_ms", pl.Float64(), "User channel: delay of that leak, ms", nullable=True),
        Column("vad", pl.String(), "VAD backend", lineage=True),
    ),
    checks={
        "channel is model or user": pl.col("channel").is_in(["model", "user"]),
        "speech is ordered": ordered_spans("speech"),
        "leak is ordered": ordered_spans("leak"),
    },
)
