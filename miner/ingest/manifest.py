"""A JSONL manifest: one line per log, with its channels named and whatever is known about it."""

from __future__ import annotations

import json
import posixpath
from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from miner.ingest.refs import CHANNEL_NAMES, LogRef, SourceError, as_problem, once
from miner.ingest.tree import BadPathError, Entry, Locator, open_binary
from schemas.ids import stable_hash
from schemas.reasons import Reason

Channel = Annotated[int, Field(strict=True, ge=0)] | Literal["left", "right"]
Text = Annotated[str, Field(min_length=1)]
Name = Annotated[str, Field(min_length=1, coerce_numbers_to_str=True)]


class ManifestLine(BaseModel):
    """A line: ``id``; ``path``, or ``model_path`` and ``user_path``; the channels; what is known; any other key."""

    model_config = ConfigDict(extra="allow")

    id: Name
    path: Text | None = None
    model_path: Text | None = None
    user_path: Text | None = None
    model_channel: Channel | None = None
    user_channel: Channel | None = None
    duration: Annotated[float, Field(ge=0)] | None = None
    words: Text | None = None
    model_id: str | None = None
    model_checkpoint: str | None = None
    voice: str | None = None
    language: str | None = None
    persona: str | None = None
    user_id: Annotated[str, Field(coerce_numbers_to_str=True)] | None = None
    started_at: str | None = None

    @model_validator(mode="after")
    def _has_two_channels(self) -> ManifestLine:
        if (self.path is None) == (self.model_path is None) or (self.model_path is None) != (self.user_path is None):
            raise ValueError("give `path`, or both `model_path` and `user_path`")
        if self.path is not None and (self.model_channel is None or self.user_channel is None):
            raise ValueError("give `model_channel` and `user_channel`: 0, 1, ... or left, right")
        if self.files[0] == self.files[1] and self.channels[0] == self.channels[1]:
            raise ValueError("`model_channel` and `user_channel` are the same channel")
        return self

    @property
    def files(self) -> tuple[str, str]:
        """The model's file and the user's, as written."""
        return self.model_path or self.path or "", self.user_path or self.path or ""

    @property
    def channels(self) -> tuple[int, int]:
        """The model's channel and the user's. A file of one's own is read from its first channel."""
        model, user = self.model_channel or 0, self.user_channel or 0
        return CHANNEL_NAMES[model] if isinstance(model, str) else model, (
            CHANNEL_NAMES[user] if isinstance(user, str) else user
        )

    @property
    def named_by_index(self) -> bool:
        """Whether the line speaks of indices, which are meant as they stand in a file with more than two channels."""
        return not isinstance(self.model_channel, str) and not isinstance(self.user_channel, str)


class ManifestSource:
    """A manifest. Paths in it are relative to its folder and may not leave it."""

    kind = "manifest"

    def __init__(self, path: str, *, source_id: str) -> None:
        self.path = path
        self.root = posixpath.dirname(path) or "."
        self.source_id = source_id
        self.skipped: Counter[str] = Counter()
        self._locator = Locator(self.root)

    def refs(self) -> Iterator[LogRef]:
        """One ref per line that is not blank; a line that cannot be read is a problem named ``line-N``."""
        return once(self._lines())

    def _lines(self) -> Iterator[LogRef]:
        for number, raw in numbered_lines(self.path):
            try:
                line = ManifestLine.model_validate_json(raw)
            except ValidationError as error:
                yield bad_line(self.kind, number, raw, first_error(error))
            else:
                yield self._ref(line)

    def _ref(self, line: ManifestLine) -> LogRef:
        problem: BadPathError | None = None
        entries: list[Entry] = []
        for path in dict.fromkeys((*line.files, *([line.words] if line.words else ()))):
            try:
                entries.append(self._locator.find(path))
            except BadPathError as error:
                # A words file that is not there costs the words, later; one that must not be read costs the log.
                if path in line.files or error.reason is Reason.PATH_ESCAPES:
                    problem = problem or error
                entries.append(Entry(path, 0, error.reason))
        where = dict(zip(dict.fromkeys((*line.files, line.words)), entries, strict=False))
        model, user = (where[path].path for path in line.files)
        known = line.model_dump(include=KNOWN)
        metadata = json.dumps(line.model_extra, sort_keys=True, ensure_ascii=False) if line.model_extra else None
        fingerprint = stable_hash(*(field for entry in entries for field in entry), *line.channels, known, metadata)
        ref = LogRef(
            line.id,
            self.kind,
            fingerprint,
            model,
            line.channels[0],
            user,
            line.channels[1],
            line.named_by_index,
            words_path=where[line.words].path if line.words else None,
            metadata=metadata,
            **known,
        )
        return as_problem(ref, problem.reason, problem.detail) if problem else ref


KNOWN = {"model_id", "model_checkpoint", "voice", "language", "persona", "user_id", "started_at"}


def numbered_lines(path: str) -> Iterator[tuple[int, bytes]]:
    """The lines of a JSONL file that are not blank, with their numbers from 1. Raises SourceError."""
    try:
        with open_binary(path) as file:
            for number, raw in enumerate(file, start=1):
                line = raw.removeprefix(b"\xef\xbb\xbf").strip()
                if line:
                    yield number, line
    except OSError as error:
        raise SourceError(
            f"{path} cannot be read ({error.strerror or error}). Check the path of the manifest."
        ) from error


def first_error(error: ValidationError) -> str:
    """What is wrong with a line and where, in one sentence."""
    details = error.errors(include_url=False, include_input=False, include_context=False)
    where = ".".join(str(part) for part in details[0]["loc"])
    more = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
    return f"{where + ': ' if where else ''}{details[0]['msg']}{more}"


def bad_line(kind: str, number: int, raw: bytes, what: str) -> LogRef:
    """The ref that stands for a line that cannot be read."""
    detail = f"line {number}: {what}"
    fingerprint = stable_hash(number, raw.hex())
    reason = Reason.BAD_MANIFEST_LINE.value
    return LogRef(f"line-{number}", kind, fingerprint, "", 0, "", 1, problem_reason=reason, problem_detail=detail)
