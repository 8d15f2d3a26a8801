"""Spoken sentences with the times of their words, as the synthesiser itself reports them.

Flite tells the start and end of every segment; espeak-ng tells when each word starts. Both are asked through ctypes.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass

import espeak
import numpy as np
import soxr
from voices import VOICES, Samples, Voice

RATE_HZ = 16_000
FLITE_LIBRARY = "libflite.so.1"


@dataclass(frozen=True)
class Take:
    """One sentence as float32 mono at 16 kHz, and the times of its words in seconds, NaN where none is known."""

    samples: Samples
    words: tuple[str, ...]
    start_s: tuple[float, ...]
    end_s: tuple[float, ...]


def available() -> Iterator[tuple[str, Voice]]:
    """(family, voice) of every voice that can speak with word times here."""
    for family, voices in VOICES.items():
        if family == "flite" and not _has_flite():
            continue
        yield from ((family, voice) for voice in voices)


def speak(voice: Voice, text: str) -> Take:
    """The sentence with the times of its words (what stands between spaces)."""
    return _flite(voice, text) if voice.engine == "flite" else _espeak(voice, text)


def _has_flite() -> bool:
    try:
        ctypes.CDLL(FLITE_LIBRARY)
    except OSError:
        return False
    return True


class _Wave(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_char_p),
        ("sample_rate", ctypes.c_int),
        ("num_samples", ctypes.c_int),
        ("num_channels", ctypes.c_int),
        ("samples", ctypes.POINTER(ctypes.c_short)),
    )


_FIRST_END = b"daughter1.R:SylStructure.daughter1.daughter1.R:Segment.p.end"
_LAST_END = b"daughtern.R:SylStructure.daughtern.daughtern.R:Segment.end"
_flite_voices: dict[str, int] = {}


def _flite(voice: Voice, text: str) -> Take:
    lib = ctypes.CDLL(FLITE_LIBRARY, mode=ctypes.RTLD_GLOBAL)
    pointer, name = ctypes.c_void_p, ctypes.c_char_p
    for function, result, arguments in (
        ("flite_synth_text", pointer, [name, pointer]),
        ("utt_wave", ctypes.POINTER(_Wave), [pointer]),
        ("utt_relation", pointer, [pointer, name]),
        ("relation_head", pointer, [pointer]),
        ("item_next", pointer, [pointer]),
        ("ffeature_string", name, [pointer, name]),
        ("ffeature_float", ctypes.c_float, [pointer, name]),
        ("delete_utterance", None, [pointer]),
        ("feat_set_float", None, [pointer, name, ctypes.c_float]),
    ):
        getattr(lib, function).restype, getattr(lib, function).argtypes = result, arguments
    if voice.name not in _flite_voices:
        lib.flite_init()
        for dependency in ("usenglish", "cmulex"):
            ctypes.CDLL(f"libflite_{dependency}.so.1", mode=ctypes.RTLD_GLOBAL)
        full_name = f"cmu_us_{voice.name}"
        register = getattr(ctypes.CDLL(f"libflite_{full_name}.so.1"), f"register_{full_name}")
        register.restype, register.argtypes = pointer, [name]
        _flite_voices[voice.name] = register(None)
    handle = _flite_voices[voice.name]
    features = ctypes.cast(handle + ctypes.sizeof(pointer), ctypes.POINTER(pointer))[0]
    lib.feat_set_float(features, b"duration_stretch", voice.speed)
    lib.feat_set_float(features, b"int_f0_target_mean", voice.pitch)
    utterance = lib.flite_synth_text(text.encode(), handle)
    wave = lib.utt_wave(utterance).contents
    raw = np.ctypeslib.as_array(wave.samples, (wave.num_samples,)).astype(np.float32) / np.float32(32768)
    words, starts, ends = [], [], []
    token = lib.relation_head(lib.utt_relation(utterance, b"Token"))
    while token:
        words.append(lib.ffeature_string(token, b"name").decode())
        starts.append(float(lib.ffeature_float(token, _FIRST_END)))
        ends.append(float(lib.ffeature_float(token, _LAST_END)))
        token = lib.item_next(token)
    samples = np.asarray(soxr.resample(raw, wave.sample_rate, RATE_HZ), dtype=np.float32)
    lib.delete_utterance(utterance)
    return Take(samples, tuple(words), tuple(starts), tuple(ends))


def _espeak(voice: Voice, text: str) -> Take:
    """Words that espeak runs together ("of the") have one event, at the first of them; the others keep NaN."""
    spoken = espeak.speak(text, voice.name, words_per_minute=int(voice.speed), pitch=voice.pitch)
    words, starts, position = text.split(), [], 0
    for word in words:
        position = text.index(word, position)
        starts.append(spoken.start_of.get(position, float("nan")))
        position += len(word)
    samples = np.asarray(soxr.resample(spoken.samples, spoken.rate_hz, RATE_HZ), dtype=np.float32)
    return Take(samples, tuple(words), tuple(starts), (float("nan"),) * len(words))
