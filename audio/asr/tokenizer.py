"""SentencePiece models: what the ids of a text stream stand for. Needs the extra ``tokens``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import fsspec

from audio.backends import MissingBackendError
from audio.decode import is_remote
from schemas.ids import bytes_hash

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sentencepiece import SentencePieceProcessor

INSTALL = "pip install 'duplex-miner[tokens]'"


class Tokenizer:
    """A SentencePiece model; ``hash`` names it by its content."""

    def __init__(self, content: bytes) -> None:
        """Raises ValueError for bytes that are no model, MissingBackendError without the package."""
        self.hash = bytes_hash(content)
        self._model = _load(content)

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """The pieces of ids. Raises ValueError naming an id the model does not have."""
        size = self._model.get_piece_size()
        strange = next((i for i in ids if i >= size), None)
        if strange is not None:
            raise ValueError(f"id {strange} is not in the tokenizer, which has {size} pieces")
        return list(self._model.id_to_piece(list(ids)))

    def ids(self, pieces: Sequence[str]) -> list[int] | None:
        """The ids of pieces; None where the model lacks one of them."""
        found = list(self._model.piece_to_id(list(pieces)))
        unknown = self._model.unk_id()
        return None if unknown in found else found


def tokenizer_bytes(path: str) -> bytes:
    """The content of a model file at a path or URL. Raises OSError."""
    if is_remote(path):
        with fsspec.open(path, "rb") as file:
            return bytes(file.read())
    return Path(path).read_bytes()


def _load(content: bytes) -> SentencePieceProcessor:
    try:
        from sentencepiece import SentencePieceProcessor
    except ImportError as error:
        raise MissingBackendError(
            f"Turning token ids into words needs a package that is not installed ({error}). Run: {INSTALL}"
        ) from error
    model = SentencePieceProcessor()
    try:
        model.LoadFromSerializedProto(content)
    except RuntimeError as error:
        raise ValueError("not a SentencePiece model") from error
    return model
