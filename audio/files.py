"""One audio file, opened by the decoder that reads it: soundfile (WAV, FLAC, OGG), else PyAV (MP3, M4A, WebM).

MP3 goes to PyAV although soundfile reads it: soundfile's decoder writes warnings to the terminal and looks for frames
in any garbage that it meets.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

import fsspec
import numpy as np
import numpy.typing as npt
import soundfile

from audio.containers import cut_short, kind_of
from schemas.clock import samples_to_seconds
from schemas.reasons import Reason

Samples = npt.NDArray[np.float32]

HEAD_BYTES = 12
SOUNDFILE_KINDS = ("wav", "flac", "ogg", "aiff", "caf", "w64", "au", "nist")


class DecodeError(Exception):
    """A file that gives no usable audio: its reason code, and what exactly was found."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"


@dataclass(frozen=True)
class AudioInfo:
    """What a file's header says. ``frames`` is None where it says nothing of the length."""

    rate_hz: int
    channels: int
    frames: int | None
    format: str

    @property
    def duration_s(self) -> float | None:
        """Length in seconds, None where the header does not say it."""
        return None if self.frames is None else samples_to_seconds(self.frames, self.rate_hz)


def is_remote(path: str) -> bool:
    """Whether a path is a URL for fsspec rather than a local file."""
    return "://" in path


class AudioFile(Protocol):
    """An open file. ``blocks`` gives its samples once, float32 (m, channels), in blocks of ``n`` and a shorter last."""

    info: AudioInfo

    def blocks(self, n: int) -> Iterator[Samples]:
        """Raises DecodeError where the file turns out to be bad."""
        ...


@dataclass
class _SoundfileReader:
    file: Any
    info: AudioInfo
    path: str

    def blocks(self, n: int) -> Iterator[Samples]:
        read = 0
        try:
            while len(block := self.file.read(n, dtype="float32", always_2d=True)):
                read += len(block)
                yield block
        except soundfile.LibsndfileError as error:
            from audio.pyav import breaks_at_its_end

            reason = Reason.TRUNCATED if breaks_at_its_end(self.path) else Reason.UNDECODABLE
            raise DecodeError(reason, f"after {read} of {self.info.frames} frames: {error}") from error
        if read < (self.info.frames or 0):
            raise DecodeError(Reason.TRUNCATED, f"the header promises {self.info.frames} frames, {read} are there")


@contextmanager
def opened(path: str) -> Iterator[AudioFile]:
    """The right decoder, opened; a file that is missing, empty or cut short by its own account raises DecodeError."""
    with binary(path) as file:
        head = file.read(HEAD_BYTES)
        if not head:
            raise DecodeError(Reason.EMPTY_AUDIO, "the file has 0 bytes")
        missing = cut_short(file) if len(head) == HEAD_BYTES else f"no header fits in {len(head)} bytes"
        if missing is not None:
            raise DecodeError(Reason.TRUNCATED, missing)
        file.seek(0)
        where = file if is_remote(path) else path
        sound = _sound_file(where) if kind_of(head) in SOUNDFILE_KINDS else None
        if sound is not None:
            with sound:
                info = AudioInfo(sound.samplerate, sound.channels, sound.frames, sound.format.lower())
                yield _SoundfileReader(sound, info, path)
            return
        file.seek(0)
        from audio.pyav import opened_by_pyav

        with opened_by_pyav(where, path) as reader:
            yield reader


def _sound_file(where: str | BinaryIO) -> Any | None:
    """The file opened by soundfile; None if it cannot, or if the header does not say the length, which it needs."""
    try:
        sound = soundfile.SoundFile(where)
    except (soundfile.LibsndfileError, ValueError):
        return None
    if 0 < sound.frames < 1 << 60:
        return sound
    sound.close()
    return None


@contextmanager
def binary(path: str) -> Iterator[BinaryIO]:
    """A local file or URL, open for reading. Raises DecodeError."""
    try:
        opened = fsspec.open(path, "rb").open() if is_remote(path) else Path(path).open("rb")  # noqa: SIM115
    except OSError as error:
        raise DecodeError(Reason.AUDIO_MISSING, message(error)) from error
    with opened as file:
        yield cast("BinaryIO", file)


def message(error: Exception) -> str:
    """What an exception says, without its number and path where it has a shorter form."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def in_blocks(parts: Iterable[Samples], n: int) -> Iterator[Samples]:
    """The same samples in blocks of exactly ``n``, the last one shorter."""
    waiting: list[Samples] = []
    held = 0
    for part in parts:
        waiting.append(part)
        held += len(part)
        if held >= n:
            joined = np.concatenate(waiting)
            whole = held - held % n
            yield from np.split(joined[:whole], whole // n)
            waiting, held = [joined[whole:]], held - whole
    if held:
        yield np.concatenate(waiting)
