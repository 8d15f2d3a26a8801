"""Stage ``transcribe``: the words of a log, held against the speech that was found on their own channel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import polars as pl

from audio.asr import HEARD, WordsError
from audio.asr.given import given_words
from audio.words.config import WordsConfig
from audio.words.doubt import doubt
from audio.words.mend import mend
from miner.ingest.tree import join
from schemas.activity import ACTIVITY
from schemas.dialogues import DIALOGUES
from schemas.reasons import Reason
from schemas.words import WORDS
from store.stage import Batch, Quarantined, Stage, StageConfig, StageOutput


class TranscribeConfig(StageConfig):
    """Which words are taken and which are believed."""

    asr: Literal["given"] = "given"
    """Backend: `given` reads the words that came with the log."""
    words: WordsConfig = WordsConfig()
    """How words are placed on their channel's speech, and which are believed."""


class Transcribe(Stage):
    """Writes the words of each channel; today those that came with the log.

    ``sources`` says where the source of each ``source_id`` lies now.
    """

    name = "transcribe"
    version = 2
    reads = (DIALOGUES, ACTIVITY)
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
        mended = mend(words, batch[ACTIVITY], batch[DIALOGUES], self.config.words.mend)
        return StageOutput(doubt(mended, batch[ACTIVITY], batch[DIALOGUES], self.config.words), quarantined)

    def _words_path(self, row: Mapping[str, Any]) -> str | None:
        return None if row["words_path"] is None else join(self.sources[row["source_id"]], row["words_path"])
