"""Audio that soundfile does not read (MP3, M4A, WebM, AAC), by PyAV. Imported where a file needs it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

import av
import numpy as np

from audio.files import AudioFile, AudioInfo, DecodeError, Samples, binary, in_blocks, message
from schemas.reasons import Reason

GAP_S = 0.05
"""A jump of PyAV's time stamps by more than this is a hole in the recording (Opus DTX, lost packets)."""
MAX_GAP_S = 60.0
"""A jump by more than this is a broken file."""
AV_FORMATS = {"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "ogg", "mp3", "flac", "wav", "aac", "asf", "caf", "amr"}
"""What PyAV may find in a file. It would take a text or random bytes for some exotic format otherwise."""

av.logging.set_level(None)


@contextmanager
def opened_by_pyav(where: str | BinaryIO, path: str) -> Iterator[AudioFile]:
    """The file, opened; ``where`` is its path or the open file. Raises DecodeError."""
    try:
        container = av.open(where)
    except (av.FFmpegError, ValueError) as error:
        raise DecodeError(Reason.UNDECODABLE, message(error)) from error
    with container:
        yield _AvReader(container, _av_info(container), path)


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
            reason = Reason.TRUNCATED if breaks_at_its_end(self.path) else Reason.UNDECODABLE
            raise DecodeError(reason, f"after {position} frames: {message(error)}") from error


def _av_info(container: Any) -> AudioInfo:
    if container.format.name not in AV_FORMATS or not container.streams.audio:
        raise DecodeError(Reason.UNDECODABLE, f"no audio stream found (looks like {container.format.name})")
    stream = container.streams.audio[0]
    codec = stream.codec_context
    if codec is None or not codec.sample_rate or not codec.channels:
        raise DecodeError(Reason.UNDECODABLE, "the audio stream has no known codec, no sample rate or no channels")
    rate_hz = codec.sample_rate
    seconds = None
    if stream.duration is not None:
        seconds = float(stream.duration * stream.time_base)
    elif container.duration is not None:
        seconds = container.duration / av.time_base
    frames = None if seconds is None else round(seconds * rate_hz)
    return AudioInfo(rate_hz, codec.channels, frames, container.format.name.split(",")[0])


def breaks_at_its_end(path: str) -> bool:
    """Whether nothing can be decoded after the first packet that fails: then the file was cut, not damaged inside."""
    failed = False
    with binary(path) as file:
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
