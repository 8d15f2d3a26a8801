"""Table ``dialogues``: one row per log that was taken in."""

from __future__ import annotations

import polars as pl

from schemas.table import SECONDS, Column, Table

DIALOGUES = Table(
    name="dialogues",
    doc="One row per two-channel log: where its audio lies, what the header says and what is known about it.",
    writer="ingest",
    key=(),
    columns=(
        Column("dialogue_id", pl.String(), "The manifest's `id`, else the path under the source folder, no suffix"),
        Column("source_id", pl.String(), "Name of the source it came from; its folder is kept in the store's sources"),
        Column("source_kind", pl.String(), "folder | manifest | moshi_finetune | full_duplex_bench"),
        Column("model_path", pl.String(), "File with the model's channel, relative to the source folder"),
        Column("model_channel", pl.Int64(), "Index of the model's channel in that file"),
        Column("user_path", pl.String(), "File with the user's channel, relative to the source folder"),
        Column("user_channel", pl.Int64(), "Index of the user's channel in that file"),
        Column("words_path", pl.String(), "Words that came with the log, relative to the source folder", nullable=True),
        Column("words_hash", pl.String(), "xxh3 (64 bits) of the words' bytes; null without words", nullable=True),
        Column("tokens_path", pl.String(), "The model's text stream, relative to the source folder", nullable=True),
        Column("tokens_hash", pl.String(), "xxh3 (64 bits) of its bytes; null without one", nullable=True),
        Column("audio_hash", pl.String(), "xxh3 (64 bits) of the audio file's bytes (both files' when there are two)"),
        Column("sample_rate_hz", pl.Int64(), "Sample rate of the model's file"),
        Column("duration_s", SECONDS, "Length of the log; the shorter of two channel files is taken to end in silence"),
        Column("model_level_db", pl.Float64(), "RMS of the whole model channel, dBFS"),
        Column("user_level_db", pl.Float64(), "RMS of the whole user channel, dBFS"),
        Column("channel_correlation", pl.Float64(), "Correlation of the two channels at zero lag, -1..1"),
        Column("warnings", pl.List(pl.String()), "What is odd about it (schemas/reasons.py, `Warn`)"),
        Column("model_id", pl.String(), "Model that spoke, when known", nullable=True),
        Column("model_checkpoint", pl.String(), "Its checkpoint or revision", nullable=True),
        Column("voice", pl.String(), "Voice or speaker the model used", nullable=True),
        Column("language", pl.String(), "BCP-47 language tag", nullable=True),
        Column("persona", pl.String(), "Persona or system prompt of the model", nullable=True),
        Column("user_id", pl.String(), "Pseudonymous id of the user", nullable=True),
        Column("started_at", pl.String(), "Start time, ISO 8601", nullable=True),
        Column("metadata", pl.String(), "Everything else the manifest said, as JSON", nullable=True),
    ),
    checks={
        "duration_s > 0": pl.col("duration_s") > 0,
        "channels differ": (pl.col("model_path") != pl.col("user_path"))
        | (pl.col("model_channel") != pl.col("user_channel")),
    },
)
