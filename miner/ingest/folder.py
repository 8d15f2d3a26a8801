"""A folder of stereo files: every audio file below it is one log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from miner.ingest.refs import CHANNEL_NAMES, TOKENS_SUFFIXES, LogRef, SourceError, audio_stem, once
from miner.ingest.tree import Entry, folders
from schemas.ids import stable_hash


class FolderSource:
    """Stereo files with one channel order for all, which the user declares."""

    kind = "folder"

    def __init__(self, root: str, *, source_id: str, model_channel: str | None) -> None:
        if model_channel not in CHANNEL_NAMES:
            raise SourceError(
                f"Which channel of the files under {root} is the model? Say --model-channel left or --model-channel "
                f"right: it is never guessed{f' (got {model_channel})' if model_channel else ''}."
            )
        self.root = root
        self.source_id = source_id
        self.model_channel = CHANNEL_NAMES[model_channel]
        self.skipped: Counter[str] = Counter()

    def refs(self) -> Iterator[LogRef]:
        """One ref per audio file; its id is the path without the suffix. Files that are not audio are counted."""
        return once(self._files())

    def _files(self) -> Iterator[LogRef]:
        model, user = self.model_channel, 1 - self.model_channel
        for _, files in folders(self.root, self.skipped):
            streams = {entry.path: entry for entry in files if entry.path.endswith(TOKENS_SUFFIXES)}
            for path, size, stamp in files:
                dialogue_id = audio_stem(path)
                if dialogue_id is None:
                    if path not in streams:
                        self.skipped["not audio"] += 1
                    continue
                tokens = tokens_beside(dialogue_id, streams) if streams else None
                fingerprint = stable_hash(path, size, stamp, model, user, *(tokens or ()))
                tokens_path = tokens.path if tokens else None
                yield LogRef(dialogue_id, self.kind, fingerprint, path, model, path, user, tokens_path=tokens_path)


def tokens_beside(stem: str, streams: Mapping[str, Entry]) -> Entry | None:
    """The text stream of an audio file, among the files with a name for one, by path."""
    return next((streams[stem + suffix] for suffix in TOKENS_SUFFIXES if stem + suffix in streams), None)
