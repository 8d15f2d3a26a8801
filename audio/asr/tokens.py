"""Words from the model's own text stream: nothing is recognised, the model said what it said."""

from __future__ import annotations

import re

import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from schemas.clock import array_to_ms, array_to_s, frames_to_ms

WORD_MARK = "\u2581"
SPECIAL = ("", "<s>", "</s>", "<pad>", "<unk>")
_BYTES = re.compile(r"(?:<0x[0-9A-Fa-f]{2}>)+")


class TokenWords(BaseModel):
    """How the pieces of a text stream become words on the log's clock."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    text_lead_ms: int = Field(0, ge=-10_000, le=10_000)
    """How far the log's text runs ahead of its audio. 0 for what moshi's `LMGen.step` returns: it holds the text back
    by the acoustic delay, and a word is trained to start in the frame that holds its onset. Text taken at sampling
    (`on_text_hook`) is one frame early: 80."""
    word_tail_ms: int = Field(400, ge=0)
    """A word sounds longer than its pieces take, one a frame: it may go on for this long after the last one, at most
    to the next word and to the end of its speech."""


def words_of_tokens(tokens: pl.DataFrame, activity: pl.DataFrame, rules: TokenWords) -> pl.DataFrame:
    """The model's words from rows of ``text_tokens`` and ``activity``: ``dialogue_id`` and the columns of ``HEARD``.

    A word starts with the frame of its first piece, so its onset lies within the 80 ms after that. Marks between words
    belong to the word before them. Dialogues whose stream has no pieces, or no words, have no rows.
    """
    pieces = (
        tokens.filter(pl.col("pieces").list.len() > 0)
        .select("dialogue_id", "frame_rate_hz", "pieces", "frames")
        .explode("pieces", "frames")
        .filter(~pl.col("pieces").is_in(SPECIAL))
    )
    pieces = pieces.with_columns(
        start_ms=pl.Series(frames_to_ms(pieces["frames"].to_numpy(), pieces["frame_rate_hz"].to_numpy())),
        end_ms=pl.Series(frames_to_ms(pieces["frames"].to_numpy() + 1, pieces["frame_rate_hz"].to_numpy())),
    )
    is_first = pl.col("dialogue_id").is_first_distinct() | pl.col("pieces").str.starts_with(WORD_MARK)
    words = (
        pieces.group_by(word=is_first.cum_sum(), maintain_order=True)
        .agg(
            pl.col("dialogue_id", "start_ms").first(),
            pl.col("end_ms").last(),
            pl.col("pieces").str.join("").alias("text"),
        )
        .with_columns(pl.col("text").str.replace_all(WORD_MARK, " ").str.strip_chars())
    )
    words = words.with_columns(_bytes_as_text(words["text"])).filter(pl.col("text") != "")
    has_letters = pl.col("text").str.contains(r"[\p{L}\p{N}]")
    is_first = pl.col("dialogue_id").is_first_distinct()
    words = words.group_by(word=(has_letters | is_first).cum_sum(), maintain_order=True).agg(
        pl.col("dialogue_id", "start_ms", "end_ms").first(), pl.col("text").str.join("")
    )
    words = words.with_columns((pl.col("start_ms", "end_ms") + rules.text_lead_ms).clip(lower_bound=0))
    next_ms = pl.col("start_ms").shift(-1).over("dialogue_id")
    words = words.with_columns(end_ms=pl.min_horizontal(pl.col("end_ms") + rules.word_tail_ms, next_ms))
    words = _within_speech(words, activity)
    return words.select(
        "dialogue_id",
        pl.lit("model").alias("channel"),
        "text",
        pl.Series("start_s", array_to_s(words["start_ms"].to_numpy())),
        pl.Series("end_s", array_to_s(words["end_ms"].to_numpy())),
        pl.lit("given").alias("timing_source"),
        pl.lit(None, dtype=pl.Float64).alias("confidence"),
    )


def _bytes_as_text(text: pl.Series) -> pl.Series:
    """What SentencePiece wrote byte by byte (``<0xE2><0x80>...``) as the characters it is."""
    spelled = text.str.contains("<0x", literal=True).arg_true()
    if spelled.is_empty():
        return text
    return text.clone().scatter(spelled, [_BYTES.sub(_decoded, word) for word in text.gather(spelled)])


def _decoded(match: re.Match[str]) -> str:
    return bytes.fromhex(match[0].replace("<0x", "").replace(">", "")).decode("utf-8", errors="replace")


def _within_speech(words: pl.DataFrame, activity: pl.DataFrame) -> pl.DataFrame:
    """Words that start in own speech end with it at the latest."""
    speech = (
        activity.filter(pl.col("channel") == "model", pl.col("speech").list.len() > 0)
        .select("dialogue_id", "speech")
        .explode("speech")
        .unnest("speech")
    )
    speech = speech.select(
        "dialogue_id",
        pl.Series("start_ms", array_to_ms(speech["start_s"].to_numpy())),
        pl.Series("speech_end_ms", array_to_ms(speech["end_s"].to_numpy())),
    )
    order = words.with_row_index("row").sort("start_ms")
    held = order.join_asof(
        speech.sort("start_ms"), on="start_ms", by="dialogue_id", strategy="backward", check_sortedness=False
    ).sort("row")
    inside = pl.col("speech_end_ms") > pl.col("start_ms")
    end_ms = pl.when(inside).then(pl.min_horizontal("end_ms", "speech_end_ms")).otherwise("end_ms")
    return held.with_columns(end_ms=end_ms).drop("row", "speech_end_ms")
