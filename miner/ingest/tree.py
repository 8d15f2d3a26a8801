"""The files under a root, local or remote, in one fixed order and without opening any."""

from __future__ import annotations

import os
import posixpath
import stat
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

import fsspec

from audio.decode import is_remote
from miner.ingest.refs import SourceError
from schemas.reasons import Reason


class Entry(NamedTuple):
    """A file: its posix path under the root, and what changes when its content does."""

    path: str
    size: int
    stamp: str


class BadPathError(ValueError):
    """A path that a manifest must not or cannot name."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


def join(root: str, path: str) -> str:
    """A path under a root that is a folder or a URL."""
    return f"{root.rstrip('/')}/{path}"


def open_binary(path: str) -> BinaryIO:
    """A local file or URL, open for reading bytes. Raises OSError."""
    if is_remote(path):
        return cast("BinaryIO", fsspec.open(path, "rb").open())
    return Path(path).open("rb")


def folders(root: str, skipped: Counter[str]) -> Iterator[tuple[str, list[Entry]]]:
    """Every folder under the root with its files sorted by name: the root first ("."), then depth first by name.

    Hidden names, links to folders and names that are not UTF-8 are passed over and counted in ``skipped``. Memory
    holds one folder. Raises SourceError if the root is no folder.
    """
    if is_remote(root):
        yield from _remote_folders(root, skipped)
        return
    if not Path(root).is_dir():
        raise SourceError(f"{root} is not a folder. Give a folder with recordings or a .jsonl manifest.")
    yield from _local_folders(root, "", skipped)


def _local_folders(root: str, folder: str, skipped: Counter[str]) -> Iterator[tuple[str, list[Entry]]]:
    files: list[Entry] = []
    below: list[str] = []
    prefix = f"{folder}/" if folder else ""
    try:
        with os.scandir(f"{root}/{folder}") as entries:
            for entry in entries:
                name = entry.name
                if name[0] == "." or not _is_utf8(name):
                    skipped["hidden" if name[0] == "." else "name is not UTF-8"] += 1
                elif entry.is_dir(follow_symlinks=False):
                    below.append(name)
                elif entry.is_file():
                    files.append(_local_entry(prefix + name, entry))
                else:
                    skipped["link to a folder" if entry.is_dir() else "not a regular file"] += 1
    except OSError:
        skipped["folder that cannot be read"] += 1
        return
    files.sort()
    yield folder or ".", files
    for name in sorted(below):
        yield from _local_folders(root, prefix + name, skipped)


def _remote_folders(root: str, skipped: Counter[str]) -> Iterator[tuple[str, list[Entry]]]:
    filesystem, base = fsspec.core.url_to_fs(root)
    found = []
    for path, info in filesystem.find(base, detail=True).items():
        entry = _remote_entry(path[len(base) :].strip("/"), info)
        if any(part[0] == "." for part in entry.path.split("/") if part):
            skipped["hidden"] += 1
        else:
            found.append(((*_parts(entry),), entry))
    if not found and not filesystem.isdir(base):
        raise SourceError(f"{root} is not a folder. Give a folder with recordings or a .jsonl manifest.")
    found.sort()
    for parts, group in groupby(found, key=lambda pair: pair[0][:-1]):
        yield "/".join(parts[0]) or ".", [entry for _, entry in group]


def _parts(entry: Entry) -> tuple[tuple[str, ...], str]:
    *parents, name = entry.path.split("/")
    return tuple(parents), name


def _remote_entry(path: str, info: dict[str, Any]) -> Entry:
    stamp = next((str(info[key]) for key in ("ETag", "etag", "LastModified", "mtime", "created") if key in info), "")
    return Entry(path, int(info.get("size") or 0), stamp)


def _local_entry(path: str, entry: os.DirEntry[str]) -> Entry:
    try:
        status = entry.stat()
    except OSError:
        return Entry(path, 0, "")  # gone since it was listed: reading it will say so
    return Entry(path, status.st_size, str(status.st_mtime_ns))


def _is_utf8(name: str) -> bool:
    if name.isascii():
        return True
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_plain(path: str) -> bool:
    """Whether a relative path has nothing to normalise; looking is cheaper than normalising, a million times."""
    return not ("//" in path or "./" in path or path.endswith((".", "/")))


class Locator:
    """Finds the files that a manifest names under its folder, and no other file.

    Listings of remote folders and resolved local folders are remembered, so that a long manifest over few folders
    costs one look at each file.
    """

    def __init__(self, root: str) -> None:
        self.root = root
        self._prefix = join(root, "")
        self._remote = is_remote(root)
        self._real_root = "" if self._remote else f"{os.path.realpath(root).rstrip('/')}/"
        self._is_inside = lru_cache(maxsize=1024)(self._folder_is_inside)
        self._listing = lru_cache(maxsize=16)(self._remote_listing)

    def find(self, path: str) -> Entry:
        """The file at a relative path. Raises BadPathError: PATH_ESCAPES, or AUDIO_MISSING."""
        clean = path if _is_plain(path) else posixpath.normpath(path)
        if clean.startswith(("/", "../")) or clean == ".." or is_remote(path):
            raise BadPathError(Reason.PATH_ESCAPES, f"{path!r} does not lie under the manifest's folder")
        return self._find_remote(clean) if self._remote else self._find_local(clean)

    def _find_local(self, path: str) -> Entry:
        full = self._prefix + path
        try:
            status = os.lstat(full)
            inside = self._is_inside(path.rpartition("/")[0])
            if stat.S_ISLNK(status.st_mode):
                inside = os.path.realpath(full).startswith(self._real_root)
                status = Path(full).stat()
        except (OSError, ValueError) as error:
            raise BadPathError(Reason.AUDIO_MISSING, f"{path!r}: {getattr(error, 'strerror', error)}") from error
        if not inside:
            raise BadPathError(Reason.PATH_ESCAPES, f"{path!r} is a link that leads out of the manifest's folder")
        if not stat.S_ISREG(status.st_mode):
            raise BadPathError(Reason.AUDIO_MISSING, f"{path!r} is not a regular file")
        return Entry(path, status.st_size, str(status.st_mtime_ns))

    def _folder_is_inside(self, folder: str) -> bool:
        parent = folder.rpartition("/")[0]
        if folder and self._is_inside(parent) and not stat.S_ISLNK(os.lstat(self._prefix + folder).st_mode):
            return True  # one look at a folder whose parent is known
        return f"{os.path.realpath(self._prefix + folder)}/".startswith(self._real_root)

    def _find_remote(self, path: str) -> Entry:
        parent, name = posixpath.split(path)
        info = self._listing(parent).get(name)
        if info is None or info.get("type") == "directory":
            raise BadPathError(Reason.AUDIO_MISSING, f"{path!r}: no such file")
        return _remote_entry(path, info)

    def _remote_listing(self, folder: str) -> dict[str, dict[str, Any]]:
        filesystem, base = fsspec.core.url_to_fs(join(self.root, folder))
        try:
            return {posixpath.basename(info["name"].rstrip("/")): info for info in filesystem.ls(base, detail=True)}
        except FileNotFoundError:
            return {}
