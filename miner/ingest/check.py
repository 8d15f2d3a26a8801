"""One pass over a log's samples: levels, correlation and what is wrong or odd about its channels.

Sums per 10 ms frame are all that is kept (800 bytes a second and channel at most), so the length of a log costs little.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from schemas.clock import seconds_to_samples

Samples = npt.NDArray[np.float32]
Frames = npt.NDArray[np.float64]

FRAME_S = 0.01
FLOOR_DB = -120.0
FULL_SCALE = 0.999
FOLLOW_LAGS = range(2, 20, 2)
SOURCE_RANGE_DB, TARGET_BELOW_DB = 30.0, 12.0
MIN_FRAMES = 200


@dataclass(frozen=True)
class Levels:
    """One channel: RMS and half its peak-to-peak range (dBFS, never below -120), the share of samples at full scale."""

    level_db: float
    peak_db: float
    clipped: float


@dataclass(frozen=True)
class LogSummary:
    """What one pass over both channels found. ``correlation`` is 0 where a channel has no variance."""

    n: int
    finite: bool
    model: Levels
    user: Levels
    correlation: float
    model_frames_db: Frames
    user_frames_db: Frames


class _Channel:
    def __init__(self, rate_hz: int) -> None:
        self.hop = max(1, seconds_to_samples(FRAME_S, rate_hz))
        self.low, self.high, self.sum, self.square, self.at_limit = math.inf, -math.inf, 0.0, 0.0, 0
        self.frames_db: list[Frames] = []

    def add(self, samples: Samples) -> None:
        low, high = float(samples.min()), float(samples.max())
        self.low, self.high = min(self.low, low), max(self.high, high)
        self.sum += float(samples.sum(dtype=np.float64))
        power = frame_sums(samples, samples, self.hop)
        self.square += float(power.sum())
        with np.errstate(divide="ignore"):
            self.frames_db.append(np.maximum(10 * np.log10(power / self.hop), FLOOR_DB))
        if max(high, -low) >= FULL_SCALE:
            self.at_limit += int(np.count_nonzero(np.abs(samples) >= FULL_SCALE))

    def levels(self, n: int) -> Levels:
        return Levels(_db(math.sqrt(self.square / n)), _db((self.high - self.low) / 2), self.at_limit / n)


def frame_sums(a: Samples, b: Samples, hop: int) -> Frames:
    """Sums of ``a * b`` over frames of ``hop`` samples, the last one shorter: float64 (ceil(n / hop),)."""
    whole = len(a) - len(a) % hop
    sums = np.einsum("ij,ij->i", a[:whole].reshape(-1, hop), b[:whole].reshape(-1, hop)).astype(np.float64)
    return np.append(sums, np.float64(a[whole:] @ b[whole:])) if whole < len(a) else sums


def summarise(pairs: Iterable[tuple[Samples, Samples]], rate_hz: int) -> LogSummary:
    """Both channels of a log, given as aligned blocks (model, user) of equal length at ``rate_hz``.

    Stops at the first block with NaN or Inf. At least one block is needed.
    """
    model, user, cross, n = _Channel(rate_hz), _Channel(rate_hz), 0.0, 0
    finite = True
    for a, b in pairs:
        if not (math.isfinite(float(a @ a)) and math.isfinite(float(b @ b))):
            finite = False
            break
        n += len(a)
        model.add(a)
        user.add(b)
        cross += float(frame_sums(a, b, model.hop).sum())
    if n == 0:
        nothing = Levels(FLOOR_DB, FLOOR_DB, 0.0)
        return LogSummary(0, finite, nothing, nothing, 0.0, np.zeros(0), np.zeros(0))
    spread = math.sqrt(_variance(model, n) * _variance(user, n))
    correlation = (cross / n - model.sum / n * user.sum / n) / spread if spread > 0 else 0.0
    return LogSummary(
        n,
        finite,
        model.levels(n),
        user.levels(n),
        min(1.0, max(-1.0, correlation)),
        np.concatenate(model.frames_db),
        np.concatenate(user.frames_db),
    )


def _variance(channel: _Channel, n: int) -> float:
    return max(0.0, channel.square / n - (channel.sum / n) ** 2)


def _db(amplitude: float) -> float:
    return max(FLOOR_DB, 20 * math.log10(amplitude)) if amplitude > 0 else FLOOR_DB


def follows(source_db: Frames, target_db: Frames) -> float:
    """How much a channel that does not speak rises and falls with the other, 20-180 ms later: correlation, 0..1.

    Leak makes a microphone follow the loudspeaker and never the reverse, so this tells the user's channel (it follows)
    from the model's. Only frames with the source loud and the target well below its own speech count; 0 if under 2 s.
    """
    voiced = source_db[source_db > FLOOR_DB / 2]
    if len(voiced) < MIN_FRAMES or target_db.max() <= FLOOR_DB:
        return 0.0
    loud = np.partition(voiced, -max(1, len(voiced) // 10))[-max(1, len(voiced) // 10)] - SOURCE_RANGE_DB
    quiet = np.partition(target_db, -max(1, len(target_db) // 100))[-max(1, len(target_db) // 100)] - TARGET_BELOW_DB
    candidates = np.flatnonzero(source_db[: -max(FOLLOW_LAGS)] > loud)
    best = 0.0
    for lag in FOLLOW_LAGS:
        heard = target_db[candidates + lag]
        free = heard < quiet
        if np.count_nonzero(free) < MIN_FRAMES:
            continue
        a, b = source_db[candidates[free]], heard[free]
        a, b = a - a.mean(), b - b.mean()
        spread = math.sqrt(float(a @ a) * float(b @ b))
        best = max(best, float(a @ b) / spread if spread > 0 else 0.0)
    return best
