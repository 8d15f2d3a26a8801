"""When one channel carries its own speaker's voice: VAD on the channel, brought to one level, and edges from energy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from audio.config import LeakConfig, VoiceConfig
from audio.floor import noise_floor, stands_out
from audio.frames import FRAME_MS, Mask, Powers, Samples, drop_short, frame_powers, from_db, mean_db, to_db, widen
from audio.leak import residue
from audio.refine import doubtful_frames, edges, hysteresis, speech_frames
from audio.vad import Vad


@dataclass(frozen=True)
class Voice:
    """Per 10 ms frame of a channel, each ``(n,)``: own speech, and surely nobody (neither speaker)."""

    speech: Mask
    quiet: Mask


_BEFORE: Final = 20
_AFTER: Final = 30
"""Frames before and after what the VAD calls speech that are not trusted to be noise."""


def own_voice(
    samples: Samples, bands: Powers, echo: Powers | None, vad: Vad, config: VoiceConfig, leak_config: LeakConfig
) -> Voice:
    """Where the channel's own speaker speaks.

    ``samples`` have shape ``(n,)`` at ``frames.RATE_HZ``, without DC, and ``bands`` are their band powers. ``echo``
    (``leak.echo_of``) says where the other side may still be heard although its leak was subtracted; None when it
    does not leak.
    """
    if not len(samples):
        return Voice(np.zeros(0, dtype=bool), np.zeros(0, dtype=bool))
    power = frame_powers(samples)
    worth = drop_short(stands_out(bands, config.worth_db), config.refine.min_speech_ms // FRAME_MS)
    worth &= power > from_db(config.silent_dbfs)
    probability = vad.probabilities(_at_vad_level(samples, power, worth, config), worth)
    core = hysteresis(probability, config.refine.on, config.refine.off)
    quiet = ~widen(core, _BEFORE, _AFTER)
    if quiet.mean() < config.least_quiet:
        core &= ~_background(power, core, config)
        quiet = ~widen(core, _BEFORE, _AFTER)
    if echo is not None:
        loudness = echo.sum(axis=1)
        quiet &= loudness <= np.quantile(loudness, 0.95) * from_db(-config.faded_db)
    floor = noise_floor(bands, quiet)
    remains = None if echo is None else residue(bands, echo, floor, leak_config)
    found = edges(core, bands, floor, remains, quiet, config.refine)
    if found is None:
        return Voice(np.zeros_like(core), quiet)
    doubtful = doubtful_frames(core, found, config.refine)
    if doubtful.any():
        again = vad.probabilities(_at_vad_level(samples, power, doubtful, config), doubtful)
        core |= hysteresis(again, config.refine.on, config.refine.off)
    speech = speech_frames(core, found, config.refine)
    return Voice(speech, quiet & ~speech)


def _background(power: NDArray[np.float32], core: Mask, config: VoiceConfig) -> Mask:
    """Stretches of ``core`` that are too soft for too long to be the speaker, shape ``(n,)``."""
    said = power[core]
    level_db = mean_db(said[said >= np.median(said)])
    width = config.background_ms // FRAME_MS
    lasting = np.convolve(power, np.full(width, 1 / width, dtype=np.float32), mode="same")[: len(power)]
    return drop_short(core & (lasting < from_db(level_db - config.background_db)), width)


def _at_vad_level(samples: Samples, power: NDArray[np.float32], where: Mask, config: VoiceConfig) -> Samples:
    """The samples with the loud frames of ``where`` brought to the level that the VAD hears best."""
    if not where.any():
        return samples
    gain_db = min(config.vad_level_dbfs - float(np.quantile(to_db(power[where]), 0.8)), config.max_gain_db)
    return np.asarray(samples * np.float32(10 ** (gain_db / 20)), dtype=np.float32)
