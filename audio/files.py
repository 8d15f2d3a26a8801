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

import av
import fsspec
import numpy as np
import numpy.typing as npt
import soundfile

from audio.containers import cut_short, kind_of
from schemas.clock import samples_to_seconds
from schemas.reasons import Reason

Samples = npt.NDArray[np.float32]

HEAD_BYTES = 12
GAP_S = 0.05
"""A jump of PyAV's time stamps by more than this is a hole in the recording (Opus DTX, lost packets)."""
MAX_GAP_S = 60.0
"""A jump by more than this is a broken file."""
SOUNDFILE_KINDS = ("wav", "flac", "ogg", "aiff", "caf", "w64", "au", "nist")
AV_FORMATS = {"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "ogg", "mp3", "flac", "wav", "aac", "asf", "caf", "amr"}
"""What PyAV may find in a file. It would take a text or random bytes for some exotic format otherwise."""

av.logging.set_level(None)


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
            reason = Reason.TRUNCATED if _breaks_at_its_end(self.path) else Reason.UNDECODABLE
            raise DecodeError(reason, f"after {read} of {self.info.frames} frames: {error}") from error
        if read < (self.info.frames or 0):
            raise DecodeError(Reason.TRUNCATED, f"the header promises {self.info.frames} frames, {read} are there")


@dataclass
class _AvReader:
    container: Any
    info: AudioInfo
    path: str

    def blocks(self, n: int) -> Iterator[Samples]:
        return in_blocks(self._frames(), n)

    def _frames(self) -> Iterator[Samples]:
        stream = self.container.streams.audio[0]
        to_float = av.AudioResampler(format="fltp")
        rate_hz, position = self.info.rate_hz, 0
        start_s: float | None = None
        try:
            for frame in self.container.decode(stream):
                if frame.time is not None:
                    start_s = frame.time if start_s is None else start_s
                    hole = frame.time - start_s - position / rate_hz
                    if hole > MAX_GAP_S:
                        raise DecodeError(Reason.UNDECODABLE, f"time stamps jump by {hole:.1f} s")
                    if hole > GAP_S:
                        silence = np.zeros((round(hole * rate_hz), self.info.channels), dtype=np.float32)
                        position += len(silence)
                        yield silence
                for converted in to_float.resample(frame):
                    samples = np.ascontiguousarray(converted.to_ndarray().T, dtype=np.float32)
                    position += len(samples)
                    yield samples
        except (av.FFmpegError, ValueError) as error:
            reason = Reason.TRUNCATED if _breaks_at_its_end(self.path) else Reason.UNDECODABLE
            raise DecodeError(reason, f"after {position} frames: {_message(error)}") from error


@contextmanager
def opened(path: str) -> Iterator[AudioFile]:
    """The right decoder, opened; a file that is missing, empty or cut short by its own account raises DecodeError."""
    with _binary(path) as file:
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
        try:
            container = av.open(where)
        except (av.FFmpegError, ValueError) as error:
            raise DecodeError(Reason.UNDECODABLE, _message(error)) from error
        with container:
            yield _AvReader(container, _av_info(container), path)


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


def _av_info(container: Any) -> AudioInfo:
    if container.format.name not in AV_FORMATS or not container.streams.audio:
        raise DecodeError(Reason.UNDECODABLE, f"no audio stream found (looks like {container.format.name})")
    stream = container.streams.audio[0]
    rate_hz = stream.codec_context.sample_rate
    if not rate_hz:
        raise DecodeError(Reason.UNDECODABLE, "the audio stream has no sample rate")
    seconds = None
    if stream.duration is not None:
        seconds = float(stream.duration * stream.time_base)
    elif container.duration is not None:
        seconds = container.duration / av.time_base
    frames = None if seconds is None else round(seconds * rate_hz)
    return AudioInfo(rate_hz, stream.codec_context.channels, frames, container.format.name.split(",")[0])


def _breaks_at_its_end(path: str) -> bool:
    """Whether nothing can be decoded after the first packet that fails: then the file was cut, not damaged inside."""
    failed = False
    with _binary(path) as file:
        try:
            with av.open(file, mode="r") as container:
                for packet in container.demux(audio=0):
                    try:
                        decoded = bool(packet.decode())
                    except av.FFmpegError:
                        failed, decoded = True, False
                    if failed and decoded:
                        return False
        except av.FFmpegError:
            return True
    return failed


@contextmanager
def _binary(path: str) -> Iterator[BinaryIO]:
    try:
        opened = fsspec.open(path, "rb").open() if is_remote(path) else Path(path).open("rb")  # noqa: SIM115
    except OSError as error:
        raise DecodeError(Reason.AUDIO_MISSING, _message(error)) from error
    with opened as file:
        yield cast("BinaryIO", file)


def _message(error: Exception) -> str:
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
