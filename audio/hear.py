"""Hear a dialogue: two channels of samples in, when each side speaks out.

The steps, each a function of arrays: the leak path from the model's to the user's channel and its removal (``leak``),
VAD on each channel at one common level (``vad``), the noise floor (``floor``), and the edges from energy (``refine``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from audio.floor import noise_floor, stands_out
from audio.frames import (
    FRAME_MS,
    SILENCE,
    Mask,
    Samples,
    band_powers,
    bridge,
    drop_short,
    frame_powers,
    from_db,
    mean_db,
    runs,
    to_db,
    widen,
)
from audio.leak import LeakConfig, find_leak, leaked, residue
from audio.refine import RefineConfig, edges, hysteresis, speech_frames
from audio.vad import VAD_RATE_HZ, Vad
from schemas.clock import array_to_s, samples_to_seconds


class HearConfig(BaseModel):
    """All thresholds of hearing."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    leak: LeakConfig = LeakConfig()
    """Leak of the model's voice into the user's channel."""
    refine: RefineConfig = RefineConfig()
    """From VAD output to segments."""
    worth_db: float = 7.0
    """Frames in which no band stands out this far from its low values around are not shown to the VAD."""
    silent_dbfs: float = -75.0
    """Frames below this level hold no speech."""
    vad_level_dbfs: float = -26.0
    """Level to which a channel is scaled for the VAD."""
    max_gain_db: float = 36.0
    """Upper bound of that scaling."""
    audible_leak_db: float = 3.0
    """Leak counts as heard this far above the noise."""


@dataclass(frozen=True)
class Segments:
    """Stretches in order: ``start_s``, ``end_s`` (exact to 10 ms) and RMS ``level_db`` (dBFS), each of shape ``(n,)``."""

    start_s: NDArray[np.float64]
    end_s: NDArray[np.float64]
    level_db: NDArray[np.float64]


@dataclass(frozen=True)
class ChannelActivity:
    """What one channel holds; see the columns of table ``activity``."""

    duration_s: float
    speech: Segments
    leak: Segments
    level_db: float | None
    noise_db: float | None
    leak_db: float | None = None
    leak_delay_ms: float | None = None


@dataclass(frozen=True)
class _Voice:
    """Per 10 ms frame of a channel without leak: own speech, surely nobody, and mean square."""

    speech: Mask
    quiet: Mask
    power: NDArray[np.float32]


_BEFORE, _AFTER = 20, 30
"""Frames before and after what the VAD calls speech that are not trusted to be noise."""


def hear(
    model: Samples, user: Samples, vad: Vad, *, rate_hz: int = VAD_RATE_HZ, config: HearConfig | None = None
) -> tuple[ChannelActivity, ChannelActivity]:
    """Activity of the model's and of the user's channel.

    Both have shape ``(n,)``, full scale 1, at 16 kHz. The user's channel is rid of the model's leak first.
    """
    config = config or HearConfig()
    model, user = _without_dc(model), _without_dc(user)
    path = find_leak(model, user, rate_hz, config.leak)
    model_activity = _activity(model, _own_voice(model, None, vad, rate_hz, config), rate_hz)
    if path is None:
        return model_activity, _activity(user, _own_voice(user, None, vad, rate_hz, config), rate_hz)
    model_power = frame_powers(model, rate_hz)
    leak = leaked(model, path, rate_hz, model_power > from_db(config.silent_dbfs))
    leak_power = frame_powers(leak, rate_hz)
    voice = _own_voice(user - leak, leak, vad, rate_hz, config)
    return model_activity, _activity(
        user,
        voice,
        rate_hz,
        leak=_heard_leak(voice, leak_power, config),
        leak_db=mean_db(leak_power) - mean_db(model_power),
        leak_delay_ms=path.delay_ms,
    )


def _without_dc(samples: Samples) -> Samples:
    return samples - np.float32(samples.mean(dtype=np.float64)) if len(samples) else samples


def _own_voice(samples: Samples, leak: Samples | None, vad: Vad, rate_hz: int, config: HearConfig) -> _Voice:
    """Speech of a channel from which ``leak`` was subtracted, as far as the filter goes."""
    power = frame_powers(samples, rate_hz)
    bands = band_powers(samples, rate_hz)
    worth = stands_out(bands, config.worth_db) & (power > from_db(config.silent_dbfs))
    probability = vad.probabilities(_at_vad_level(samples, power, worth, config), worth)
    core = hysteresis(probability, config.refine.on, config.refine.off)
    quiet = ~widen(core, _BEFORE, _AFTER)
    if leak is None:
        floor = noise_floor(bands, quiet)
    else:
        leak_bands = band_powers(leak, rate_hz)
        quiet &= leak_bands.sum(axis=1) <= SILENCE
        floor = noise_floor(bands, quiet)
        floor = floor + residue(bands, leak_bands, floor, config.leak)
    found = edges(core, bands, floor, quiet, config.refine)
    if found is None:
        return _Voice(np.zeros_like(core), quiet, power)
    return _Voice(speech_frames(core, found, config.refine), quiet, power)


def _at_vad_level(samples: Samples, power: NDArray[np.float32], where: Mask, config: HearConfig) -> Samples:
    """The samples with the loud frames of ``where`` brought to the level that the VAD hears best."""
    if not where.any():
        return samples
    gain_db = min(config.vad_level_dbfs - float(np.quantile(to_db(power[where]), 0.8)), config.max_gain_db)
    return np.asarray(samples * np.float32(10 ** (gain_db / 20)), dtype=np.float32)


def _heard_leak(voice: _Voice, leak_power: NDArray[np.float32], config: HearConfig) -> Mask:
    """Where the leak stood out of the noise and the user did not speak."""
    noise_db = mean_db(voice.power[voice.quiet]) if voice.quiet.any() else config.silent_dbfs
    least_db = max(noise_db + config.audible_leak_db, config.silent_dbfs)
    audible = bridge(leak_power > from_db(least_db), config.refine.pause_ms // FRAME_MS)
    return drop_short(audible & ~voice.speech, config.refine.min_speech_ms // FRAME_MS)


def _activity(
    raw: Samples,
    voice: _Voice,
    rate_hz: int,
    *,
    leak: Mask | None = None,
    leak_db: float | None = None,
    leak_delay_ms: float | None = None,
) -> ChannelActivity:
    raw_power = frame_powers(raw, rate_hz)
    duration_s = samples_to_seconds(len(raw), rate_hz)
    nobody = voice.quiet & ~voice.speech
    return ChannelActivity(
        duration_s=duration_s,
        speech=_segments(voice.speech, raw_power, duration_s),
        leak=_segments(np.zeros_like(voice.speech) if leak is None else leak, raw_power, duration_s),
        level_db=mean_db(raw_power[voice.speech]) if voice.speech.any() else None,
        noise_db=mean_db(raw_power[nobody]) if nobody.any() else None,
        leak_db=leak_db,
        leak_delay_ms=leak_delay_ms,
    )


def _segments(mask: Mask, power: NDArray[np.float32], duration_s: float) -> Segments:
    spans = runs(mask)
    edges_s = array_to_s(spans * FRAME_MS)
    sums = np.concatenate([[0.0], np.cumsum(power, dtype=np.float64)])
    mean = (sums[spans[:, 1]] - sums[spans[:, 0]]) / np.maximum(spans[:, 1] - spans[:, 0], 1)
    return Segments(edges_s[:, 0], np.minimum(edges_s[:, 1], duration_s), to_db(mean).astype(np.float64))
