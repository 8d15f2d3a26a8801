"""Rooms, lines and noise for the scripted dialogues: what happens to two dry channels before they are stored.

The user's microphone hears the user through the room, noise, and the model's loudspeaker (leak); the model's channel
may carry a low noise floor. Planted times stay those of the dry speech.
"""

from __future__ import annotations

import io
from dataclasses import asdict, dataclass
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import soundfile as sf
import soxr
from scipy.fft import irfft, next_fast_len, rfft, rfftfreq
from scipy.signal import fftconvolve
from voices import RATE_HZ, SPEECH_RMS, Samples

NOISES = ("pink", "hum", "fan", "babble")
BABBLE_VOICES = 5


@dataclass(frozen=True)
class Condition:
    """How a dialogue sounds. ``None`` is absent; ``gain_db, snr_db, echo_db`` are named as other planted corpora do."""

    name: str
    gain_db: float = 0.0
    snr_db: float | None = None
    echo_db: float | None = None
    noise: str | None = None
    echo_delay_ms: float | None = None
    echo_rt60_s: float | None = None
    user_rt60_s: float | None = None
    user_floor_db: float | None = None
    model_floor_db: float | None = None
    sample_rate_hz: int = RATE_HZ
    codec: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """The fields as they stand in the truth file."""
        return asdict(self)


def draw_condition(rng: np.random.Generator, *, noisy: bool) -> Condition:
    """A condition: clean ones differ only in noise floor, rate and codec; noisy ones in everything."""

    def maybe(probability: float, low: float, high: float, digits: int = 1) -> float | None:
        drawn, value = rng.random() < probability, round(float(rng.uniform(low, high)), digits)
        return value if drawn else None

    leaks = noisy and rng.random() < 0.65
    return Condition(
        name="noisy" if noisy else "clean",
        gain_db=round(float(rng.uniform(-18, 0)), 1) if noisy else 0.0,
        snr_db=round(float(rng.uniform(14, 30)), 1) if noisy else None,
        echo_db=maybe(1.0, -34, -22) if leaks else None,
        noise=str(rng.choice(NOISES)) if noisy else None,
        echo_delay_ms=maybe(1.0, 30, 120) if leaks else None,
        echo_rt60_s=maybe(1.0, 0.15, 0.5, 2) if leaks else None,
        user_rt60_s=maybe(0.4, 0.15, 0.5, 2) if noisy else None,
        user_floor_db=None if noisy else maybe(0.5, -72, -62),
        model_floor_db=maybe(0.4, -76, -64),
        sample_rate_hz=8_000 if rng.random() < 0.12 else RATE_HZ,
        codec="vorbis" if rng.random() < (0.25 if noisy else 0.1) else None,
    )


def record(
    model: Samples, user: Samples, condition: Condition, babble: Samples, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """The stored log of two dry channels, shape (n, 2): model, user, at the condition's rate.

    ``babble`` is any long enough stretch of other people's speech; it is heard only where the condition says so.
    """
    heard = user if condition.user_rt60_s is None else reverberate(user, condition.user_rt60_s, 0.25, rng)
    if condition.echo_db is not None and condition.echo_delay_ms and condition.echo_rt60_s:
        heard = heard + leak_of(model, condition.echo_db, condition.echo_delay_ms, condition.echo_rt60_s, rng)
    if condition.noise is not None and condition.snr_db is not None:
        noise = babble if condition.noise == "babble" else noise_of(condition.noise, len(user), rng)
        heard = heard + at_level(noise[: len(user)], SPEECH_RMS * 10 ** (-condition.snr_db / 20))
    heard = heard * 10 ** (condition.gain_db / 20)
    spoken = model
    if condition.user_floor_db is not None:
        heard = heard + at_level(noise_of("pink", len(user), rng), 10 ** (condition.user_floor_db / 20))
    if condition.model_floor_db is not None:
        spoken = spoken + at_level(noise_of("pink", len(model), rng), 10 ** (condition.model_floor_db / 20))
    log = np.clip(np.stack([spoken, heard], axis=1), -1, 1).astype(np.float32)
    if condition.sample_rate_hz != RATE_HZ:
        log = soxr.resample(log, RATE_HZ, condition.sample_rate_hz)
    return log if condition.codec is None else through_vorbis(log, condition.sample_rate_hz)


def noise_of(kind: str, n_samples: int, rng: np.random.Generator) -> Samples:
    """Steady noise: ``pink`` (1/f), ``hum`` (50 Hz, harmonics, a little pink) or ``fan`` (dull, with a blade tone)."""
    pink = _shaped(n_samples, -0.5, rng)
    if kind == "pink":
        return pink
    t = np.arange(n_samples) / RATE_HZ
    if kind == "hum":
        phases = rng.uniform(0, 2 * np.pi, 7)
        tones = sum(np.sin(2 * np.pi * 50 * (k + 1) * t + phase) / (k + 1) for k, phase in enumerate(phases))
        return (at_level(tones, 1.0) + 0.3 * pink).astype(np.float32)
    if kind == "fan":
        blade = rng.uniform(90, 180)
        sway = 1 + 0.2 * np.sin(2 * np.pi * rng.uniform(0.5, 3) * t)
        return (_shaped(n_samples, -1.0, rng) * sway + 0.3 * np.sin(2 * np.pi * blade * t)).astype(np.float32)
    raise ValueError(f"no such noise: {kind}; known: {', '.join(NOISES)}")


def _shaped(n_samples: int, slope: float, rng: np.random.Generator) -> Samples:
    """Gaussian noise whose amplitude spectrum goes with f**slope above 40 Hz, RMS 1."""
    n = next_fast_len(n_samples, real=True)
    spectrum = rfft(rng.standard_normal(n, dtype=np.float32))
    hertz = rfftfreq(n, 1 / RATE_HZ)
    shaped = irfft(spectrum * (np.maximum(hertz, 40) ** slope).astype(np.float32), n)[:n_samples]
    return at_level(shaped, 1.0)


def at_level(samples: npt.NDArray[Any], rms: float) -> Samples:
    """The samples scaled to an RMS over all of them."""
    now = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))
    return np.asarray(samples * (rms / max(now, 1e-9)), dtype=np.float32)


def impulse_response(rt60_s: float, rng: np.random.Generator) -> Samples:
    """The tail of a synthetic room: noise that decays by 60 dB in ``rt60_s``, energy 1."""
    n = round(rt60_s * RATE_HZ)
    tail = rng.standard_normal(n) * 10 ** (-3 * np.arange(n) / n)
    return np.asarray(tail / np.sqrt(np.sum(tail**2)), dtype=np.float32)


def reverberate(dry: Samples, rt60_s: float, tail_amplitude: float, rng: np.random.Generator) -> Samples:
    """Direct sound plus a room tail ``tail_amplitude`` as loud, as long as the dry signal."""
    tail = fftconvolve(dry, impulse_response(rt60_s, rng))[: len(dry)]
    return np.asarray(dry + tail_amplitude * tail, dtype=np.float32)


def leak_of(model: Samples, echo_db: float, delay_ms: float, rt60_s: float, rng: np.random.Generator) -> Samples:
    """The model as the user's microphone hears it: late, through the room, ``echo_db`` below the model's own level."""
    late = np.concatenate([np.zeros(round(delay_ms * RATE_HZ / 1000), np.float32), model])[: len(model)]
    heard = reverberate(late, rt60_s, 0.7, rng) / np.sqrt(1 + 0.7**2)
    return np.asarray(heard * 10 ** (echo_db / 20), dtype=np.float32)


def babble_of(takes: list[Samples], n_samples: int, rng: np.random.Generator) -> Samples:
    """Several people talking at once far off: takes of other voices strung together, one string per person."""
    mixed = np.zeros(n_samples, np.float32)
    for _ in range(BABBLE_VOICES):
        at = -int(rng.integers(0, RATE_HZ))
        while at < n_samples:
            take = takes[int(rng.integers(len(takes)))]
            head = max(0, -at)
            part = take[head : head + max(0, n_samples - max(at, 0))]
            mixed[max(at, 0) : max(at, 0) + len(part)] += part
            at += len(take) + int(rng.integers(RATE_HZ // 20, RATE_HZ // 3))
    return mixed


def through_vorbis(log: npt.NDArray[np.float32], rate_hz: int) -> npt.NDArray[np.float32]:
    """The log after a lossy codec: Ogg Vorbis at a low quality, there and back; length is kept."""
    packed = io.BytesIO()
    write_ogg(packed, log, rate_hz, "VORBIS", quality_loss=0.7)
    packed.seek(0)
    back, _ = sf.read(packed, dtype="float32", always_2d=True)
    kept = np.zeros_like(log)
    n = min(len(log), len(back))
    kept[:n] = back[:n]
    return kept


def write_ogg(
    target: BinaryIO, log: npt.NDArray[np.float32], rate_hz: int, subtype: str, *, quality_loss: float
) -> None:
    """Write Ogg a second at a time: libsndfile's lossy encoders overflow their stack on long writes."""
    settings = {"format": "OGG", "subtype": subtype, "compression_level": quality_loss}
    with sf.SoundFile(target, "w", rate_hz, log.shape[1], **settings) as file:
        for start in range(0, len(log), rate_hz):
            file.write(log[start : start + rate_hz])
