"""Full-Duplex-Bench layout: a folder per log with ``input.wav`` (user), ``output.wav`` (model) and maybe words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from miner.ingest.refs import LogRef, as_problem
from miner.ingest.tree import folders
from schemas.ids import stable_hash
from schemas.reasons import Reason

USER_FILE = "input.wav"
MODEL_FILE = "output.wav"
WORDS_FILES = ("output.json", "input.json")
"""The model's words; the user's, read along when they lie beside them."""


class FullDuplexBenchSource:
    """Logs as Full-Duplex-Bench leaves them. The two files may differ in length: the shorter ends in silence."""

    kind = "full_duplex_bench"

    def __init__(self, root: str, *, source_id: str) -> None:
        self.root = root
        self.source_id = source_id
        self.skipped: Counter[str] = Counter()

    def refs(self) -> Iterator[LogRef]:
        """One ref per folder that holds either file; its id is the folder's path. One without the other is bad."""
        for folder, files in folders(self.root, self.skipped):
            found = {path.rpartition("/")[2]: (path, size, stamp) for path, size, stamp in files}
            parts = {name: found.pop(name) for name in (MODEL_FILE, USER_FILE, *WORDS_FILES) if name in found}
            if found:
                self.skipped["not part of a log"] += len(found)
            missing = {USER_FILE, MODEL_FILE} - parts.keys()
            if len(missing) == 2:
                if parts:
                    self.skipped["not part of a log"] += len(parts)
                continue
            prefix = "" if folder == "." else f"{folder}/"
            words = next((parts[name][0] for name in WORDS_FILES if name in parts), None)
            fingerprint = stable_hash(self.kind, *(field for part in parts.values() for field in part))
            dialogue_id = self.source_id if folder == "." else folder
            ref = LogRef(
                dialogue_id,
                self.kind,
                fingerprint,
                prefix + MODEL_FILE,
                0,
                prefix + USER_FILE,
                0,
                True,
                words_path=words,
            )
            yield as_problem(ref, Reason.AUDIO_MISSING, f"no {missing.pop()} beside the other") if missing else ref
