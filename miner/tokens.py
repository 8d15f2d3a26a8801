"""Stage ``tokens``: the model's own text stream, where a log has it, to table ``text_tokens``."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from audio.asr.token_files import TextStream, TokenRules, TokensError, read_stream, tokens_bytes
from audio.asr.tokenizer import Tokenizer, tokenizer_bytes
from miner.ingest.tree import join
from schemas.dialogues import DIALOGUES
from schemas.reasons import Reason
from schemas.text_tokens import TEXT_TOKENS
from store.settings import SettingsError
from store.stage import Batch, Quarantined, Stage, StageConfig, StageOutput


class TokensConfig(TokenRules, StageConfig):
    """How text streams are read."""

    tokenizer: str | None = None
    """SentencePiece model that the ids belong to: a path or URL; what counts as setting is its content. Without one,
    ids are kept and only pieces give words."""


class Tokens(Stage):
    """Keeps the model's own text stream, token for token, where a log has it.

    ``config.tokenizer`` is a path when it is given and the content's hash from then on. ``sources`` says where the
    source of each ``source_id`` lies now.
    """

    name = "tokens"
    version = 1
    reads = (DIALOGUES,)
    writes = TEXT_TOKENS
    batch_size = 256

    config: TokensConfig

    def __init__(self, config: TokensConfig, *, sources: Mapping[str, str]) -> None:
        self.tokenizer_path = config.tokenizer
        tokenizer = _load(self.tokenizer_path)
        super().__init__(config.model_copy(update={"tokenizer": tokenizer.hash if tokenizer else None}))
        self.sources = dict(sources)
        self._tokenizer: Tokenizer | None = None

    def open(self) -> None:
        """Load the tokenizer."""
        self._tokenizer = _load(self.tokenizer_path)
        if self._tokenizer is not None and self._tokenizer.hash != self.config.tokenizer:
            raise SettingsError(f"tokens.tokenizer: {self.tokenizer_path} changed while the stage ran: run it again")

    def process(self, batch: Batch) -> StageOutput:
        """A row for every dialogue with a text stream; one whose stream is broken is quarantined, here alone."""
        rows: list[dict[str, Any]] = []
        quarantined: list[Quarantined] = []
        for row in batch[DIALOGUES].filter(pl.col("tokens_path").is_not_null()).iter_rows(named=True):
            path = join(self.sources[row["source_id"]], row["tokens_path"])
            try:
                rows.append({"dialogue_id": row["dialogue_id"], **self._row(path, row["duration_s"])})
            except TokensError as error:
                quarantined.append(Quarantined(row["dialogue_id"], Reason.BAD_TOKENS_FILE, str(error)))
        return StageOutput(pl.DataFrame(rows, schema=TEXT_TOKENS.schema), quarantined)

    def _row(self, path: str, duration_s: float) -> dict[str, Any]:
        name = posixpath.basename(path)
        content = tokens_bytes(path)
        if content is None:
            raise TokensError(f"{name} is not there")
        stream = read_stream(content, name, duration_s, self.config)
        try:
            tokens, pieces, used = self._named(stream)
        except ValueError as error:
            raise TokensError(f"{name}: {error}") from error
        return {
            "frame_rate_hz": stream.frame_rate_hz,
            "n_frames": stream.n_frames,
            "is_dense": stream.is_dense,
            "tokens": None if tokens is None else pl.Series(tokens),
            "frames": pl.Series(stream.frames),
            "pieces": pieces,
            "tokenizer_hash": self.config.tokenizer if used else None,
        }

    def _named(self, stream: TextStream) -> tuple[np.ndarray[Any, Any] | None, list[str] | None, bool]:
        """Tokens and pieces, each from the other where the tokenizer knows it; and whether it was needed."""
        if self._tokenizer is None:
            return stream.tokens, stream.pieces, False
        if stream.pieces is None and stream.tokens is not None:
            return stream.tokens, self._tokenizer.pieces(stream.tokens[stream.frames].tolist()), True
        if stream.pieces is not None and stream.tokens is None:
            ids = self._tokenizer.ids(stream.pieces)
            if ids is not None:
                tokens = np.full(stream.n_frames, self.config.pad_id, dtype=np.int32)
                tokens[stream.frames] = ids
                return tokens, stream.pieces, True
        return stream.tokens, stream.pieces, False


def _load(path: str | None) -> Tokenizer | None:
    if path is None:
        return None
    try:
        return Tokenizer(tokenizer_bytes(path))
    except (OSError, ValueError) as error:
        what = error.strerror if isinstance(error, OSError) else error
        raise SettingsError(
            f"tokens.tokenizer: {path} cannot be read ({what or error}). Give the model's SentencePiece file."
        ) from error
