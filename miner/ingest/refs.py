"""What every kind of source gives: one small reference per log, made without opening any audio."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

import polars as pl

from schemas.ids import stable_hash
from schemas.reasons import Reason
from schemas.table import Column, Table

AUDIO_SUFFIXES = frozenset(
    {".wav", ".wave", ".w64", ".rf64", ".aif", ".aiff", ".au", ".caf", ".sph", ".flac", ".ogg", ".oga", ".opus", ".mp3"}
    | {".m4a", ".mp4", ".aac", ".webm", ".mka", ".wma"}
)
TOKENS_SUFFIXES = (".tokens.json", ".codes.npy")
"""What the model's text stream is called beside NAME.wav: NAME.tokens.json, else NAME.codes.npy."""
CHANNEL_NAMES = {"left": 0, "right": 1}

REFS = Table(
    name="refs",
    doc="One row per log of a source, as listed: where its channels lie and what the source says of it. Never stored.",
    writer="source",
    key=(),
    columns=(
        Column("dialogue_id", pl.String(), "The manifest's `id`, else the path under the source folder, no suffix"),
        Column("source_kind", pl.String(), "folder | manifest | moshi_finetune | full_duplex_bench"),
        Column("fingerprint", pl.String(), "Hash of paths, sizes, change times, channels and metadata"),
        Column("model_path", pl.String(), "File with the model's channel, relative to the root; empty for a bad line"),
        Column("model_channel", pl.Int64(), "Index of the model's channel in that file"),
        Column("user_path", pl.String(), "File with the user's channel, relative to the root"),
        Column("user_channel", pl.Int64(), "Index of the user's channel in that file"),
        Column("channels_named", pl.Boolean(), "The source named both by index, so more than two channels are fine"),
        Column("words_path", pl.String(), "Words that came with the log, relative to the root", nullable=True),
        Column("tokens_path", pl.String(), "The model's text stream, relative to the root", nullable=True),
        Column("model_id", pl.String(), "Model that spoke", nullable=True),
        Column("model_checkpoint", pl.String(), "Its checkpoint or revision", nullable=True),
        Column("voice", pl.String(), "Voice the model used", nullable=True),
        Column("language", pl.String(), "BCP-47 language tag", nullable=True),
        Column("persona", pl.String(), "Persona or system prompt", nullable=True),
        Column("user_id", pl.String(), "Pseudonymous id of the user", nullable=True),
        Column("started_at", pl.String(), "Start time, ISO 8601", nullable=True),
        Column("metadata", pl.String(), "Everything else the manifest said, as JSON", nullable=True),
        Column("problem_reason", pl.String(), "Reason code of a ref that is bad already", nullable=True),
        Column("problem_detail", pl.String(), "What exactly is bad about it", nullable=True),
    ),
)


class LogRef(NamedTuple):
    """One log of a source: the columns of ``REFS``. A tuple, since a source may list millions."""

    dialogue_id: str
    source_kind: str
    fingerprint: str
    model_path: str
    model_channel: int
    user_path: str
    user_channel: int
    channels_named: bool = False
    words_path: str | None = None
    tokens_path: str | None = None
    model_id: str | None = None
    model_checkpoint: str | None = None
    voice: str | None = None
    language: str | None = None
    persona: str | None = None
    user_id: str | None = None
    started_at: str | None = None
    metadata: str | None = None
    problem_reason: str | None = None
    problem_detail: str | None = None

    @property
    def problem(self) -> tuple[Reason, str] | None:
        """Why the log goes to quarantine unopened; None for a good one."""
        return None if self.problem_reason is None else (Reason(self.problem_reason), self.problem_detail or "")


class Source(Protocol):
    """A place with logs. ``root`` is the folder or URL that every path of its refs is relative to."""

    kind: str
    root: str
    source_id: str
    skipped: Counter[str]
    """What was passed over so far and why; filled while ``refs`` runs."""

    def refs(self) -> Iterator[LogRef]:
        """Every log, streamed in an order that depends on nothing but the source. Opens no audio."""
        ...


class SourceError(ValueError):
    """A source that cannot be listed at all: wrong path, wrong kind, or an option is missing."""


def audio_stem(path: str) -> str | None:
    """The path without its suffix where that is one of audio, else None."""
    stem, dot, suffix = path.rpartition(".")
    return stem if dot and f".{suffix.lower()}" in AUDIO_SUFFIXES else None


def refs_frame(refs: Iterable[LogRef]) -> pl.DataFrame:
    """Refs as a frame with the columns of ``REFS``."""
    columns = list(zip(*refs, strict=True)) or [()] * len(REFS.columns)
    return pl.DataFrame(dict(zip(REFS.schema, columns, strict=True)), schema=REFS.schema)


def once(refs: Iterable[LogRef]) -> Iterator[LogRef]:
    """The same refs; the second with an id keeps its place under an id of its own, as a duplicate."""
    seen: set[str] = set()
    for position, ref in enumerate(refs):
        own_id = ref.dialogue_id
        if own_id in seen:
            own_id = f"{ref.dialogue_id}~{stable_hash(ref.model_path, ref.user_path)[:8]}"
        if own_id in seen:
            own_id = f"{ref.dialogue_id}~{stable_hash(ref.model_path, ref.user_path, position)[:8]}"
        seen.add(own_id)
        is_first = own_id == ref.dialogue_id
        yield ref if is_first else as_problem(ref, Reason.DUPLICATE_ID, f"{ref.dialogue_id!r} came before", own_id)


def as_problem(ref: LogRef, reason: Reason, detail: str, dialogue_id: str | None = None) -> LogRef:
    """The ref marked as bad, unless it is already."""
    return ref._replace(
        dialogue_id=dialogue_id or ref.dialogue_id,
        problem_reason=ref.problem_reason or reason.value,
        problem_detail=ref.problem_detail or detail,
    )
