"""espeak-ng through the shared library that the package ``espeakng-loader`` brings."""

from __future__ import annotations

import _ctypes
import ctypes
from dataclasses import dataclass

import espeakng_loader  # type: ignore[import-untyped]
import numpy as np
import numpy.typing as npt

UTF8, PHONEMES = 1, 0x100
"""How the text is written, and whether it may hold phonemes in double brackets; added up."""
_SYNCHRONOUS, _WORD_EVENT = 2, 1
_PARAMETER_RATE, _PARAMETER_PITCH = 1, 3


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position_ms", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_char * 8),
    )


_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


@dataclass(frozen=True)
class Spoken:
    """``samples`` float32 (n,) at ``rate_hz``; ``start_of``: seconds of each word event, by position in the text."""

    samples: npt.NDArray[np.float32]
    rate_hz: int
    start_of: dict[int, float]


def speak(text: str, voice: str, *, words_per_minute: int, pitch: int, flags: int = UTF8) -> Spoken:
    """Speak a text. Raises RuntimeError for a voice that is none.

    The library keeps its wave phase and its noise between utterances, so it is loaded afresh for each (5 ms) and
    seeded: the same text sounds the same, whatever was spoken before.
    """
    parts: list[npt.NDArray[np.float32]] = []
    start_of: dict[int, float] = {}

    def collect(wave: ctypes._Pointer[ctypes.c_short], n_samples: int, events: ctypes._Pointer[_Event]) -> int:
        if wave and n_samples:
            parts.append(np.ctypeslib.as_array(wave, (n_samples,)).astype(np.float32) / np.float32(32768))
        index = 0
        while events[index].type:
            if events[index].type == _WORD_EVENT:
                start_of.setdefault(events[index].text_position - 1, events[index].audio_position_ms / 1000)
            index += 1
        return 0

    callback = _CALLBACK(collect)
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    try:
        rate_hz = library.espeak_Initialize(_SYNCHRONOUS, 0, espeakng_loader.get_data_path().encode(), 0)
        library.espeak_ng_SetRandSeed(ctypes.c_long(1))
        library.espeak_SetSynthCallback(callback)
        if library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise RuntimeError(f"espeak-ng has no voice {voice}; take one from VOICES")
        library.espeak_SetParameter(_PARAMETER_RATE, words_per_minute, 0)
        library.espeak_SetParameter(_PARAMETER_PITCH, pitch, 0)
        spoken = text.encode()
        library.espeak_Synth(spoken, len(spoken) + 1, 0, 0, 0, flags, None, None)
        library.espeak_Synchronize()
        library.espeak_Terminate()
    finally:
        _ctypes.dlclose(library._handle)
    return Spoken(np.concatenate(parts) if parts else np.zeros(0, np.float32), rate_hz, start_of)
