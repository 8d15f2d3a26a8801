"""Who hears the words of a channel: one file per backend, chosen by name and imported when asked for.

A backend sees clips of one channel's own speech and nothing else of the log: not the other channel, not the silence,
not the leak. Words that came with a log are read by ``audio.asr.given`` and need no backend.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Final, Literal, Protocol

import polars as pl

from audio.backends import MissingBackendError
from audio.frames import Samples

RecogniserName = Literal["faster-whisper", "openai-whisper", "pocketsphinx"]

HEARD = pl.Schema(
    {
        "channel": pl.String(),
        "text": pl.String(),
        "start_s": pl.Float64(),
        "end_s": pl.Float64(),
        "timing_source": pl.String(),
        "confidence": pl.Float64(),
    }
)
"""Words as they are heard or read: in any order, not yet held against the speech. ``channel`` is model or user."""

CLIP_WORDS = pl.Schema(
    {
        "clip": pl.Int64(),
        "text": pl.String(),
        "start_s": pl.Float64(),
        "end_s": pl.Float64(),
        "confidence": pl.Float64(),
    }
)
"""Words as a backend gives them: ``clip`` is the index of the clip, times count from the clip's start."""

NEEDS: Final[Mapping[RecogniserName, str]] = {
    "faster-whisper": "faster-whisper",
    "openai-whisper": "'duplex-miner[openai-whisper]'",
    "pocketsphinx": "pocketsphinx",
}
"""What pip installs for each."""


class WordsError(ValueError):
    """A log whose words cannot be had. The message says what was found."""


class Recogniser(Protocol):
    """A backend with its model loaded."""

    name: RecogniserName
    max_clip_s: float
    """Longest clip it takes in one go, seconds."""
    apart_s: float
    """Own silence longer than this begins a new clip, seconds; infinite where full clips are cheaper."""
    effective: Mapping[str, object]
    """What it really runs with (model, device, compute type, decoding options): logged, and shown by ``doctor``."""

    def knows(self, language: str | None) -> bool:
        """Whether it can read a language; None is one that nobody named."""
        ...

    def words(self, clips: Sequence[Samples], language: str | None) -> pl.DataFrame:
        """Words of clips of one channel, columns ``CLIP_WORDS``. Clips: float32 (n,) at 16 kHz, full scale 1.

        ``language``: BCP-47 tag of the log, None where unknown.
        """
        ...


def open_recogniser(
    name: RecogniserName, model: str | None = None, options: Mapping[str, object] | None = None
) -> Recogniser:
    """Load a backend. ``model``: its name or a local path, None for the backend's default; ``options``: of its config.

    Raises MissingBackendError with the install line, or ModelMissingError where the weights cannot be had.
    """
    try:
        module = import_module(f"audio.asr.{name.replace('-', '_')}")
    except ImportError as error:
        raise MissingBackendError(
            f"ASR backend '{name}' needs a package that is not installed ({error}). Run: pip install {NEEDS[name]}"
        ) from error
    recogniser: Recogniser = module.open_backend(model, options or {})
    return recogniser
