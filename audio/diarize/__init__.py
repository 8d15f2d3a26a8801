"""Who of several people speaks on one channel: a user's channel with a guest, or a loudspeaker in a room.

A log's two channels already part the model from the user, so this is for the rare channel that holds more than one
person, and is off by default. Turns come from a backend (``pyannote``), words get their speaker in ``assign``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Final, Literal, Protocol

import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from audio.backends import MissingBackendError
from audio.frames import Samples
from schemas.clock import Seconds

DiarizerName = Literal["pyannote"]

SPEAKER_TURNS = pl.Schema({"start_s": pl.Float64(), "end_s": pl.Float64(), "speaker": pl.String()})
"""Turns of the people on a channel by start; those of two people may overlap. Speakers are S1, S2, ... as they come."""

_INSTALL: Final = "pip install 'duplex-miner[pyannote]'"


class DiarizeOptions(BaseModel):
    """What a diarizer runs with."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    max_speakers: int | None = Field(default=None, ge=1)
    """At most this many people in each window, where known."""
    window_s: float = Field(default=600.0, ge=30)
    """Audio heard at once; the backend's memory grows with its square."""
    overlap_s: float = Field(default=60.0, ge=10)
    """Audio that a window shares with the one before it, to know its people again."""
    shared_speech_s: float = Field(default=1.0, gt=0)
    """Speech in common with somebody of the window before that makes two voices one person."""
    same_voice: float = Field(default=0.4, ge=0, le=2)
    """Else, voices whose embeddings lie this near (cosine distance) are one person."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where it runs; auto takes the GPU if there is one."""
    download: bool = False
    """Whether a model that is not there may be downloaded; a gated one takes the token in HF_TOKEN."""


class Diarizer(Protocol):
    """A backend with its model loaded."""

    name: DiarizerName
    effective: Mapping[str, object]
    """What it really runs with."""

    def speakers(self, blocks: Iterable[Samples], speech_s: Seconds) -> pl.DataFrame:
        """Turns of a channel's speakers, columns ``SPEAKER_TURNS``, all inside ``speech_s``.

        ``blocks``: the whole channel in order, float32 (n,) each, at 16 kHz, full scale 1. ``speech_s``: its own speech
        in order, shape (m, 2); the rest of the channel (the model's leak, a television) is muted.
        """
        ...


def open_diarizer(
    model: str | None = None, options: Mapping[str, object] | None = None, *, name: DiarizerName = "pyannote"
) -> Diarizer:
    """Load a backend. ``model``: a folder with a pipeline's config.yaml, or its id on the Hugging Face Hub.

    Raises MissingBackendError with what to install, or ModelMissingError where the weights cannot be had.
    """
    try:
        module = import_module(f"audio.diarize.{name}")
    except ImportError as error:
        raise MissingBackendError(
            f"diarizer '{name}' needs a package that is not installed ({error}). Run: {_INSTALL}"
        ) from error
    except OSError as error:
        raise MissingBackendError(
            f"diarizer '{name}' is installed, but a library of it does not load ({error}). torchaudio must be made for "
            "the same device as torch. On a machine without CUDA run: "
            "pip install --force-reinstall --no-deps torchaudio --index-url https://download.pytorch.org/whl/cpu"
        ) from error
    diarizer: Diarizer = module.open_backend(model, DiarizeOptions.model_validate(options or {}))
    return diarizer
