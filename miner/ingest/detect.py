"""Which kind of source lies at a path, and the source itself."""

from __future__ import annotations

import json
import posixpath
import re
from collections import Counter

from audio.decode import is_remote
from miner.ingest.folder import FolderSource
from miner.ingest.full_duplex_bench import MODEL_FILE, USER_FILE, FullDuplexBenchSource
from miner.ingest.manifest import ManifestSource, numbered_lines
from miner.ingest.moshi_finetune import MoshiFinetuneSource
from miner.ingest.refs import Source, SourceError, audio_stem
from miner.ingest.tree import folders, join, open_binary

KINDS = (FolderSource.kind, ManifestSource.kind, MoshiFinetuneSource.kind, FullDuplexBenchSource.kind)
FIXED_CHANNEL = {MoshiFinetuneSource.kind: "left"}
PEEK_BYTES = 200


def detect_source(path: str) -> str:
    """The kind of source at a path, told from its first log. Raises SourceError where there is nothing to list.

    A ``.jsonl`` whose first line has an ``id`` or names channels is a manifest, else a moshi-finetune index. A folder
    is told by its first subfolder with audio: input.wav and output.wav, or files with alignments beside them.
    """
    if path.endswith(".jsonl"):
        return _detect_jsonl(path)
    for _, files in folders(path, Counter()):
        paths = {entry.path for entry in files}
        names = {posixpath.basename(name) for name in paths}
        stems = sorted(stem for stem in map(audio_stem, paths) if stem is not None)
        if not stems:
            continue
        if {USER_FILE, MODEL_FILE} <= names:
            return FullDuplexBenchSource.kind
        beside = next((f"{stem}.json" for stem in stems if f"{stem}.json" in paths), None)
        return MoshiFinetuneSource.kind if beside and _has_alignments(join(path, beside)) else FolderSource.kind
    return FolderSource.kind


def open_source(
    path: str, *, kind: str | None = None, model_channel: str | None = None, source_id: str | None = None
) -> Source:
    """The source at a path. ``kind`` overrides what ``detect_source`` finds; raises SourceError."""
    path = path.removeprefix("file://")
    path = path if is_remote(path) else posixpath.abspath(path)
    kind = kind or detect_source(path)
    if model_channel not in (None, FIXED_CHANNEL.get(kind)) and kind != FolderSource.kind:
        raise SourceError(
            f"--model-channel {model_channel} does not go with {path}, taken for {kind}, which says itself where the "
            f"model is. Say --kind {FolderSource.kind} if these are plain stereo files."
        )
    folder = posixpath.dirname(path) if path.endswith(".jsonl") else path.rstrip("/")
    name = source_id or re.sub(r"[^A-Za-z0-9._-]+", "-", posixpath.basename(folder)).strip("-.") or "logs"
    if kind == FolderSource.kind:
        return FolderSource(path, source_id=name, model_channel=model_channel)
    if kind == ManifestSource.kind:
        return ManifestSource(path, source_id=name)
    if kind == MoshiFinetuneSource.kind:
        return MoshiFinetuneSource(path, source_id=name)
    if kind == FullDuplexBenchSource.kind:
        return FullDuplexBenchSource(path, source_id=name)
    raise SourceError(f"There is no kind of source called {kind!r}. Kinds: {', '.join(KINDS)}.")


def _detect_jsonl(path: str) -> str:
    for _, raw in numbered_lines(path):
        try:
            line = json.loads(raw)
        except ValueError:
            continue
        if isinstance(line, dict):
            is_index = "path" in line and not {"id", "model_channel", "user_channel"} & line.keys()
            return MoshiFinetuneSource.kind if is_index else ManifestSource.kind
    return ManifestSource.kind


def _has_alignments(path: str) -> bool:
    try:
        with open_binary(path) as file:
            return b'"alignments"' in file.read(PEEK_BYTES)
    except OSError:
        return False
