"""Voices for the scripted dialogues: espeak-ng and Flite, each utterance spoken once and kept.

An utterance comes back as the audible speech alone: what a synthesiser leaves silent before and after is cut off by
energy, so that a planted start or end is the start or end of sound.
"""

from __future__ import annotations

import io
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from shutil import which

import espeak
import numpy as np
import numpy.typing as npt
import soundfile as sf
import soxr

Samples = npt.NDArray[np.float32]

RATE_HZ = 24_000
FRAME = RATE_HZ // 100
"""Samples in the 10 ms steps by which energy is measured."""
AUDIBLE_DB = -38.0
"""A frame this far below the utterance's loudest frames is no longer heard as speech."""
LONGEST_INNER_SILENCE_S = 0.6
"""Silence a synthesiser may leave inside one utterance; longer ones are shortened to it."""
SPEECH_RMS = 0.1
"""Level of every utterance as it is spoken, RMS over its audible frames (-20 dBFS)."""


@dataclass(frozen=True)
class Voice:
    """One speaker: a synthesiser, its voice, and how fast and how high it speaks."""

    engine: str
    name: str
    speed: float
    pitch: int

    @property
    def label(self) -> str:
        """Short name for the truth file and the manifest."""
        return f"{self.engine}:{self.name}:{self.speed:g}:{self.pitch}"


# speed is words per minute for espeak and duration_stretch for Flite; pitch is espeak's 0-99 and Flite's mean F0 in Hz
VOICES = {
    "espeak": (
        Voice("espeak", "en-us", 160, 45),
        Voice("espeak", "en-us+m1", 150, 40),
        Voice("espeak", "en-us+m3", 170, 35),
        Voice("espeak", "en-us+m7", 165, 50),
        Voice("espeak", "en-us+f1", 165, 55),
        Voice("espeak", "en-us+f2", 150, 60),
        Voice("espeak", "en-us+f4", 175, 50),
        Voice("espeak", "en", 155, 48),
        Voice("espeak", "en+f3", 160, 62),
        Voice("espeak", "en-gb-scotland+m2", 158, 42),
        Voice("espeak", "en-gb-x-rp+f5", 168, 58),
        Voice("espeak", "en+m5", 145, 38),
    ),
    "flite": (
        Voice("flite", "slt", 1.0, 170),
        Voice("flite", "slt", 1.12, 190),
        Voice("flite", "rms", 0.92, 100),
        Voice("flite", "rms", 1.08, 115),
        Voice("flite", "awb", 0.95, 125),
        Voice("flite", "awb", 1.1, 140),
        Voice("flite", "kal16", 1.0, 105),
        Voice("flite", "kal16", 1.1, 120),
    ),
}

# the sounds that no synthesiser reads from their spelling
ESPEAK_SOUNDS = {"mm-hm": "[[m'@hm]]", "uh-huh": "[[V'hV]]"}
FLITE_SOUNDS = {"mm-hm": "mhum", "uh-huh": "uh huh"}


def available_engines() -> tuple[str, ...]:
    """The engines that can speak on this machine."""
    return ("espeak", "flite") if which("flite") else ("espeak",)


class Studio:
    """Speaks texts at 24 kHz and keeps every take, so that a text costs its synthesis once per voice."""

    def __init__(self) -> None:
        self._takes: dict[tuple[Voice, str], Samples] = {}

    def speak(self, voice: Voice, text: str) -> Samples:
        """The audible speech of ``text``: float32 mono at 24 kHz, RMS ``SPEECH_RMS``. Raises RuntimeError if silent."""
        key = (voice, text)
        if key not in self._takes:
            raw, rate_hz = _ENGINES[voice.engine](voice, text)
            at_rate = raw if rate_hz == RATE_HZ else soxr.resample(raw, rate_hz, RATE_HZ).astype(np.float32)
            take = level(shorten_silences(audible(at_rate)))
            if not take.size:
                raise RuntimeError(f"{voice.label} said nothing for {text!r}; check that the engine has this voice")
            self._takes[key] = take
        return self._takes[key]


def audible_frames(samples: Samples) -> npt.NDArray[np.bool_]:
    """Which 10 ms frames hold audible speech, shape (len // FRAME,)."""
    whole = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
    power = np.mean(np.square(whole, dtype=np.float64), axis=1)
    if not power.size or power.max() <= 0:
        return np.zeros(len(power), dtype=np.bool_)
    return np.asarray(power > np.percentile(power, 95) * 10 ** (AUDIBLE_DB / 10))


def audible(samples: Samples) -> Samples:
    """The samples from the first to the last audible frame; empty when nothing is heard."""
    heard = np.flatnonzero(audible_frames(samples))
    return samples[heard[0] * FRAME : (heard[-1] + 1) * FRAME] if heard.size else samples[:0]


def shorten_silences(samples: Samples, longest_s: float = LONGEST_INNER_SILENCE_S) -> Samples:
    """The utterance with every silence inside it cut down to ``longest_s``."""
    longest = round(longest_s * RATE_HZ / FRAME)
    heard = np.flatnonzero(audible_frames(samples))
    keep = np.ones(len(samples), dtype=np.bool_)
    for before, after in pairwise(heard):
        if (gap := after - before - 1) > longest:
            first = before + 1 + longest // 2
            keep[first * FRAME : (first + gap - longest) * FRAME] = False
    return samples[keep]


def level(samples: Samples, rms: float = SPEECH_RMS) -> Samples:
    """The utterance brought to one level, RMS over its audible frames; peaks stay below 0.9."""
    if not samples.size:
        return samples
    heard = np.repeat(audible_frames(samples), FRAME)
    loudness = float(np.sqrt(np.mean(np.square(samples[: len(heard)][heard], dtype=np.float64))))
    gain = min(rms / loudness, 0.9 / float(np.abs(samples).max()))
    return (samples * gain).astype(np.float32)


def _flite(voice: Voice, text: str) -> tuple[Samples, int]:
    """Flite (Debian package ``flite``) through its command line; WAV bytes come back on standard output."""
    settings = ["--setf", f"duration_stretch={voice.speed}", "--setf", f"int_f0_target_mean={voice.pitch}"]
    spoken = FLITE_SOUNDS.get(text, text)
    command = ["flite", "-voice", voice.name, *settings, "-t", spoken, "-o", "/dev/stdout"]
    wav = subprocess.run(command, check=True, capture_output=True).stdout
    samples, rate_hz = sf.read(io.BytesIO(_with_sizes(wav)), dtype="float32")
    return samples, rate_hz


def _with_sizes(wav: bytes) -> bytes:
    """A WAV written to a pipe carries no sizes in its header; put in what the bytes say."""
    sized = bytearray(wav)
    sized[4:8] = (len(wav) - 8).to_bytes(4, "little")
    sized[40:44] = (len(wav) - 44).to_bytes(4, "little")
    return bytes(sized)


def _espeak(voice: Voice, text: str) -> tuple[Samples, int]:
    said = ESPEAK_SOUNDS.get(text, text)
    spoken = espeak.speak(
        said, voice.name, words_per_minute=int(voice.speed), pitch=voice.pitch, flags=espeak.UTF8 | espeak.PHONEMES
    )
    return spoken.samples, spoken.rate_hz


_ENGINES: dict[str, Callable[[Voice, str], tuple[Samples, int]]] = {"espeak": _espeak, "flite": _flite}


def voices_of(engines: Iterable[str]) -> tuple[Voice, ...]:
    """All voices of the named engines. Raises ValueError for a name nobody has."""
    unknown = [name for name in engines if name not in VOICES]
    if unknown:
        raise ValueError(f"no such voices: {', '.join(unknown)}; known: {', '.join(VOICES)}")
    return tuple(voice for name in engines for voice in VOICES[name])
