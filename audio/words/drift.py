"""Word times that are off as a whole: an offset of a channel, constant or in steps, that puts its words on its speech.

Recognisers lose seconds after a long silence and go on with what they lost; tools that cut or pad audio shift all.
Words that run together are one stretch. Of every stretch it is counted how much of it each offset would put in speech;
dynamic programming finds the best sequence of offsets, where every change of the offset costs. It is taken only if it
does away with most of the disagreement, keeps the order, and rests on several stretches; otherwise the times stay.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from audio.words.channels import APART_MS, Mask, Speech, neighbours_differ
from audio.words.config import MendConfig
from schemas.clock import IntMs, to_ms

_AT_ONCE = 4000
"""Stretches searched at once: bounds the memory (stretches x offsets)."""


def offsets(start: IntMs, end: IntMs, speech: Speech, config: MendConfig) -> IntMs:
    """Milliseconds to add to the times of each word, shape (n,). Words are in order on the axis of ``channels``."""
    shift = np.zeros(len(start), dtype=np.int64)
    if not len(start) or not len(speech) or not config.max_offset_s:
        return shift
    run = _runs(start, end, to_ms(config.bridge_s))
    first = np.flatnonzero(np.append(True, run[1:] != run[:-1]))
    run_start, run_end = start[first], np.maximum.reduceat(end, first)
    channel_first, _ = neighbours_differ(run_start // APART_MS)
    channel = np.cumsum(channel_first) - 1
    length = np.bincount(channel, run_end - run_start)
    agreed = np.bincount(channel, speech.until(run_end) - speech.until(run_start))
    enough = np.bincount(channel) >= config.offset_runs
    suspect = np.flatnonzero(enough & (length - agreed > config.offset_suspect * length))
    moved = np.zeros(len(first), dtype=np.int64)
    which = np.flatnonzero(np.isin(channel, suspect))
    for part in _parts(channel[which]):
        index = which[part]
        moved[index] = _best(run_start[index], run_end[index], speech, config)
    return np.asarray(moved[run], dtype=np.int64)


def _runs(start: IntMs, end: IntMs, gap_ms: int) -> IntMs:
    """Number of the stretch of every word: a new one begins after a gap of ``gap_ms`` or another channel."""
    reach = np.maximum.accumulate(end)
    return np.asarray(np.cumsum(np.append(False, start[1:] - reach[:-1] >= gap_ms)), dtype=np.int64)


def _parts(channel: IntMs) -> list[slice]:
    """Slices of about ``_AT_ONCE`` stretches, each of whole channels."""
    edges = np.searchsorted(channel, channel[::_AT_ONCE], side="left") if len(channel) else np.zeros(0, dtype=np.int64)
    cuts = np.unique(np.append(edges, len(channel)))
    return [slice(int(a), int(b)) for a, b in pairwise(cuts)]


def _best(start: IntMs, end: IntMs, speech: Speech, config: MendConfig) -> IntMs:
    """Offsets of stretches (n,) of whole channels; 0 where there is no clearly better one."""
    step = to_ms(config.offset_step_s)
    reach = to_ms(config.max_offset_s) // step
    tried = np.arange(-reach, reach + 1) * step
    in_speech = speech.until(end[:, None] + tried) - speech.until(start[:, None] + tried)
    opens, _ = neighbours_differ(start // APART_MS)
    path = _cheapest_path(in_speech, opens, to_ms(config.offset_cost_s), int(reach))
    segment = np.cumsum(opens | np.append(True, path[1:] != path[:-1])) - 1
    first = np.flatnonzero(np.append(True, segment[1:] != segment[:-1]))
    total = np.add.reduceat(in_speech, first, axis=0)
    ties = total == total.max(axis=1, keepdims=True)
    # Of all offsets that fit equally well the middle one; none, if they lie anywhere or the times fit as they are.
    low, high = tried[ties.argmax(axis=1)], tried[len(tried) - 1 - ties[:, ::-1].argmax(axis=1)]
    clear = (high - low <= to_ms(config.apart_s)) & ~ties[:, reach] & (np.bincount(segment) >= config.offset_runs)
    shift = np.where(clear, (low + high) // 2, 0)[segment]
    return np.where(_clearly_better(start, end, shift, speech, config), shift, 0)


def _cheapest_path(in_speech: IntMs, opens: Mask, cost: int, stays: int) -> IntMs:
    """Index of the offset of every stretch that brings the most speech, less ``cost`` for every change of it.

    ``in_speech`` is (n, offsets), ``opens`` marks the first stretch of a channel, ``stays`` is the index of no offset.
    """
    channel_start = np.flatnonzero(opens)
    count = np.diff(np.append(channel_start, len(opens)))
    kept = np.zeros(in_speech.shape, dtype=np.bool_)
    best_before = np.zeros(len(in_speech), dtype=np.int64)
    score = np.full((len(channel_start), in_speech.shape[1]), -cost, dtype=np.int64)
    score[:, stays] = 0
    for nth in range(int(count.max(initial=0))):
        alive = np.flatnonzero(count > nth)
        row = channel_start[alive] + nth
        before = score[alive]
        best_before[row] = before.argmax(axis=1)
        changed = before.max(axis=1, keepdims=True) - cost
        kept[row] = before >= changed
        score[alive] = np.maximum(before, changed) + in_speech[row]
    path = np.zeros(len(in_speech), dtype=np.int64)
    here = score.argmax(axis=1)
    for nth in range(int(count.max(initial=0)) - 1, -1, -1):
        alive = np.flatnonzero(count > nth)
        row = channel_start[alive] + nth
        path[row] = here[alive]
        here[alive] = np.where(kept[row, here[alive]], here[alive], best_before[row])
    return path


def _clearly_better(
    start: IntMs, end: IntMs, shift: IntMs, speech: Speech, config: MendConfig
) -> npt.NDArray[np.bool_]:
    """For every stretch: its channel agrees far better with the offsets, and its stretches stay in order."""
    opens, _ = neighbours_differ(start // APART_MS)
    channel = np.cumsum(opens) - 1
    length = np.bincount(channel, end - start)
    inside = [np.bincount(channel, speech.until(end + by) - speech.until(start + by)) for by in (0, shift)]
    outside_now = np.minimum((1 - config.offset_gain) * (length - inside[0]), config.offset_suspect * length)
    better = length - inside[1] <= outside_now
    fills = inside[1] >= config.offset_fill * _held_ms(start + shift, end + shift, opens, speech)
    crossing = np.append(False, (start + shift)[1:] < (end + shift)[:-1]) & ~opens
    keeps_order = np.bincount(channel, crossing) == 0
    return np.asarray((better & fills & keeps_order)[channel], dtype=np.bool_)


def _held_ms(start: IntMs, end: IntMs, opens: Mask, speech: Speech) -> IntMs:
    """Length of all the speech that any stretch of a channel lies in, by channel."""
    touched = np.zeros(len(speech) + 1, dtype=np.int64)
    np.add.at(touched, np.searchsorted(speech.end, start, side="right"), 1)
    np.add.at(touched, np.searchsorted(speech.start, end, side="left"), -1)
    lengths = np.where(np.cumsum(touched)[:-1] > 0, speech.end - speech.start, 0)
    upto = np.concatenate(([0], np.cumsum(lengths)))
    group = start[opens] // APART_MS
    first, stop = (np.searchsorted(speech.start, (group + n) * APART_MS) for n in (0, 1))
    return np.asarray(upto[stop] - upto[first], dtype=np.int64)
