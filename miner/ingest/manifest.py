"""A JSONL manifest: one line per log, with its channels named and whatever is known about it."""

from __future__ import annotations

import json
import posixpath
from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Literal, Required

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from miner.ingest.refs import CHANNEL_NAMES, LogRef, SourceError, as_problem, once
from miner.ingest.tree import BadPathError, Entry, Locator, open_binary
from schemas.ids import bytes_hash, stable_hash
from schemas.reasons import Reason

Channel = Annotated[int, Field(strict=True, ge=0)] | Literal["left", "right"]
Text = Annotated[str, Field(min_length=1)]
Name = Annotated[str, Field(min_length=1, coerce_numbers_to_str=True)]


class ManifestLine(TypedDict, total=False):
    """A line: ``id``; ``path``, or ``model_path`` and ``user_path``; the channels; what is known; any other key.

    A dict and no model: a rerun lists every line again, and a dict is checked four times as fast.
    """

    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]

    id: Required[Name]
    path: Text | None
    model_path: Text | None
    user_path: Text | None
    model_channel: Channel | None
    user_channel: Channel | None
    duration: Annotated[float, Field(ge=0)] | None
    words: Text | None
    tokens: Text | None
    model_id: str | None
    model_checkpoint: str | None
    voice: str | None
    language: str | None
    persona: str | None
    user_id: Annotated[str, Field(coerce_numbers_to_str=True)] | None
    started_at: str | None


KNOWN = frozenset(ManifestLine.__annotations__)
LINE = TypeAdapter(ManifestLine)


def channel_problem(line: ManifestLine) -> str | None:
    """What is wrong with the files and channels a line names; None where it names two of each."""
    path, model_path, user_path = line.get("path"), line.get("model_path"), line.get("user_path")
    model_channel, user_channel = line.get("model_channel"), line.get("user_channel")
    if (path is None) == (model_path is None) or (model_path is None) != (user_path is None):
        return "give `path`, or both `model_path` and `user_path`"
    if path is not None and (model_channel is None or user_channel is None):
        return "give `model_channel` and `user_channel`: 0, 1, ... or left, right"
    if model_path == user_path and channel_index(model_channel) == channel_index(user_channel):
        return "`model_channel` and `user_channel` are the same channel"
    return None


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
                line = LINE.validate_json(raw)
            except ValidationError as error:
                yield bad_line(self.kind, number, raw, first_error(error))
                continue
            problem = channel_problem(line)
            yield self._ref(line, raw) if problem is None else bad_line(self.kind, number, raw, problem)

    def _ref(self, line: ManifestLine, raw: bytes) -> LogRef:
        model_path = line.get("model_path") or line.get("path") or ""
        user_path = line.get("user_path") or model_path
        words_path, tokens_path = line.get("words"), line.get("tokens")
        model_channel, user_channel = line.get("model_channel"), line.get("user_channel")
        problems: list[BadPathError] = []
        model = self._find(model_path, problems)
        user = model if user_path == model_path else self._find(user_path, problems)
        words = self._find_beside(words_path, problems) if words_path else None
        tokens = self._find_beside(tokens_path, problems) if tokens_path else None
        files = (model, user, words) if words else (model,) if user is model else (model, user)
        files = (*files, tokens) if tokens else files
        more = {} if line.keys() <= KNOWN else {key: value for key, value in line.items() if key not in KNOWN}
        ref = LogRef(
            line["id"],
            self.kind,
            bytes_hash(raw, *[f"{entry.size} {entry.stamp}".encode() for entry in files]),
            model.path,
            channel_index(model_channel),
            user.path,
            channel_index(user_channel),
            not isinstance(model_channel, str) and not isinstance(user_channel, str),
            words.path if words else None,
            tokens.path if tokens else None,
            line.get("model_id"),
            line.get("model_checkpoint"),
            line.get("voice"),
            line.get("language"),
            line.get("persona"),
            line.get("user_id"),
            line.get("started_at"),
            json.dumps(more, sort_keys=True, ensure_ascii=False) if more else None,
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
