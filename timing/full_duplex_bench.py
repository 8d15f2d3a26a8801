"""The measures of Full-Duplex-Bench (arXiv 2503.04721, 2507.23159) on one sample: takeover, latency, backchannels.

Each measure stands here twice. The plain one is what the benchmark means; ``*_compat`` is what its scripts compute,
quirks and all, so that published tables can be matched (docs/figures.md lists where the two part). Times are seconds
on the sample's clock; words and segments are arrays of shape (n, 2) with start and end, in order. The end of a word may
be NaN, as recognisers leave the last one open.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from schemas.clock import array_to_ms, array_to_s, round_s
from timing.intervals import Spans, union

Times = NDArray[np.float64]
"""Starts and ends in seconds, shape (n, 2)."""


class BenchRules(BaseModel):
    """Thresholds of Full-Duplex-Bench, and the one that is ours (``utterance_pause_ms``)."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    turn_ms: int = Field(1000, ge=0)
    """Speech at least this long is a turn, whatever its words."""
    turn_words: int = Field(3, ge=0)
    """Shorter speech is one with more words than this."""
    backchannel_words: int = Field(2, ge=0)
    """A backchannel is shorter than a turn and has at most so many words."""
    speaking_ms: int = Field(3000, ge=0)
    """Compat: a segment longer than this ends the count of backchannels."""
    bin_ms: int = Field(200, ge=1)
    """Width of the bins in which backchannels are held against people's."""
    user_bridge_ms: int = Field(600, ge=0)
    """v1.5: pauses of the user up to this are bridged."""
    model_bridge_ms: int = Field(500, ge=0)
    """v1.5: pauses of the model up to this are bridged."""
    utterance_pause_ms: int = Field(1000, ge=0)
    """Words and segments with pauses up to this between them are one utterance."""


@dataclass(frozen=True)
class Takeover:
    """Whether the model took the turn; the latency from the mark and the span of the speech that took it, seconds."""

    taken: bool
    latency_s: float | None = None
    span_s: float | None = None


@dataclass(frozen=True)
class Backchannels:
    """Whether the model took a turn instead of listening, and its backchannels: per second, and against people's."""

    taken: bool
    per_s: float
    jsd: float | None


@dataclass(frozen=True)
class Latencies:
    """Seconds until the model stops, and until it responds, as many as there are (v1.5)."""

    stop_s: Times
    response_s: Times


@dataclass(frozen=True)
class Window:
    """Which utterances may be the one that takes the turn: by when they start and end, seconds."""

    starts_from_s: float = -np.inf
    starts_before_s: float = np.inf
    ends_after_s: float = -np.inf


def takeover(words: Times, window: Window, rules: BenchRules, *, mark_s: float | None) -> Takeover:
    """The first utterance of the model in the window that is a turn.

    Latency is its start minus the mark, negative where it began before; none without a mark.
    """
    utterances, count = _utterances(words, rules)
    is_turn = (utterances.length >= rules.turn_ms) | (count > rules.turn_words)
    start, end = array_to_s(utterances.start), array_to_s(utterances.end)
    inside = (start >= window.starts_from_s) & (start < window.starts_before_s) & (end > window.ends_after_s)
    found = np.flatnonzero(is_turn & inside)
    if not len(found):
        return Takeover(False)
    first = found[0]
    latency = None if mark_s is None else round_s(start[first] - mark_s)
    return Takeover(True, latency, round_s(end[first] - start[first]))


def takeover_compat(words: Times, rules: BenchRules, *, mark_s: float | None) -> Takeover:
    """All words of the recording as one stretch, wherever they lie. Latency as it is; ``compat_mean`` clamps it."""
    if not len(words):
        return Takeover(False)
    last = words[-1, 0] if np.isnan(words[-1, 1]) else words[-1, 1]
    span = float(last - words[0, 0])
    if span < rules.turn_ms / 1000 and len(words) <= rules.turn_words:
        return Takeover(False, None, span)
    return Takeover(True, None if mark_s is None else float(words[0, 0] - mark_s), span)


def compat_mean(latencies: list[float]) -> float | None:
    """Mean latency as the scripts have it: a negative one counts as 0."""
    return float(np.mean(np.maximum(latencies, 0))) if latencies else None


def backchannels(
    segments: Times, words: Times, duration_s: float, people: Times | None, rules: BenchRules
) -> Backchannels:
    """Utterances of the model (segments with short pauses bridged) are turns or backchannels, and counted as such.

    ``people`` is the reference distribution over the sample's time, shape (m,). The Jensen-Shannon distance is in
    bits, so it lies in 0..1; it is 1 where there is no backchannel.
    """
    utterances, _ = _utterances(segments, rules)
    start, end = array_to_s(utterances.start), array_to_s(utterances.end)
    inside = (words[None, :, 0] < end[:, None]) & (_ends(words)[None, :] > start[:, None])
    short = utterances.length < rules.turn_ms
    listening = short & (inside.sum(axis=1) <= rules.backchannel_words)
    found = np.stack((start, end), axis=1)[listening]
    return Backchannels(
        bool(np.any(~listening)), len(found) / duration_s, _distance(found, duration_s, people, rules, base=2)
    )


def backchannels_compat(
    segments: Times, words: Times, duration_s: float, people: Times | None, rules: BenchRules
) -> Backchannels:
    """As the script: every segment up to the first longer than 3 s counts, and the last one decides on the turn.

    Segments are rounded to 0.1 s, as the Silero package does. The distance is in nats (at most
    0.83), yet 1 without backchannels.
    """
    segments = np.round(segments, 1)
    length = segments[:, 1] - segments[:, 0]
    speaking = np.flatnonzero(length > rules.speaking_ms / 1000)
    counted = segments[: speaking[0]] if len(speaking) else segments
    taken = bool(len(speaking))
    if not taken and len(segments):
        n_words = _words_of_script(segments[-1], words)
        taken = bool(n_words > rules.backchannel_words or length[-1] >= rules.turn_ms / 1000)
    distance = _distance(counted, duration_s, people, rules, base=None)
    return Backchannels(taken, len(counted) / duration_s, distance)


def _words_of_script(segment: Times, words: Times) -> int:
    """Words of a segment by the script's three conditions; an open end inside the segment passes the word over."""
    start, end = segment
    begin, stop = words[:, 0], _ends(words)
    usable = ~np.isnan(begin) & ~(np.isnan(words[:, 1]) & (begin < end))
    inside = ((begin >= start) & (stop <= end)) | ((begin <= end) & (stop > end)) | ((begin <= start) & (stop > start))
    return int(np.sum(usable & inside))


def _distance(
    found: Times, duration_s: float, people: Times | None, rules: BenchRules, base: float | None
) -> float | None:
    if people is None:
        return None
    if not len(found):
        return 1.0
    from scipy.spatial.distance import jensenshannon  # half a second that no other command needs

    bin_s = rules.bin_ms / 1000
    n_bins = int(duration_s / bin_s) + 1
    bins = np.zeros(n_bins + 1)
    first, last = (found / bin_s).astype(np.int64).T
    np.add.at(bins, np.minimum(first, n_bins), 1)
    np.add.at(bins, np.minimum(last + 1, n_bins), -1)
    histogram = np.cumsum(bins)[:n_bins] + 1e-10
    reference = np.interp(np.linspace(0, 1, n_bins), np.linspace(0, 1, len(people)), people)
    return float(jensenshannon(histogram / histogram.sum(), reference, base))


def latencies(model: Times, event: tuple[float, float], rules: BenchRules) -> Latencies:
    """Of the event alone: how long a model that was speaking at its start talks on, and when it speaks again.

    The response is counted from the end of the event and is negative where the model began before.
    """
    spoken = _merged(model, rules.model_bridge_ms)
    running = spoken[(spoken[:, 0] < event[0]) & (spoken[:, 1] > event[0])]
    after = spoken[spoken[:, 0] >= event[0]][:1]
    return Latencies(running[:, 1] - event[0], after[:, 0] - event[1])


def latencies_compat(user: Times, model: Times, rules: BenchRules) -> Latencies:
    """Of the whole recording: every overlap is a stop, whoever began it; every silence after the user a response."""
    user, model = _merged(user, rules.user_bridge_ms), _merged(model, rules.model_bridge_ms)
    start = np.maximum(user[:, None, 0], model[None, :, 0])
    end = np.minimum(user[:, None, 1], model[None, :, 1])
    stop = np.asarray(np.round(end, 3) - np.round(start, 3), dtype=np.float64)[end > start]
    next_start = np.searchsorted(model[:, 0], user[:, 1], side="right")
    # Of several user segments before one response the last one counts.
    is_last = np.append(np.diff(next_start) > 0, True)[: len(user)]
    last = np.flatnonzero(is_last & (next_start < len(model)))
    response = np.round(model[next_start[last], 0], 3) - np.round(user[last, 1], 3)
    return Latencies(stop, np.asarray(response, dtype=np.float64))


def _merged(segments: Times, gap_ms: int) -> Times:
    """Segments in order with gaps up to ``gap_ms`` closed."""
    if not len(segments):
        return segments
    apart = np.append(True, segments[1:, 0] - np.maximum.accumulate(segments[:-1, 1]) > gap_ms / 1000)
    first = np.flatnonzero(apart)
    return np.stack((segments[first, 0], np.maximum.reduceat(segments[:, 1], first)), axis=1)


def _ends(words: Times) -> Times:
    """Ends of words, the start where an end is open."""
    return np.where(np.isnan(words[:, 1]), words[:, 0], words[:, 1])


def _utterances(words: Times, rules: BenchRules) -> tuple[Spans, NDArray[np.int64]]:
    """Words or segments merged across pauses, and how many are in each."""
    known = words[~np.isnan(words[:, 0])]
    start = array_to_ms(known[:, 0])
    end = np.maximum(array_to_ms(_ends(known)), start + 1)
    spans, owner = union(np.zeros(len(start), dtype=np.int64), start, end, rules.utterance_pause_ms)
    return spans, np.bincount(owner, minlength=len(spans)).astype(np.int64)
