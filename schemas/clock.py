"""Seconds, milliseconds, samples and frames: the one place where one becomes another.

Tables hold seconds as float64 rounded to 1 ms, half-open ``[start, end)``. Interval arithmetic runs on integer
milliseconds, where equality and order are exact. Moshi's frames are 80 ms (12.5 Hz).
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt
import polars as pl

FRAME_RATE_HZ = 12.5
FRAME_MS = 80

IntMs = npt.NDArray[np.int64]
Seconds = npt.NDArray[np.float64]


def round_s(seconds: float) -> float:
    """Round seconds to the tables' grid of 1 ms."""
    return to_ms(seconds) / 1000


def to_ms(seconds: float) -> int:
    """Seconds to integer milliseconds, halves away from zero as people expect of a clock."""
    scaled = seconds * 1000
    return int(scaled + 0.5) if scaled >= 0 else -int(-scaled + 0.5)


def array_to_ms(seconds: npt.ArrayLike) -> IntMs:
    """``to_ms`` for a column. Shape is kept."""
    scaled = np.asarray(seconds, dtype=np.float64) * 1000
    rounded = np.trunc(scaled + np.copysign(0.5, scaled))
    return np.asarray(rounded, dtype=np.int64)


def array_to_s(ms: npt.ArrayLike) -> Seconds:
    """Integer milliseconds to seconds. Shape is kept."""
    return np.asarray(np.asarray(ms, dtype=np.int64) / 1000, dtype=np.float64)


def ms_expr(column: str) -> pl.Expr:
    """A column of seconds as a column of integer milliseconds."""
    return (pl.col(column) * 1000).round(0, mode="half_away_from_zero").cast(pl.Int64)


def seconds_to_samples(seconds: float, rate_hz: int) -> int:
    """Index of the sample at ``seconds``; exact for every multiple of 1 ms at every rate."""
    samples = Fraction(to_ms(seconds) * rate_hz, 1000)
    return int(samples + Fraction(1, 2)) if samples >= 0 else -int(-samples + Fraction(1, 2))


def samples_to_seconds(samples: int, rate_hz: int) -> float:
    """Time of a sample, rounded to the tables' grid."""
    return round_s(samples / rate_hz)


def seconds_to_frame(seconds: float) -> int:
    """Index of the 80 ms frame that holds ``seconds`` (floor, so a frame is ``[80 i, 80 i + 80)`` ms)."""
    return to_ms(seconds) // FRAME_MS


def frame_to_seconds(frame: int) -> float:
    """Start of a frame in seconds."""
    return frame * FRAME_MS / 1000


def frames_to_ms(frames: npt.ArrayLike, frame_rate_hz: npt.ArrayLike) -> IntMs:
    """Starts of frames of any rate, in integer milliseconds. Shapes broadcast."""
    return array_to_ms(np.asarray(frames, dtype=np.float64) / np.asarray(frame_rate_hz, dtype=np.float64))


def frames_that_cover(seconds: float, frame_rate_hz: float) -> int:
    """The number of frames a stretch of that length takes, the last one begun included."""
    frames = Fraction(to_ms(seconds), 1000) * Fraction(frame_rate_hz)
    return -int(-frames // 1)


def window_start_frame(t0_s: float) -> int:
    """First scored frame of a pair that parts at ``t0_s``: ``f0 = max(0, floor(12.5 t0) - 1)``.

    One frame before, because the EPAD that announces a word is the decision to speak.
    """
    return max(0, seconds_to_frame(t0_s) - 1)
