"""Hear a dialogue: two channels of samples in, when each side speaks out.

The steps, each a function of arrays: the leak path from the model's to the user's channel and its removal (``leak``),
VAD on each channel at one common level (``vad``, ``voice``), the noise floor (``floor``), and the edges from energy
(``refine``). A long log is heard stretch by stretch, so that memory does not grow with it and a room, a level or a
noise may change on the way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from audio.config import HearConfig
from audio.frames import (
    FRAME_MS,
    RATE_HZ,
    Mask,
    Samples,
    band_powers,
    bridge,
    drop_short,
    frame_powers,
    from_db,
    mean_db,
    n_frames,
    runs,
    to_db,
)
from audio.leak import echo_of, find_leak, leaked
from audio.vad import Vad
from audio.voice import Voice, own_voice
from schemas.clock import array_to_s, samples_to_seconds, seconds_to_samples

STRETCH_S: Final = 300
"""A log is heard in stretches of at least this (and less than twice this) ..."""
CONTEXT_S: Final = 20
"""... each with this much of its neighbours around it."""


@dataclass(frozen=True)
class Segments:
    """Stretches in order: ``start_s``, ``end_s`` and RMS ``level_db`` (dBFS), each of shape ``(n,)``."""

    start_s: NDArray[np.float64]
    end_s: NDArray[np.float64]
    level_db: NDArray[np.float64]


@dataclass(frozen=True)
class ChannelActivity:
    """What one channel holds; the fields are those of table ``activity``."""

    duration_s: float
    speech: Segments
    leak: Segments
    level_db: float | None
    noise_db: float | None
    leak_db: float | None
    leak_delay_ms: float | None


@dataclass(frozen=True)
class _Channel:
    """Frames of a channel, each ``(n,)``: mean square as recorded, own speech, surely nobody, the other side's leak."""

    power: NDArray[np.float32]
    speech: Mask
    quiet: Mask
    leak: Mask


@dataclass(frozen=True)
class _Stretch:
    """Both channels of a stretch, and the leak between them (energies are sums of the frames' mean squares)."""

    model: _Channel
    user: _Channel
    leak_delay_ms: float | None
    leak_energy: float
    model_energy: float


def hear(
    model: Samples, user: Samples, vad: Vad, config: HearConfig | None = None
) -> tuple[ChannelActivity, ChannelActivity]:
    """Activity of the model's and of the user's channel: ``(n,)`` samples each, full scale 1, at ``frames.RATE_HZ``."""
    return hear_stream([(model, user)], vad, config)


def hear_stream(
    pieces: Iterable[tuple[Samples, Samples]], vad: Vad, config: HearConfig | None = None
) -> tuple[ChannelActivity, ChannelActivity]:
    """``hear`` for a log that comes in pieces of ``(model, user)`` samples; both arrays of a piece are equally long."""
    config = config or HearConfig()
    heard = []
    n_samples = 0
    for model, user, first, last in _stretches(pieces):
        whole = _hear_stretch(model, user, vad, config)
        keep = slice(n_frames(first), n_frames(last))
        heard.append((_kept(whole.model, keep), _kept(whole.user, keep), whole))
        n_samples += last - first
    duration_s = samples_to_seconds(n_samples, RATE_HZ)
    leaky = [whole for _, _, whole in heard if whole.leak_delay_ms is not None]
    loudest = max(leaky, key=lambda whole: whole.leak_energy, default=None)
    leak_db, leak_delay_ms = None, None
    if loudest is not None:
        leak_delay_ms = loudest.leak_delay_ms
        energies = np.array([[whole.leak_energy, whole.model_energy] for whole in leaky])
        leak_db = mean_db(energies[:, 0]) - mean_db(energies[:, 1])
    return (
        _activity([model for model, _, _ in heard], duration_s, None, None),
        _activity([user for _, user, _ in heard], duration_s, leak_db, leak_delay_ms),
    )


def _stretches(pieces: Iterable[tuple[Samples, Samples]]) -> Iterator[tuple[Samples, Samples, int, int]]:
    """Stretches of the log with their surroundings; samples ``[first, last)`` of each are the stretch itself."""
    length, context = seconds_to_samples(STRETCH_S, RATE_HZ), seconds_to_samples(CONTEXT_S, RATE_HZ)
    before, held = 0, 0
    waiting: list[NDArray[np.float32]] = [np.zeros((2, 0), dtype=np.float32)]
    for piece in pieces:
        waiting.append(np.stack(piece))
        held += waiting[-1].shape[1]
        if held >= before + 2 * length:
            both = np.concatenate(waiting, axis=1)
            while both.shape[1] >= before + 2 * length:
                end = before + length
                yield both[0, : end + context], both[1, : end + context], before, end
                both, before = both[:, end - context :], context
            waiting, held = [both], both.shape[1]
    model, user = np.concatenate(waiting, axis=1)
    yield model, user, before, len(model)


def _hear_stretch(model: Samples, user: Samples, vad: Vad, config: HearConfig) -> _Stretch:
    model_power, user_power = frame_powers(model), frame_powers(user)
    nothing = np.zeros(len(user_power), dtype=bool)
    model, user = _without_dc(model), _without_dc(user)
    path = find_leak(model, user, config.leak)
    model_bands = band_powers(model)
    voice = own_voice(model, model_bands, None, vad, config.voice, config.leak)
    spoken = _Channel(model_power, voice.speech, voice.quiet, nothing)
    if path is None:
        voice = own_voice(user, band_powers(user), None, vad, config.voice, config.leak)
        return _Stretch(spoken, _Channel(user_power, voice.speech, voice.quiet, nothing), None, 0.0, 0.0)
    leak = leaked(model, path, model_power > from_db(config.voice.silent_dbfs))
    own = user - leak
    voice = own_voice(own, band_powers(own), echo_of(model_bands, path, config.leak), vad, config.voice, config.leak)
    leak_power = frame_powers(leak)
    heard_leak = _heard_leak(voice, user_power, leak_power, config)
    return _Stretch(
        model=spoken,
        user=_Channel(user_power, voice.speech, voice.quiet, heard_leak),
        leak_delay_ms=path.delay_ms,
        leak_energy=float(leak_power.sum(dtype=np.float64)),
        model_energy=float(frame_powers(model).sum(dtype=np.float64)),
    )


def _without_dc(samples: Samples) -> Samples:
    return samples - np.float32(samples.mean(dtype=np.float64)) if len(samples) else samples


def _heard_leak(voice: Voice, power: NDArray[np.float32], leak_power: NDArray[np.float32], config: HearConfig) -> Mask:
    """Where the leak stood out of the noise and the user did not speak."""
    refine, silent_dbfs = config.voice.refine, config.voice.silent_dbfs
    noise_db = mean_db(power[voice.quiet]) if voice.quiet.any() else silent_dbfs
    audible = leak_power > from_db(max(noise_db + config.audible_leak_db, silent_dbfs))
    return drop_short(bridge(audible, refine.pause_ms // FRAME_MS) & ~voice.speech, refine.min_speech_ms // FRAME_MS)


def _kept(channel: _Channel, keep: slice) -> _Channel:
    return _Channel(channel.power[keep], channel.speech[keep], channel.quiet[keep], channel.leak[keep])


def _activity(
    parts: list[_Channel], duration_s: float, leak_db: float | None, leak_delay_ms: float | None
) -> ChannelActivity:
    power, speech, quiet = (
        np.concatenate([part.power for part in parts]),
        np.concatenate([part.speech for part in parts]),
        np.concatenate([part.quiet for part in parts]),
    )
    return ChannelActivity(
        duration_s=duration_s,
        speech=_segments(speech, power, duration_s),
        leak=_segments(np.concatenate([part.leak for part in parts]), power, duration_s),
        level_db=mean_db(power[speech]) if speech.any() else None,
        noise_db=mean_db(power[quiet]) if quiet.any() else None,
        leak_db=leak_db,
        leak_delay_ms=leak_delay_ms,
    )


def _segments(mask: Mask, power: NDArray[np.float32], duration_s: float) -> Segments:
    spans = runs(mask)
    edges_s = array_to_s(spans * FRAME_MS)
    sums = np.concatenate([[0.0], np.cumsum(power, dtype=np.float64)])
    mean = (sums[spans[:, 1]] - sums[spans[:, 0]]) / np.maximum(spans[:, 1] - spans[:, 0], 1)
    return Segments(edges_s[:, 0], np.minimum(edges_s[:, 1], duration_s), to_db(mean).astype(np.float64))
