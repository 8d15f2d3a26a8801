"""A long channel heard window by window, and its speakers known again from one window to the next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from audio.diarize import SPEAKER_TURNS, DiarizeOptions
from audio.frames import RATE_HZ, Samples
from schemas.clock import IntMs, Seconds, array_to_ms, array_to_s, seconds_to_samples, to_ms

FAR = 2.0
"""The largest cosine distance; that of a voice without an embedding from any other."""


@dataclass(frozen=True)
class Window:
    """Samples (n,) that begin at ``start_s`` of the channel; the whole channel is in the windows, with overlaps."""

    start_s: float
    samples: Samples


@dataclass(frozen=True)
class Turns:
    """Turns of a window: times (n,) in ms on the channel's clock, voices (n,) as rows of ``embeddings`` (k, d)."""

    start: IntMs
    end: IntMs
    voice: NDArray[np.int64]
    embeddings: NDArray[np.float64]


def windows(blocks: Iterable[Samples], window_s: float, overlap_s: float) -> Iterator[Window]:
    """The channel in windows of ``window_s``; each shares ``overlap_s`` with the next. The last may be shorter."""
    length, shared = seconds_to_samples(window_s, RATE_HZ), seconds_to_samples(overlap_s, RATE_HZ)
    held, first = np.zeros(0, dtype=np.float32), 0
    waiting, n = [held], 0
    for block in blocks:
        waiting.append(block)
        n += len(block)
        if n >= length:
            held = np.concatenate(waiting)
            while len(held) >= length:
                yield Window(first / RATE_HZ, held[:length])
                held, first = held[length - shared :], first + length - shared
            waiting, n = [held.copy()], len(held)
    if n > (shared if first else 0):
        yield Window(first / RATE_HZ, np.concatenate(waiting))


def own_speech(window: Window, speech_s: Seconds) -> Samples | None:
    """The window's samples with all but ``speech_s`` (m, 2) muted; None where nobody speaks in it."""
    spans = np.clip(_samples(speech_s) - _samples(np.array([window.start_s])), 0, len(window.samples))
    spans = spans[spans[:, 1] > spans[:, 0]]
    if not len(spans):
        return None
    muted = np.zeros_like(window.samples)
    for first, last in spans:
        muted[first:last] = window.samples[first:last]
    return muted


class Stitcher:
    """The speakers of a channel so far: what each said in the last window, and the voice they have."""

    def __init__(self, options: DiarizeOptions) -> None:
        self._options = options
        self._voices = np.zeros((0, 0))
        self._spoken = np.zeros(0)
        self._last: Turns | None = None
        self._from = 0
        self._parts: list[tuple[IntMs, IntMs, NDArray[np.int64]]] = []

    def add(self, start_s: float, turns: Turns) -> None:
        """The next window's turns. Before the middle of what it shares with the last window, that one is believed."""
        speaker = self._known(start_s, turns)
        self._remember(turns, speaker)
        heard = Turns(turns.start, turns.end, speaker[turns.voice], turns.embeddings)
        cut = to_ms(start_s + self._options.overlap_s / 2) if start_s else 0
        self._close(cut)
        self._last, self._from = heard, cut

    def turns(self, speech_s: Seconds) -> pl.DataFrame:
        """All turns inside ``speech_s`` (m, 2), columns ``SPEAKER_TURNS``."""
        self._close(np.iinfo(np.int64).max)
        self._last = None
        if not self._parts:
            return SPEAKER_TURNS.to_frame()
        start, end, speaker = (np.concatenate(column) for column in zip(*self._parts, strict=True))
        start, end, speaker = _joined(*_inside(start, end, speaker, array_to_ms(speech_s)))
        order = np.lexsort((end, start))
        _, first, number = np.unique(speaker[order], return_index=True, return_inverse=True)
        rank = np.argsort(np.argsort(first)) + 1
        return pl.DataFrame(
            {
                "start_s": array_to_s(start[order]),
                "end_s": array_to_s(end[order]),
                "speaker": [f"S{one}" for one in rank[number]],
            },
            schema=SPEAKER_TURNS,
        )

    def _known(self, start_s: float, turns: Turns) -> NDArray[np.int64]:
        """The speaker (k,) of each voice of a window: one it shares speech with, one it sounds like, or a new one."""
        n_voices, n_speakers = len(turns.embeddings), len(self._voices)
        speaker = np.full(n_voices, -1)
        if self._last is not None:
            shared = _shared_s(turns, n_voices, self._last, n_speakers, to_ms(start_s))
            for voice, old in zip(*linear_sum_assignment(shared, maximize=True), strict=True):
                if shared[voice, old] >= self._options.shared_speech_s:
                    speaker[voice] = old
        left = np.flatnonzero(speaker < 0)
        free = np.setdiff1d(np.arange(n_speakers), speaker)
        if len(left) and len(free):
            distance = np.nan_to_num(cdist(turns.embeddings[left], self._voices[free], "cosine"), nan=FAR)
            for voice, old in zip(*linear_sum_assignment(distance), strict=True):
                if distance[voice, old] <= self._options.same_voice:
                    speaker[left[voice]] = free[old]
        new = np.flatnonzero(speaker < 0)
        speaker[new] = n_speakers + np.arange(len(new))
        return speaker

    def _remember(self, turns: Turns, speaker: NDArray[np.int64]) -> None:
        """Each speaker's voice is the mean of their windows' embeddings, weighted by the time they spoke."""
        n_new = max(int(speaker.max(initial=-1)) + 1 - len(self._voices), 0)
        dimension = turns.embeddings.shape[1]
        self._voices = np.concatenate([self._voices.reshape(-1, dimension), np.zeros((n_new, dimension))])
        self._spoken = np.concatenate([self._spoken, np.zeros(n_new)])
        spoken_s = np.bincount(turns.voice, turns.end - turns.start, minlength=len(speaker)) / 1000
        usable = np.isfinite(turns.embeddings).all(axis=1) & turns.embeddings.any(axis=1) & (spoken_s > 0)
        who, weight = speaker[usable], spoken_s[usable]
        total = self._spoken[who] + weight
        old, new = self._voices[who], turns.embeddings[usable]
        self._voices[who] = (old * self._spoken[who, None] + new * weight[:, None]) / total[:, None]
        self._spoken[who] = total

    def _close(self, until: int) -> None:
        """What the last window is believed for: from where it took over to ``until``, ms."""
        if self._last is None:
            return
        start, end = np.maximum(self._last.start, self._from), np.minimum(self._last.end, until)
        kept = end > start
        self._parts.append((start[kept], end[kept], self._last.voice[kept]))


def _samples(seconds: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.asarray(array_to_ms(seconds) * (RATE_HZ // 1000))


def _shared_s(turns: Turns, n_voices: int, last: Turns, n_speakers: int, since: int) -> NDArray[np.float64]:
    """Seconds from ``since`` (ms) on that voices of two windows speak at once, shape (n_voices, n_speakers)."""
    late = last.end > since
    start, end, voice = last.start[late], last.end[late], last.voice[late]
    both = np.minimum(turns.end[:, None], end) - np.maximum(turns.start[:, None], start)
    shared = np.zeros((n_voices, n_speakers))
    np.add.at(shared, (turns.voice[:, None], voice[None, :]), np.maximum(both, 0) / 1000)
    return shared


def _inside(
    start: IntMs, end: IntMs, speaker: NDArray[np.int64], spans: IntMs
) -> tuple[IntMs, IntMs, NDArray[np.int64]]:
    """The parts of turns (n,) that lie inside spans (m, 2), which are in order and apart."""
    first = np.searchsorted(spans[:, 1], start, side="right")
    counts = np.maximum(np.searchsorted(spans[:, 0], end) - first, 0)
    turn = np.repeat(np.arange(len(start)), counts)
    span = np.arange(len(turn)) - np.repeat(np.cumsum(counts) - counts, counts) + first[turn]
    return np.maximum(start[turn], spans[span, 0]), np.minimum(end[turn], spans[span, 1]), speaker[turn]


def _joined(start: IntMs, end: IntMs, speaker: NDArray[np.int64]) -> tuple[IntMs, IntMs, NDArray[np.int64]]:
    """One speaker's turns that touch are one."""
    order = np.lexsort((start, speaker))
    start, end, speaker = start[order], end[order], speaker[order]
    first = np.flatnonzero(np.r_[True, (speaker[1:] != speaker[:-1]) | (start[1:] > end[:-1])][: len(start)])
    return start[first], end[np.r_[first[1:], len(end)] - 1] if len(first) else end, speaker[first]
