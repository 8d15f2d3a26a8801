"""Audio files to float32 blocks: soundfile where it can (WAV, FLAC, OGG), PyAV for the rest (MP3, M4A, WebM).

Everything streams: memory holds one block, whatever the length of the log. A file that cannot be used raises
``DecodeError`` with the reason code it goes to quarantine with. Paths are local, or any URL fsspec knows.

MP3 goes to PyAV although soundfile reads it: soundfile's decoder writes warnings to the terminal and looks for frames
in any garbage that it meets.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any, BinaryIO, cast

import av
import fsspec
import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from audio.containers import cut_short, kind_of
from schemas.clock import samples_to_seconds, seconds_to_samples
from schemas.reasons import Reason

Samples = npt.NDArray[np.float32]

BLOCK_S = 30.0
LOAD_BLOCK_S = 3.0
"""Blocks that stay in the processor's cache on their way through the resampler: 20 % faster than 30 s."""
HEAD_BYTES = 12
GAP_S = 0.05
"""A jump of PyAV's time stamps by more than this is a hole in the recording (Opus DTX, lost packets)."""
MAX_GAP_S = 60.0
"""A jump by more than this is a broken file."""
RESAMPLER = "MQ"
"""soxr quality: 16 bits, as the logs themselves. HQ takes a fifth longer, QQ saves little and aliases."""
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


def probe(path: str) -> AudioInfo:
    """Rate, channels, length and format of a file, from its header alone. Raises DecodeError."""
    with _opened(path) as source:
        return source.info


def blocks(
    path: str, block_s: float = BLOCK_S, *, channels: Sequence[int] | None = None, rate_hz: int | None = None
) -> Iterator[Samples]:
    """The samples of a file in order: float32 of shape (n, channels), ``block_s`` seconds each, the last one shorter.

    Full scale is 1.0. ``channels`` picks and orders columns (default: all); ``rate_hz`` resamples (default: as
    recorded). Holes in the time stamps of a compressed stream are filled with silence, so that a sample's index is its
    time. Raises DecodeError where the file turns out to be bad, which may be after some blocks.
    """
    with _opened(path) as source:
        info = source.info
        if channels is not None and max(channels) >= info.channels:
            reason = Reason.MONO if info.channels == 1 else Reason.UNDECODABLE
            raise DecodeError(reason, f"channel {max(channels)} was asked for, the file has {info.channels}")
        picked = source.blocks(seconds_to_samples(block_s, info.rate_hz))
        if channels is not None and list(channels) != list(range(info.channels)):
            picked = (np.stack([block[:, channel] for channel in channels], axis=1) for block in picked)
        if rate_hz is not None and rate_hz != info.rate_hz:
            width = info.channels if channels is None else len(channels)
            picked = _resampled(picked, width, info.rate_hz, rate_hz, seconds_to_samples(block_s, rate_hz))
        total = 0
        for block in picked:
            total += len(block)
            yield block
        if total == 0:
            raise DecodeError(Reason.EMPTY_AUDIO, "the file decodes to 0 frames")


def channel_blocks(
    model_path: str, model_channel: int, user_path: str, user_channel: int, *, rate_hz: int, block_s: float = BLOCK_S
) -> Iterator[tuple[Samples, Samples]]:
    """Both channels of a log, block by block: pairs of float32 (n,) at ``rate_hz``; one decode when they share a file.

    Of two files of unequal length the shorter is padded with silence: a recorder that stops with the user's last word
    must not hide the answer that the other file holds. Raises DecodeError.
    """
    if model_path == user_path:
        for block in blocks(model_path, block_s, channels=(model_channel, user_channel), rate_hz=rate_hz):
            yield np.ascontiguousarray(block[:, 0]), np.ascontiguousarray(block[:, 1])
        return
    empty: Samples = np.zeros((0, 1), dtype=np.float32)
    model_blocks = blocks(model_path, block_s, channels=(model_channel,), rate_hz=rate_hz)
    user_blocks = blocks(user_path, block_s, channels=(user_channel,), rate_hz=rate_hz)
    for model, user in zip_longest(model_blocks, user_blocks, fillvalue=empty):
        n = max(len(model), len(user))
        yield np.pad(model[:, 0], (0, n - len(model))), np.pad(user[:, 0], (0, n - len(user)))


def load_channels(
    model_path: str, model_channel: int, user_path: str, user_channel: int, *, rate_hz: int = 16_000
) -> tuple[Samples, Samples]:
    """Both channels of a log at ``rate_hz``, whole: float32 (n,) each, as ``channel_blocks`` gives them."""
    pairs = list(
        channel_blocks(model_path, model_channel, user_path, user_channel, rate_hz=rate_hz, block_s=LOAD_BLOCK_S)
    )
    return np.concatenate([model for model, _ in pairs]), np.concatenate([user for _, user in pairs])


def _resampled(parts: Iterable[Samples], width: int, from_hz: int, to_hz: int, n: int) -> Iterator[Samples]:
    stream = soxr.ResampleStream(from_hz, to_hz, width, dtype="float32", quality=RESAMPLER)
    chunks = (stream.resample_chunk(part) for part in parts)
    rest = (stream.resample_chunk(np.zeros((0, width), dtype=np.float32), last=True) for _ in range(1))
    return _in_blocks(chain(chunks, rest), n)


def _in_blocks(parts: Iterable[Samples], n: int) -> Iterator[Samples]:
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


@dataclass
class _SoundfileSource:
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
        if self.info.frames is not None and read < self.info.frames:
            raise DecodeError(Reason.TRUNCATED, f"the header promises {self.info.frames} frames, {read} are there")


@dataclass
class _AvSource:
    container: Any
    info: AudioInfo
    path: str

    def blocks(self, n: int) -> Iterator[Samples]:
        return _in_blocks(self._frames(), n)

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
def _opened(path: str) -> Iterator[_SoundfileSource | _AvSource]:
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
                yield _SoundfileSource(sound, info, path)
            return
        file.seek(0)
        try:
            container = av.open(where)
        except (av.FFmpegError, ValueError) as error:
            raise DecodeError(Reason.UNDECODABLE, _message(error)) from error
        with container:
            yield _AvSource(container, _av_info(container), path)


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
