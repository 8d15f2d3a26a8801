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
from schemas.ids import bytes_hash, stable_hash
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
    tokens: Text | None = None
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
        if self.model_path == self.user_path and channel_index(self.model_channel) == channel_index(self.user_channel):
            raise ValueError("`model_channel` and `user_channel` are the same channel")
        return self


def channel_index(channel: int | str | None) -> int:
    """Index of a channel as a manifest names it; a file of one's own is read from its first channel."""
    return CHANNEL_NAMES[channel] if isinstance(channel, str) else channel or 0


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
                yield self._ref(line, raw)

    def _ref(self, line: ManifestLine, raw: bytes) -> LogRef:
        model_path = line.model_path or line.path or ""
        user_path = line.user_path or model_path
        problems: list[BadPathError] = []
        model = self._find(model_path, problems)
        user = model if user_path == model_path else self._find(user_path, problems)
        words = self._find_beside(line.words, problems) if line.words else None
        tokens = self._find_beside(line.tokens, problems) if line.tokens else None
        files = (model, user, words) if words else (model,) if user is model else (model, user)
        files = (*files, tokens) if tokens else files
        ref = LogRef(
            line.id,
            self.kind,
            bytes_hash(raw, *(f"{entry.size} {entry.stamp}".encode() for entry in files)),
            model.path,
            channel_index(line.model_channel),
            user.path,
            channel_index(line.user_channel),
            not isinstance(line.model_channel, str) and not isinstance(line.user_channel, str),
            words.path if words else None,
            tokens.path if tokens else None,
            line.model_id,
            line.model_checkpoint,
            line.voice,
            line.language,
            line.persona,
            line.user_id,
            line.started_at,
            json.dumps(line.model_extra, sort_keys=True, ensure_ascii=False) if line.model_extra else None,
        )
        return as_problem(ref, problems[0].reason, problems[0].detail) if problems else ref

    def _find(self, path: str, problems: list[BadPathError]) -> Entry:
        try:
            return self._locator.find(path)
        except BadPathError as error:
            problems.append(error)
            return Entry(path, 0, "")

    def _find_beside(self, path: str, problems: list[BadPathError]) -> Entry:
        found: list[BadPathError] = []
        entry = self._find(path, found)
        # Words or tokens that are not there cost just them, later; those that must not be read cost the log.
        problems.extend(error for error in found if error.reason is Reason.PATH_ESCAPES)
        return entry


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
