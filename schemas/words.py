"""Table ``words``: what was said, word by word, and where each time comes from."""

from __future__ import annotations

import polars as pl

from schemas.reasons import WordDoubt
from schemas.table import SECONDS, Column, Table

TIMING_SOURCES = ("given", "asr", "aligned", "snapped", "interpolated", "planned", "tts")

WORDS = Table(
    name="words",
    doc="One row per word. A word that was heard but not believed stays, with the reason in `dropped`.",
    writer="transcribe",
    key=("channel", "word_index"),
    columns=(
        Column("dialogue_id", pl.String(), "Dialogue"),
        Column("channel", pl.String(), "model | user"),
        Column("word_index", pl.Int64(), "Position on its channel, from 0, dropped words counted"),
        Column("text", pl.String(), "The word as written, punctuation attached"),
        Column("start_s", SECONDS, "Start"),
        Column("end_s", SECONDS, "End"),
        Column("timing_source", pl.String(), "given | asr | aligned | snapped | interpolated | planned | tts"),
        Column("confidence", pl.Float64(), "The recogniser's probability, 0..1, when it gives one", nullable=True),
        Column(
            "dropped",
            pl.String(),
            "Why the word is not used (schemas/reasons.py, `WordDoubt`); null for a good word",
            nullable=True,
        ),
        Column(
            "redacted",
            pl.String(),
            "What personal data stood here (name | phone | email | card); `text` is then a placeholder",
            nullable=True,
        ),
        Column(
            "speaker",
            pl.String(),
            "Which person on the channel: S1, S2, ... as they first speak; null unless diarised",
            nullable=True,
        ),
        Column("asr", pl.String(), "Who heard it: given | pocketsphinx | faster-whisper:small | ...", lineage=True),
    ),
    checks={
        "start_s <= end_s": pl.col("start_s") <= pl.col("end_s"),
        "timing_source is known": pl.col("timing_source").is_in(TIMING_SOURCES),
        "dropped is known": pl.col("dropped").is_null() | pl.col("dropped").is_in([doubt.value for doubt in WordDoubt]),
    },
)
