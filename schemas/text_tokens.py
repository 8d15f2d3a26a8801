"""Table ``text_tokens``: the model's own text stream, token for token, where a log has it."""

from __future__ import annotations

import polars as pl

from schemas.table import Column, Table

_KNOWN = pl.col("tokens").is_not_null()
_NAMED = pl.col("pieces").is_not_null()

TEXT_TOKENS = Table(
    name="text_tokens",
    doc="One row per dialogue whose log has the model's text stream: the exact tokens, and the pieces they stand for.",
    writer="tokens",
    key=(),
    columns=(
        Column("dialogue_id", pl.String(), "Dialogue"),
        Column("frame_rate_hz", pl.Float64(), "Frames a second; Moshi: 12.5"),
        Column("n_frames", pl.Int64(), "Length of the stream in frames"),
        Column(
            "is_dense",
            pl.Boolean(),
            "The log gave the id of every frame: `tokens` is the stream as it was; false: frames it did not name are PAD",
        ),
        Column(
            "tokens",
            pl.List(pl.Int32()),
            "Token of every frame: PAD 3, EPAD 0, -1 where the model had none; null when only pieces are known",
            nullable=True,
        ),
        Column("frames", pl.List(pl.Int32()), "Frames that hold neither PAD nor EPAD, in order"),
        Column(
            "pieces",
            pl.List(pl.String()),
            "SentencePiece pieces at `frames`, \u2581 starts a word; null when ids came without a tokenizer",
            nullable=True,
        ),
        Column(
            "tokenizer_hash",
            pl.String(),
            "xxh3 (64 bits) of the SentencePiece model that turned ids into pieces or back; null where none was needed",
            nullable=True,
        ),
    ),
    checks={
        "frame_rate_hz > 0": pl.col("frame_rate_hz") > 0,
        "tokens or pieces are known": _KNOWN | _NAMED,
        "a token for every frame": ~_KNOWN | (pl.col("tokens").list.len() == pl.col("n_frames")),
        "a frame for every piece": ~_NAMED | (pl.col("pieces").list.len() == pl.col("frames").list.len()),
        "frames are in order": (pl.col("frames").list.diff().list.min() > 0).fill_null(True),
        "frames lie in the stream": (
            (pl.col("frames").list.min() >= 0) & (pl.col("frames").list.max() < pl.col("n_frames"))
        ).fill_null(True),
    },
)
