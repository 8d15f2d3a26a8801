"""The model's voice in the user's channel: measure the path it took, take it out, predict what stays.

A laptop without headphones sends the model's voice back through the room: 20-35 dB down, 30-120 ms late, smeared by
reflections. Over a log that path is close to a fixed linear filter. It is estimated by weighted least squares in the
frequency domain (a Wiener filter whose weights are the inverse power of the user's channel, so that stretches where
the user speaks hardly count), judged against the lags where no leak can be, and subtracted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.ndimage import maximum_filter1d

from audio.config import LeakConfig
from audio.frames import FRAME_MS, HOP, RATE_HZ, SILENCE, Mask, Powers, Samples, from_db, runs, to_db, widen


@dataclass(frozen=True)
class LeakPath:
    """A leak: ``taps`` start ``first_tap`` samples after the model's sample; ``delay_ms`` is where most arrives."""

    taps: NDArray[np.float32]
    first_tap: int
    delay_ms: float


_WINDOW: Final = 16384
_LEAD_MS: Final = 8
_ACOUSTIC_MS: Final = 5
_NEVER_MS: Final = 60
_DOUBT: Final = 1.5
_SMOOTH: Final = 32
_ACTIVE_BELOW_PEAK: Final = 1e-3
_LEAST_OVERLAP: Final = 0.3
_SILENT_WINDOW: Final = 1e-6
_LEAST_ENERGY: Final = 1e-2
_ENOUGH: Final = 100
_BLUR: Final = 2
_HIDDEN: Final = 0.05
_RIDGE: Final = 1e-3


def find_leak(model: Samples, user: Samples, config: LeakConfig) -> LeakPath | None:
    """The path from the model's channel to the user's, or None when nothing stands out.

    Both arrays have shape ``(n,)``.
    """
    starts = _active_windows(model, config.max_windows)
    energy = np.array([np.dot(user[i : i + _WINDOW], user[i : i + _WINDOW]) for i in starts])
    if not energy.any():
        return None
    weights = 1 / np.maximum(energy, np.median(energy[energy > 0]) * _LEAST_ENERGY)
    cross = np.zeros(_WINDOW // 2 + 1, dtype=np.complex128)
    power = np.zeros(_WINDOW // 2 + 1, dtype=np.float64)
    taper = np.hanning(_WINDOW + 1)[:-1].astype(np.float32)
    for start, weight in zip(starts, weights, strict=True):
        said = fft.rfft(model[start : start + _WINDOW] * taper)
        cross += weight * (np.conj(said) * fft.rfft(user[start : start + _WINDOW] * taper))
        power += weight * (said.real**2 + said.imag**2)
    response = fft.irfft(cross / (power + _RIDGE * power.max())) / _overlap(taper)
    return _trim(np.asarray(response, dtype=np.float64), config)


def leaked(model: Samples, path: LeakPath, audible: Mask) -> Samples:
    """What arrives in the user's channel, shape as ``model``. Frames where the model is not ``audible`` add nothing."""
    out = np.zeros(len(model) + path.first_tap + len(path.taps) + HOP, dtype=np.float32)
    for first, last in runs(widen(audible, 1, 1)) * HOP:
        arrives = _convolved(model[first:last], path.taps)
        begin = first + path.first_tap
        lost = max(-begin, 0)
        out[begin + lost : begin + len(arrives)] += arrives[lost:]
    return out[: len(model)]


def _convolved(samples: Samples, taps: NDArray[np.float32]) -> Samples:
    n = len(samples) + len(taps) - 1
    size = fft.next_fast_len(n, real=True)
    return np.asarray(fft.irfft(fft.rfft(samples, size) * fft.rfft(taps, size), size)[:n], dtype=np.float32)


def echo_of(model: Powers, path: LeakPath, config: LeakConfig) -> Powers:
    """What the model's band powers would be in the user's channel if none of it were lost, ``(n, bands)``.

    Late by the path's delay, blurred by a few frames for what the delay does not say, and dying away as a room does.
    """
    delay = round(path.delay_ms / FRAME_MS)
    late = np.pad(model, ((delay, 0), (0, 0)))[: len(model)] if delay else model
    level = np.log10(np.maximum(maximum_filter1d(late, 2 * _BLUR + 1, axis=0), SILENCE))
    fall = (np.arange(len(level)) * (config.decay_db_s * FRAME_MS / 10_000))[:, None]
    return np.asarray(10 ** (np.maximum.accumulate(level + fall, axis=0) - fall), dtype=np.float32)


def residue(heard: Powers, echo: Powers, floor: Powers, config: LeakConfig) -> Powers:
    """Upper bound of the leak that stays in ``heard`` after subtraction, per frame and band (all ``(n, bands)``).

    What stays is measured per band on the frames where the echo is strong. The user speaks over the smaller part of
    them, so the low quantiles belong to leak alone: of its share in the echo, from which the upper bound is
    extrapolated as if the share (in dB) were normal, and of its power, which may be little where the noise hides it.
    """
    share, most = np.zeros((2, echo.shape[1]), dtype=np.float32)
    for band in range(echo.shape[1]):
        least = max(float(np.quantile(echo[:, band], 0.95)) * from_db(-config.strong_db), SILENCE)
        strong: Mask = echo[:, band] > least
        if strong.sum() >= _ENOUGH:
            above = np.maximum(heard[strong, band] - floor[strong, band], floor[strong, band] * _HIDDEN)
            low, middle = np.quantile(to_db(above / echo[strong, band]), (0.1, 0.4))
            share[band] = min(from_db(middle + config.spread * (middle - low)), from_db(config.max_share_db))
            most[band] = np.quantile(above, 0.6) * from_db(config.peak_db)
    return np.asarray(np.minimum(share * echo, most), dtype=np.float32)


def _active_windows(model: Samples, limit: int) -> NDArray[np.int64]:
    half = _WINDOW // 2
    parts = model[: len(model) // half * half].reshape(-1, half)
    energy = np.einsum("ij,ij->i", parts, parts)
    energy = energy[:-1] + energy[1:]
    active = np.flatnonzero(energy > max(float(energy.max(initial=0)) * _ACTIVE_BELOW_PEAK, _SILENT_WINDOW))
    if len(active) > limit:
        active = active[np.linspace(0, len(active) - 1, limit).astype(np.int64)]
    return active * half


def _overlap(taper: NDArray[np.float32]) -> NDArray[np.float64]:
    """How much of itself a tapered window still covers at each lag, circular: what arrives late is seen less."""
    spectrum = np.abs(fft.rfft(taper.astype(np.float64), 2 * _WINDOW)) ** 2
    covered = fft.irfft(spectrum)[:_WINDOW] / float(np.dot(taper, taper))
    return np.asarray(np.maximum(covered[np.minimum(np.arange(_WINDOW), _WINDOW - np.arange(_WINDOW))], _LEAST_OVERLAP))


def _trim(response: NDArray[np.float64], config: LeakConfig) -> LeakPath | None:
    """The part of a response of ``_WINDOW`` lags (negative ones at its end) that stands out of chance."""
    per_ms = RATE_HZ // 1000
    energy = np.convolve(response**2, np.full(_SMOOTH, 1 / _SMOOTH), mode="same")
    chance = float(energy[-config.max_delay_ms * per_ms : -_NEVER_MS * per_ms].mean())
    lags = np.arange(-_LEAD_MS * per_ms, (config.max_delay_ms + config.tail_ms) * per_ms)
    gain = np.clip(1 - _DOUBT * chance / np.maximum(energy[lags], 1e-20), 0, 1)
    arrivals = energy[: config.max_delay_ms * per_ms]
    acoustic = arrivals[_ACOUSTIC_MS * per_ms :]
    least = max(config.clear_ratio * chance, 1e-12)
    # A codec's own crosstalk has no delay and may hide the air's.
    peak = int(acoustic.argmax()) + _ACOUSTIC_MS * per_ms if acoustic.max() > least else int(arrivals.argmax())
    if arrivals[peak] < least:
        return None
    around = np.arange(peak - _SMOOTH, peak + _SMOOTH)
    exact = int(around[np.abs(response[around]).argmax()])
    return LeakPath(np.asarray(response[lags] * gain, dtype=np.float32), int(lags[0]), exact / per_ms)
