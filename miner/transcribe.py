"""Stage ``transcribe``: the words of a log, held against the speech that was found on their own channel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import polars as pl
from pydantic import NonNegativeFloat

from audio.asr import HEARD, WordsError
from audio.asr.given import given_words
from audio.asr.tokens import TokenWords, words_of_tokens
from miner.ingest.tree import join
from schemas.activity import ACTIVITY
from schemas.clock import IntMs, array_to_ms, array_to_s, to_ms
from schemas.dialogues import DIALOGUES
from schemas.reasons import Reason
from schemas.text_tokens import TEXT_TOKENS
from schemas.words import WORDS
from store.stage import Batch, Quarantined, Stage, StageConfig, StageOutput

NO_OWN_SPEECH = "no_own_speech"
TEXT_STREAM = "text_stream"
"""What stands for the backend where the model's own text stream gave the words."""
EMPTY_TEXT = "empty_text"
APART_MS = 10**10
"""Distance put between two channels so that one search serves a whole batch: longer than any log."""


class TranscribeConfig(StageConfig):
    """Which words are taken and which are believed."""

    asr: Literal["given"] = "given"
    """Backend: `given` reads the words that came with the log."""
    speech_tolerance_s: NonNegativeFloat = 0.25
    """A word this close to own-channel speech belongs to it, seconds; one further away was not said there."""
    tokens: TokenWords = TokenWords()
    """Words from the model's own text stream."""


class Transcribe(Stage):
    """Writes the words of each channel; today those that came with the log.

    ``sources`` says where the source of each ``source_id`` lies now.
    """

    name = "transcribe"
    version = 2
    reads = (DIALOGUES, ACTIVITY)
    optional_reads = (TEXT_TOKENS,)
    writes = WORDS
    batch_size = 256

    config: TranscribeConfig

    def __init__(self, config: TranscribeConfig, *, sources: Mapping[str, str]) -> None:
        super().__init__(config)
        self.sources = dict(sources)

    def process(self, batch: Batch) -> StageOutput:
        """The words of every dialogue; a log without words has no rows, one whose words are broken is quarantined."""
        heard = [HEARD.to_frame().insert_column(0, pl.Series("dialogue_id", [], dtype=pl.String()))]
        quarantined: list[Quarantined] = []
        for row in batch[DIALOGUES].iter_rows(named=True):
            try:
                words = given_words(self._words_path(row))
            except WordsError as error:
                quarantined.append(Quarantined(row["dialogue_id"], Reason.BAD_WORDS_FILE, str(error)))
            else:
                heard.append(words.select(pl.lit(row["dialogue_id"]).alias("dialogue_id"), pl.all()))
        words = pl.concat(heard).with_columns(pl.lit(self.config.asr).alias("asr"))
        words = self._with_text_stream(words, batch)
        return StageOutput(hold_to_speech(words, batch[ACTIVITY], self.config.speech_tolerance_s), quarantined)

    def _with_text_stream(self, words: pl.DataFrame, batch: Batch) -> pl.DataFrame:
        """Where the model's own text stream has words, they are the words of its channel."""
        if TEXT_TOKENS.name not in batch.tables:
            return words
        said = words_of_tokens(batch[TEXT_TOKENS], batch[ACTIVITY], self.config.tokens)
        others = words.join(said, on=["dialogue_id", "channel"], how="anti", maintain_order="left")
        return pl.concat([others, said.with_columns(pl.lit(TEXT_STREAM).alias("asr"))])

    def _words_path(self, row: Mapping[str, Any]) -> str | None:
        return None if row["words_path"] is None else join(self.sources[row["source_id"]], row["words_path"])


def hold_to_speech(words: pl.DataFrame, activity: pl.DataFrame, tolerance_s: float) -> pl.DataFrame:
    """Words (``HEARD`` and dialogue_id) with their place on the channel, snapped to its speech or marked as dropped.

    A word belongs to the own-channel speech it overlaps most, else to the one at most ``tolerance_s`` away. It may not
    start before that speech; one that lies before it altogether is moved there whole. Recognisers start the first word
    after a silence seconds early, so its end is the better time.
    """
    words = words.sort("dialogue_id", "channel", "start_s", "end_s", maintain_order=True)
    groups = activity.select("dialogue_id", "channel").with_row_index("group")
    has_speech = activity.with_row_index("group").filter(pl.col("speech").list.len() > 0)
    speech = has_speech.select("group", "speech").explode("speech").unnest("speech")
    offset = speech["group"].to_numpy().astype(np.int64) * APART_MS
    order = words.join(groups, on=["dialogue_id", "channel"], how="left", maintain_order="left")["group"]
    # A channel without activity has no speech: its words lie a whole log away from anything.
    word_offset = order.fill_null(len(groups)).to_numpy().astype(np.int64) * APART_MS
    start_ms, end_ms, held = _snap(
        array_to_ms(words["start_s"].to_numpy()) + word_offset,
        array_to_ms(words["end_s"].to_numpy()) + word_offset,
        array_to_ms(speech["start_s"].to_numpy()) + offset,
        array_to_ms(speech["end_s"].to_numpy()) + offset,
        to_ms(tolerance_s),
    )
    moved = pl.Series(start_ms - word_offset != array_to_ms(words["start_s"].to_numpy()))
    dropped = pl.when(pl.col("text") == "").then(pl.lit(EMPTY_TEXT)).when(~pl.Series(held)).then(pl.lit(NO_OWN_SPEECH))
    held_words = words.with_columns(
        pl.Series("start_s", array_to_s(start_ms - word_offset)),
        pl.Series("end_s", array_to_s(end_ms - word_offset)),
        pl.when(moved).then(pl.lit("snapped")).otherwise("timing_source").alias("timing_source"),
        dropped.otherwise(None).alias("dropped"),
    )
    held_words = held_words.sort("dialogue_id", "channel", "start_s", "end_s", maintain_order=True)
    position = pl.int_range(pl.len(), dtype=pl.Int64).over("dialogue_id", "channel")
    return held_words.with_columns(position.alias("word_index"))


def _snap(
    start: IntMs, end: IntMs, speech_start: IntMs, speech_end: IntMs, tolerance: int
) -> tuple[IntMs, IntMs, np.ndarray[tuple[int], np.dtype[np.bool_]]]:
    """New starts and ends of words (n,), and whether any speech holds them. Speech (m,) is in order, apart."""
    if len(speech_start) == 0:
        return start, end, np.zeros(len(start), dtype=np.bool_)
    far = np.int64(2 * APART_MS)
    first = np.searchsorted(speech_end, start, side="right")

    def overlap(index: IntMs) -> IntMs:
        """Milliseconds shared with that speech; negative: the distance to it."""
        inside = np.clip(index, 0, len(speech_start) - 1)
        shared = np.minimum(end, speech_end[inside]) - np.maximum(start, speech_start[inside])
        return np.where(inside == index, shared, -far)

    candidates = np.stack([first - 1, first, first + 1])
    shared = np.stack([overlap(index) for index in candidates])
    best = np.argmax(shared, axis=0)
    which = np.take_along_axis(candidates, best[None], axis=0)[0].clip(0, len(speech_start) - 1)
    held = np.take_along_axis(shared, best[None], axis=0)[0] >= -tolerance
    new_start = np.where(held, np.maximum(start, speech_start[which]), start)
    before = held & (end <= speech_start[which])
    moved_end = np.minimum(new_start + end - start, speech_end[which])
    return new_start, np.where(before, moved_end, np.maximum(end, new_start)), held
