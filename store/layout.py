"""Where everything of a store lies, on any filesystem fsspec knows.

    store.json                                    format, bucket count, split seed; fixed at creation
    sources/<source_id>.json                      where the logs of a source lie
    runs/<name>.json, active_run.json             which variant of each table a run uses
    tables/<table>/<variant>/b0012-<task>.parquet rows of some dialogues of bucket 12
    ledger/<table>/<variant>/b0012-<time>-<task>-<check>.parquet  which of them are done, and where their rows are
    ledger/<table>/<variant>/variant.json         the stage, version and config behind the variant
    tombstones/<hash>.json                        dialogues that were forgotten and stay out
    cache/b0012/<hash>/<name>.json                what a stage keeps of one dialogue so as not to pay for it twice

A file is never changed once written, small JSON pointers apart. Nothing depends on rename: rows count only when a
ledger file names them, and a ledger file counts only when its bytes match the checksum in its own name.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import fsspec

FORMAT = 1
DEFAULT_BUCKETS = 64
_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class StoreError(Exception):
    """A store that cannot be used as asked; the message says what to do."""


@dataclass
class Store:
    """An open store. Cheap to make; picklable by its ``address``."""

    url: str
    n_buckets: int
    split_seed: int
    fs: Any = field(repr=False)
    root: str = field(repr=False)

    @classmethod
    def create(cls, url: str, *, n_buckets: int = DEFAULT_BUCKETS, split_seed: int = 0) -> Store:
        """Make a store at ``url`` or open the one that is there (whose own settings stay)."""
        fs, root = _filesystem(url)
        if fs.exists(f"{root}/store.json"):
            return cls.open(url)
        if fs.exists(root) and fs.ls(root, detail=False):
            raise StoreError(f"{url} is not empty and holds no store: name a new folder with --store")
        store = cls(url, n_buckets, split_seed, fs, root)
        store.write_json("store.json", {"format": FORMAT, "n_buckets": n_buckets, "split_seed": split_seed})
        return store

    @classmethod
    def open(cls, url: str) -> Store:
        """Open an existing store. Raises StoreError where there is none or its format is unknown."""
        fs, root = _filesystem(url)
        if not fs.exists(f"{root}/store.json"):
            raise StoreError(f"no store at {url}: make one with `duplex-miner run LOGS --store {url}`")
        settings = json.loads(fs.cat_file(f"{root}/store.json"))
        if settings["format"] != FORMAT:
            raise StoreError(
                f"the store at {url} has format {settings['format']}, this version reads {FORMAT}: "
                "use the duplex-miner that made it, or mine the logs again into a new store"
            )
        return cls(url, settings["n_buckets"], settings["split_seed"], fs, root)

    def __reduce__(self) -> tuple[Any, ...]:
        return (Store.open, (self.address,))

    @property
    def address(self) -> str:
        """Where any process finds the store, whatever its working directory."""
        return self.root if self.is_local else self.url

    @property
    def is_local(self) -> bool:
        """Whether the store lies on a disk of this machine."""
        return "file" in _protocols(self.fs)

    def path(self, *parts: str) -> str:
        """Full path of something in the store, as the filesystem wants it."""
        return "/".join((self.root, *parts))

    def exists(self, relative: str) -> bool:
        """Whether a file or folder is there."""
        return bool(self.fs.exists(self.path(relative)))

    def write(self, relative: str, data: bytes) -> None:
        """Write a whole file."""
        path = self.path(relative)
        if self.is_local:
            self.fs.makedirs(str(PurePosixPath(path).parent), exist_ok=True)
        self.fs.pipe_file(path, data)

    def read(self, relative: str) -> bytes:
        """Read a whole file. Raises FileNotFoundError."""
        return bytes(self.fs.cat_file(self.path(relative)))

    def remove(self, relative: str) -> None:
        """Remove a file; one that is gone already is fine."""
        try:
            self.fs.rm_file(self.path(relative))
        except FileNotFoundError:
            return

    def list(self, folder: str) -> list[str]:
        """Names of the files in a folder, sorted; none when it is not there."""
        try:
            self.fs.invalidate_cache(self.path(folder))
            names = self.fs.ls(self.path(folder), detail=False)
        except FileNotFoundError:
            return []
        return sorted(PurePosixPath(name).name for name in names)

    def replace(self, relative: str, data: bytes) -> None:
        """Write a small file anew; on a local disk through a temporary name, so that a reader never sees half of it."""
        if not self.is_local:
            self.write(relative, data)
            return
        self.write(f"{relative}.tmp", data)
        self.fs.mv(self.path(f"{relative}.tmp"), self.path(relative))

    def write_json(self, relative: str, value: object) -> None:
        """Write a small JSON file, for people to read as well."""
        self.replace(relative, json.dumps(value, indent=1, sort_keys=True).encode())

    def read_json(self, relative: str) -> dict[str, Any] | None:
        """Read a small JSON file; None where there is none."""
        try:
            value: dict[str, Any] = json.loads(self.read(relative))
        except FileNotFoundError:
            return None
        return value


def safe_name(name: str, what: str) -> str:
    """Check a name a person gives to something in the store, so that it cannot name a path."""
    if not _SAFE_NAME.fullmatch(name):
        raise StoreError(f"{what} {name!r} is not a plain name: use letters, digits, '.', '_' and '-', at most 64")
    return name


def _filesystem(url: str) -> tuple[Any, str]:
    fs, root = fsspec.url_to_fs(url)
    return fs, root.rstrip("/")


def _protocols(fs: Any) -> tuple[str, ...]:
    return (fs.protocol,) if isinstance(fs.protocol, str) else tuple(fs.protocol)
