"""Stage ``transcribe``: the words of a log, held against the speech that was found on their own channel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import polars as pl

from audio.asr import HEARD, WordsError
from audio.asr.given import given_words
from audio.asr.tokens import TokenWords, words_of_tokens
from audio.words.config import WordsConfig
from audio.words.doubt import doubt
from audio.words.mend import mend
from miner.ingest.tree import join
from miner.redact import RedactConfig, redact
from schemas.activity import ACTIVITY
from schemas.dialogues import DIALOGUES
from schemas.reasons import Reason
from schemas.text_tokens import TEXT_TOKENS
from schemas.words import WORDS
from store.stage import Batch, Quarantined, Stage, StageConfig, StageOutput

TEXT_STREAM = "text_stream"
"""What stands for the backend where the model's own text stream gave the words."""


class TranscribeConfig(StageConfig):
    """Which words are taken and which are believed."""

    asr: Literal["given"] = "given"
    """Backend: `given` reads the words that came with the log."""
    words: WordsConfig = WordsConfig()
    """How words are placed on their channel's speech, and which are believed."""
    tokens: TokenWords = TokenWords()
    """Words from the model's own text stream."""
    redact: RedactConfig = RedactConfig()
    """Personal data taken out of the words before they are stored."""


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
        mended = mend(words, batch[ACTIVITY], batch[DIALOGUES], self.config.words.mend)
        rows = doubt(mended, batch[ACTIVITY], batch[DIALOGUES], self.config.words)
        if self.config.redact.enabled:
            rows, without_rules = redact(rows, batch[DIALOGUES], self.config.redact)
            quarantined += without_rules
        return StageOutput(rows, quarantined)

    def _with_text_stream(self, words: pl.DataFrame, batch: Batch) -> pl.DataFrame:
        """Where the model's own text stream has words, they are the words of its channel."""
        if TEXT_TOKENS.name not in batch.tables:
            return words
        said = words_of_tokens(batch[TEXT_TOKENS], batch[ACTIVITY], self.config.tokens)
        others = words.join(said, on=["dialogue_id", "channel"], how="anti", maintain_order="left")
        return pl.concat([others, said.with_columns(pl.lit(TEXT_STREAM).alias("asr"))])

    def _words_path(self, row: Mapping[str, Any]) -> str | None:
        return None if row["words_path"] is None else join(self.sources[row["source_id"]], row["words_path"])
