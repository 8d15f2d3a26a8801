"""moshi-finetune layout: stereo files, left = model, with sibling ``.json`` alignments and maybe a ``.jsonl`` index.

The model's text stream may lie beside them, as in any folder; moshi-finetune itself knows none.
"""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterator
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from miner.ingest.folder import tokens_beside
from miner.ingest.manifest import bad_line, first_error, numbered_lines
from miner.ingest.refs import TOKENS_SUFFIXES, LogRef, as_problem, audio_stem, once
from miner.ingest.tree import BadPathError, Entry, Locator, folders
from schemas.ids import stable_hash

MODEL_CHANNEL, USER_CHANNEL = 0, 1


class IndexLine(BaseModel):
    """A line of the index. moshi-finetune writes ``path`` and ``duration``; other keys mean nothing to it."""

    model_config = ConfigDict(extra="ignore")

    path: Annotated[str, Field(min_length=1)]
    duration: Annotated[float, Field(ge=0)] | None = None


class MoshiFinetuneSource:
    """A ``.jsonl`` index, or a folder whose audio files are all taken. An id is the path without the suffix."""

    kind = "moshi_finetune"

    def __init__(self, path: str, *, source_id: str) -> None:
        self.index = path if path.endswith(".jsonl") else None
        self.root = (posixpath.dirname(path) or ".") if self.index else path
        self.source_id = source_id
        self.skipped: Counter[str] = Counter()

    def refs(self) -> Iterator[LogRef]:
        """One ref per line of the index, or per audio file of the folder."""
        return once(self._lines(self.index) if self.index else self._files())

    def _lines(self, index: str) -> Iterator[LogRef]:
        locator = Locator(self.root)
        for number, raw in numbered_lines(index):
            try:
                path = IndexLine.model_validate_json(raw).path
            except ValidationError as error:
                yield bad_line(self.kind, number, raw, first_error(error))
                continue
            try:
                stem = posixpath.splitext(path)[0]
                tokens = (self._beside(locator, stem + suffix) for suffix in TOKENS_SUFFIXES)
                words = self._beside(locator, stem + ".json")
                yield self._ref(locator.find(path), words, next(filter(None, tokens), None))
            except BadPathError as error:
                yield as_problem(self._ref(Entry(path, 0, "")), error.reason, error.detail)

    def _beside(self, locator: Locator, path: str) -> Entry | None:
        try:
            return locator.find(path)
        except BadPathError:
            return None

    def _files(self) -> Iterator[LogRef]:
        for _, files in folders(self.root, self.skipped):
            by_path = {entry.path: entry for entry in files}
            for entry in files:
                stem = audio_stem(entry.path)
                if stem is not None:
                    yield self._ref(entry, by_path.get(stem + ".json"), tokens_beside(stem, by_path))
                elif not entry.path.endswith((".json", ".jsonl", *TOKENS_SUFFIXES)):
                    self.skipped["not audio"] += 1

    def _ref(self, audio: Entry, words: Entry | None = None, tokens: Entry | None = None) -> LogRef:
        return LogRef(
            posixpath.splitext(audio.path)[0],
            self.kind,
            stable_hash(*audio, *(words or ()), *(tokens or ())),
            audio.path,
            MODEL_CHANNEL,
            audio.path,
            USER_CHANNEL,
            words_path=words.path if words else None,
            tokens_path=tokens.path if tokens else None,
        )
