"""Short-time power of a channel: one row per 10 ms frame, one column per band.

Frame ``i`` stands for ``[10 i, 10 i + 10)`` ms; its analysis window is 20 ms long and centred on it, so an edge read
off the frames is exact to a frame. Band powers are weighted by a first-order pre-emphasis, which makes weak fricatives
count and rumble or DC not.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
Powers = NDArray[np.float32]
Decibels = NDArray[np.float32]
Mask = NDArray[np.bool_]

RATE_HZ: Final = 16000
"""Sample rate at which channels are heard."""
FRAME_MS: Final = 10
HOP: Final = RATE_HZ * FRAME_MS // 1000
"""Samples of one frame."""
SILENCE: Final = 1e-10
"""Power that counts as digital silence (-100 dBFS)."""

_EDGES_HZ: Final = (80, 200, 320, 450, 600, 780, 1000, 1270, 1600, 2000, 2500, 3100, 3900, 4900, 6200, 7900)
N_BANDS: Final = len(_EDGES_HZ) - 1
_PRE_EMPHASIS: Final = 0.95
_BLOCK_FRAMES: Final = 1024


def n_frames(n_samples: int) -> int:
    """Frames that cover ``n_samples`` (the last one may be short)."""
    return -(-n_samples // HOP)


def band_powers(samples: Samples) -> Powers:
    """Power per frame and band, shape ``(n_frames, N_BANDS)``, full scale = 1 before weighting."""
    from scipy import fft  # 0.1 s that only hearing needs

    window = 2 * HOP
    rows = n_frames(len(samples))
    taper = np.hanning(window + 1)[:-1].astype(np.float32)
    weights, first_bins = _bands(window)
    weights /= np.float32((taper.astype(np.float64) ** 2).sum())
    powers = np.empty((rows, N_BANDS), dtype=np.float32)
    for first in range(0, rows, _BLOCK_FRAMES):
        last = min(first + _BLOCK_FRAMES, rows)
        chunk = _padded(samples, first * HOP - HOP // 2, (last - 1) * HOP - HOP // 2 + window)
        framed = np.lib.stride_tricks.sliding_window_view(chunk, window)[::HOP] * taper
        spectra = fft.rfft(framed, axis=1)
        # Summed without BLAS: its threads would fight the other workers for the cores.
        weighted = (spectra.real**2 + spectra.imag**2) * weights
        powers[first:last] = np.add.reduceat(weighted, first_bins, axis=1)[:, :-1]
    return powers


def frame_powers(samples: Samples) -> NDArray[np.float32]:
    """Mean square per frame (no taper, no weighting), shape ``(n_frames,)``; full scale = 1."""
    rows = n_frames(len(samples))
    whole = len(samples) // HOP
    powers = np.zeros(rows, dtype=np.float32)
    framed = samples[: whole * HOP].reshape(whole, HOP)
    powers[:whole] = np.einsum("ij,ij->i", framed, framed) / np.float32(HOP)
    if rows > whole:
        rest = samples[whole * HOP :]
        powers[whole] = float(np.dot(rest, rest)) / len(rest)
    return powers


def to_db(power: NDArray[np.floating]) -> Decibels:
    """Power to dB, never below digital silence. Shape is kept."""
    return np.asarray(10 * np.log10(np.maximum(power, SILENCE)), dtype=np.float32)


def mean_db(power: NDArray[np.floating]) -> float:
    """Mean power in dB, never below digital silence."""
    return float(10 * np.log10(max(float(power.mean(dtype=np.float64)), SILENCE)))


def from_db(decibels: float) -> float:
    """A power ratio from dB."""
    return float(10 ** (decibels / 10))


def runs(mask: Mask) -> NDArray[np.int64]:
    """Runs of True as half-open frame spans, shape ``(n, 2)``."""
    edges = np.diff(mask.astype(np.int8), prepend=0, append=0)
    return np.stack([np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)], axis=1).astype(np.int64)


def fill(spans: NDArray[np.int64], length: int) -> Mask:
    """The inverse of ``runs``: True inside the spans (they may overlap)."""
    steps = np.zeros(length + 1, dtype=np.int64)
    np.add.at(steps, np.clip(spans[:, 0], 0, length), 1)
    np.add.at(steps, np.clip(spans[:, 1], 0, length), -1)
    return np.asarray(np.cumsum(steps[:-1]) > 0)


def widen(mask: Mask, before: int, after: int) -> Mask:
    """Every run made longer by ``before`` frames at its start and ``after`` at its end."""
    return fill(runs(mask) + np.array([-before, after]), len(mask))


def bridge(mask: Mask, shorter_than: int) -> Mask:
    """Gaps between two runs of True that are shorter than ``shorter_than`` frames become True."""
    gaps = runs(~mask)
    inner = gaps[(gaps[:, 0] > 0) & (gaps[:, 1] < len(mask)) & (gaps[:, 1] - gaps[:, 0] < shorter_than)]
    return mask | fill(inner, len(mask))


def drop_short(mask: Mask, shorter_than: int) -> Mask:
    """Runs of True shorter than ``shorter_than`` frames become False."""
    spans = runs(mask)
    return fill(spans[spans[:, 1] - spans[:, 0] >= shorter_than], len(mask))


def _padded(samples: Samples, start: int, stop: int) -> Samples:
    inside = samples[max(start, 0) : max(min(stop, len(samples)), 0)]
    return np.pad(inside, (max(-start, 0), max(stop - max(len(samples), start), 0)))[: stop - start]


def _bands(window: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    hz = np.fft.rfftfreq(window, 1 / RATE_HZ)
    emphasis = 1 + _PRE_EMPHASIS**2 - 2 * _PRE_EMPHASIS * np.cos(2 * np.pi * hz / RATE_HZ)
    return np.asarray(2 * emphasis / window, dtype=np.float32), np.searchsorted(hz, _EDGES_HZ)
