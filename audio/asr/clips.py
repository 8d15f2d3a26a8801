"""Clips for a recogniser: a channel's own speech cut out of the log and put together, everything else left out.

What lies between two pieces of own speech (silence, noise, the leak of the other channel) is never in a clip: silence
takes its place, shortened to ``gap_s``. ``to_log`` puts the times of words back on the log's clock.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, NonNegativeFloat, PositiveFloat

from audio.frames import FRAME_MS, RATE_HZ, Samples, frame_powers
from schemas.clock import Seconds, array_to_ms, seconds_to_samples

_PER_MS = RATE_HZ // 1000
_PER_FRAME = FRAME_MS * _PER_MS
_QUIET_FRAMES = 5


class ClipConfig(BaseModel):
    """How own speech becomes clips."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    pad_s: NonNegativeFloat = 0.12
    """Kept on both sides of own speech, seconds: the VAD cuts into soft beginnings and endings."""
    gap_s: PositiveFloat = 0.4
    """Longest silence left between two pieces of one clip, seconds; a longer one is shortened to this."""
    quietest_within_s: PositiveFloat = 5.0
    """Speech longer than a clip may be is cut at its quietest place in this last part of the clip, seconds."""


@dataclass(frozen=True)
class Clip:
    """Sound for a recogniser: float32 (n,) at 16 kHz.

    ``clip_s`` and ``log_s``, both (2k,), are the edges of its k pieces on the clip's and on the log's clock.
    """

    samples: Samples
    clip_s: Seconds
    log_s: Seconds


@dataclass
class Cutter:
    """Makes the clips of one channel while its samples go by; holds no more than one clip and one block.

    ``speech_s``: own speech (n, 2) in order. Own silence longer than ``apart_s`` ends a clip, and no clip is longer
    than ``max_clip_s``.
    """

    speech_s: Seconds
    max_clip_s: float
    apart_s: float
    config: ClipConfig = field(default_factory=ClipConfig)

    def __post_init__(self) -> None:
        self._spans = _padded(self.speech_s, self.config.pad_s)
        self._longest = seconds_to_samples(self.max_clip_s, RATE_HZ)
        self._gap = seconds_to_samples(self.config.gap_s, RATE_HZ)
        self._at = 0
        self._span = 0
        self._parts: list[Samples] = []
        """What is there of the span that is going by, ..."""
        self._begin = 0
        """... from this sample of the log on."""
        self._pieces: list[tuple[int, Samples]] = []
        """Whole spans of the next clip, each with its place in the log."""

    def add(self, block: Samples) -> Iterator[Clip]:
        """Take the channel's next samples, float32 (n,); gives the clips that they complete."""
        start, self._at = self._at, self._at + len(block)
        while self._span < len(self._spans) and self._spans[self._span, 0] < self._at:
            low, high = self._spans[self._span]
            if not self._parts:
                self._begin = int(low)
            self._parts.append(block[max(low - start, 0) : high - start])
            yield from self._too_long()
            if high > self._at:
                return
            yield from self._take(self._flush())
            self._span += 1

    def finish(self) -> Iterator[Clip]:
        """The log has ended: what is left, one clip at most."""
        if self._parts:
            yield from self._take(self._flush())
        if self._pieces:
            yield self._clip()

    def _flush(self) -> tuple[int, Samples]:
        piece = self._begin, np.concatenate(self._parts)
        self._parts = []
        return piece

    def _too_long(self) -> Iterator[Clip]:
        """Cut speech that goes on for longer than a clip may, where it is quietest."""
        while sum(map(len, self._parts)) > self._longest:
            begin, samples = self._flush()
            cut = self._quietest(samples[: self._longest])
            yield from self._take((begin, samples[:cut]))
            self._begin, self._parts = begin + cut, [samples[cut:]]

    def _quietest(self, samples: Samples) -> int:
        within = seconds_to_samples(self.config.quietest_within_s, RATE_HZ)
        first = max(len(samples) - within, len(samples) // 2)
        powers = frame_powers(samples[first:])
        # over 50 ms, so that a stop inside a word is no pause
        smooth = np.convolve(powers, np.ones(_QUIET_FRAMES), mode="valid")
        return first + int(np.argmin(smooth)) * _PER_FRAME + _QUIET_FRAMES * _PER_FRAME // 2

    def _take(self, piece: tuple[int, Samples]) -> Iterator[Clip]:
        """Put speech into the clip, or the clip away first if they do not belong together."""
        if self._pieces:
            last, samples = self._pieces[-1]
            silence_s = (piece[0] - last - len(samples)) / RATE_HZ + 2 * self.config.pad_s
            length = sum(len(held) + self._gap for _, held in self._pieces) + len(piece[1])
            if silence_s > self.apart_s or length > self._longest:
                yield self._clip()
        self._pieces.append(piece)

    def _clip(self) -> Clip:
        begins = np.array([begin for begin, _ in self._pieces])
        lengths = np.array([len(samples) for _, samples in self._pieces])
        gaps = np.minimum(begins[1:] - begins[:-1] - lengths[:-1], self._gap)
        starts = np.concatenate([[0], np.cumsum(lengths[:-1] + gaps)])
        samples = np.zeros(starts[-1] + lengths[-1], dtype=np.float32)
        for start, (_, held) in zip(starts, self._pieces, strict=True):
            samples[start : start + len(held)] = held
        self._pieces = []
        edges = [np.stack([at, at + lengths], axis=1).ravel() / RATE_HZ for at in (starts, begins)]
        return Clip(samples, edges[0], edges[1])


def to_log(words: pl.DataFrame, clips: Sequence[Clip]) -> pl.DataFrame:
    """Words of clips (``CLIP_WORDS``) with their times on the log's clock and without ``clip``.

    Exact inside own speech; a time in a shortened silence lies in the same part of the real one.
    """
    if not clips:
        return words.drop("clip")
    apart_s = 2 * max(float(clip.clip_s[-1]) for clip in clips) + 1
    on_clips = np.concatenate([clip.clip_s + i * apart_s for i, clip in enumerate(clips)])
    on_log = np.concatenate([clip.log_s for clip in clips])
    offset_s = words["clip"].to_numpy() * apart_s
    last_s = np.array([clip.clip_s[-1] for clip in clips])[words["clip"].to_numpy()]

    def moved(times_s: NDArray[np.float64]) -> pl.Series:
        return pl.Series(np.interp(np.clip(times_s, 0, last_s) + offset_s, on_clips, on_log))

    return words.drop("clip").with_columns(
        moved(words["start_s"].to_numpy()).alias("start_s"), moved(words["end_s"].to_numpy()).alias("end_s")
    )


def _padded(speech_s: Seconds, pad_s: float) -> NDArray[np.int64]:
    """Speech as samples [start, stop) with its padding; two that would touch share the silence between them."""
    spans = array_to_ms(speech_s).reshape(-1, 2) * _PER_MS
    pad = seconds_to_samples(pad_s, RATE_HZ)
    middle = (spans[:-1, 1] + spans[1:, 0]) // 2
    low, high = spans[:, 0] - pad, spans[:, 1] + pad
    low[1:], high[:-1] = np.maximum(low[1:], middle), np.minimum(high[:-1], middle)
    return np.stack([np.maximum(low, 0), high], axis=1)
