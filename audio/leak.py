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
from pydantic import BaseModel, ConfigDict
from scipy import fft, signal

from audio.frames import Mask, Powers, Samples, frame_length, frame_powers, runs, widen


class LeakConfig(BaseModel):
    """How the leak is found."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    max_delay_ms: int = 300
    """Latest arrival that counts as leak."""
    tail_ms: int = 160
    """Reflections after the first arrival that are modelled."""
    clear_ratio: float = 8.0
    """Peak of the path's energy over the mean of the lags where no leak can be, above which there is a leak."""
    max_windows: int = 400
    """Windows of about one second that take part in the estimate (spread evenly over the log)."""
    decay_db_s: float = 120.0
    """Fall of the room's late reverberation, which the filter leaves over."""
    share_quantile: float = 0.6
    """Quantile of (what stays) / (leak) over frames of leak alone, taken as the share that stays."""
    max_share: float = 1.0
    """Upper bound of that share (1 = the filter took nothing away)."""


@dataclass(frozen=True)
class LeakPath:
    """A leak: ``taps`` start ``first_tap`` samples after the model's sample; ``delay_ms`` is where most arrives."""

    taps: NDArray[np.float32]
    first_tap: int
    delay_ms: float


_WINDOW: Final = 16384
_LEAD_MS: Final = 8
_SMOOTH: Final = 32
_ACTIVE_BELOW_PEAK: Final = 1e-3
_RIDGE: Final = 1e-3


def find_leak(model: Samples, user: Samples, rate_hz: int, config: LeakConfig) -> LeakPath | None:
    """The path from the model's channel to the user's, or None when nothing stands out.

    Both arrays have shape ``(n,)``.
    """
    starts = _active_windows(model, config.max_windows)
    if not len(starts):
        return None
    cross = np.zeros(_WINDOW // 2 + 1, dtype=np.complex128)
    power = np.zeros(_WINDOW // 2 + 1, dtype=np.float64)
    taper = np.hanning(_WINDOW + 1)[:-1].astype(np.float32)
    for start in starts:
        x = fft.rfft(model[start : start + _WINDOW] * taper)
        heard = user[start : start + _WINDOW] * taper
        weight = 1 / (float(np.dot(heard, heard)) + 1e-9)
        cross += weight * (np.conj(x) * fft.rfft(heard))
        power += weight * (x.real**2 + x.imag**2)
    if not power.any():
        return None
    response = fft.irfft(cross / (power + _RIDGE * power.max()))
    return _trim(np.asarray(response, dtype=np.float64), rate_hz, config)


def leaked(model: Samples, path: LeakPath, rate_hz: int, audible: Mask) -> Samples:
    """What arrives in the user's channel, shape as ``model``; zero where the model is not ``audible`` (10 ms frames)."""
    hop = frame_length(rate_hz)
    out = np.zeros(len(model) + path.first_tap + len(path.taps) + hop, dtype=np.float32)
    for first, last in runs(widen(audible, 1, 1)) * hop:
        piece = model[max(first, 0) : last]
        arrives = signal.oaconvolve(piece, path.taps).astype(np.float32)
        begin = max(first, 0) + path.first_tap
        lost = max(-begin, 0)
        out[begin + lost : begin + len(arrives)] += arrives[lost:]
    return out[: len(model)]


def residue(heard: Powers, leak: Powers, floor: Powers, config: LeakConfig) -> Powers:
    """Upper estimate of the leak that stays in ``heard`` after subtraction, per frame and band (all ``(n, bands)``).

    The share that stays is measured per band on frames where the leak, before subtraction, is well above the floor;
    the user speaks over a minority of them, so a quantile tells it. Late reverberation is the leak, decaying.
    """
    frames_per_s = 100
    fall = 10 ** (-config.decay_db_s / 10 / frames_per_s)
    total = leak.sum(axis=1)
    alone = (total > total.max(initial=0) * 1e-2)[:, None] & (leak > 4 * floor)
    share = np.full(leak.shape[1], config.max_share, dtype=np.float32)
    for band in range(leak.shape[1]):
        frames = alone[:, band]
        if frames.sum() >= frames_per_s:
            share[band] = np.quantile(heard[frames, band] / leak[frames, band], config.share_quantile)
    envelope = signal.lfilter([1 - fall], [1, -fall], leak, axis=0).astype(np.float32)
    return np.minimum(share, config.max_share) * np.maximum(leak, envelope)


def _active_windows(model: Samples, limit: int) -> NDArray[np.int64]:
    starts = np.arange(0, len(model) - _WINDOW + 1, _WINDOW // 2, dtype=np.int64)
    if not len(starts):
        return starts
    # _WINDOW // 2 samples are a whole number of 32-sample blocks at any rate: sum them instead of squaring twice.
    halves = frame_powers(model[: (len(model) // (_WINDOW // 2)) * (_WINDOW // 2)], 100 * _WINDOW // 2)
    energy = halves[: len(starts)] + halves[1 : len(starts) + 1]
    active = starts[energy > max(float(energy.max()) * _ACTIVE_BELOW_PEAK, 1e-9)]
    if len(active) > limit:
        active = active[np.linspace(0, len(active) - 1, limit).astype(np.int64)]
    return active


def _trim(response: NDArray[np.float64], rate_hz: int, config: LeakConfig) -> LeakPath | None:
    per_ms = rate_hz / 1000
    lead, tail = int(_LEAD_MS * per_ms), int(config.tail_ms * per_ms)
    energy = np.convolve(response**2, np.full(_SMOOTH, 1 / _SMOOTH), mode="same")
    never = energy[len(response) * 5 // 8 : len(response) * 15 // 16]
    null = float(never.mean())
    reach = energy[: int(config.max_delay_ms * per_ms)]
    peak = int(reach.argmax())
    if reach[peak] < config.clear_ratio * null or reach[peak] < 1e-12:
        return None
    lags = np.arange(peak - lead, peak + tail)
    gain = np.clip(1 - null / np.maximum(energy[lags], 1e-20), 0, 1)
    exact = peak - _SMOOTH + int(np.abs(response[np.arange(peak - _SMOOTH, peak + _SMOOTH)]).argmax())
    taps = np.asarray(response[lags] * gain, dtype=np.float32)
    return LeakPath(taps=taps, first_tap=peak - lead, delay_ms=exact / per_ms)
