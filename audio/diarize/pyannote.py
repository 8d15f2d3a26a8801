"""Speakers by pyannote.audio 4 (MIT, https://github.com/pyannote/pyannote-audio).

Its clustering compares all ten-second pieces of a recording with each other, so that memory grows with the square of
the length; windows keep it flat. Audio is handed over in memory: its own reader, torchcodec, would need FFmpeg's
libraries on the machine. Its models are pickles: open only those you trust.
"""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import warnings
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from audio.backends import ModelMissingError
from audio.diarize import DiarizeOptions, DiarizerName
from audio.diarize.stitch import Stitcher, Turns, own_speech, windows
from audio.frames import RATE_HZ, Samples
from schemas.clock import Seconds, array_to_ms, to_ms

# pyannote.audio reports each file's length and speaker count to its makers unless told not to. Logs are private.
os.environ["PYANNOTE_METRICS_ENABLED"] = "0"
with warnings.catch_warnings():
    warnings.filterwarnings("ignore", message=r"\s*torchcodec is not installed correctly")
    import pyannote.audio
    import torch
    from huggingface_hub import constants as hub
    from pyannote.audio.pipelines import SpeakerDiarization

DEFAULT_MODEL: Final = "pyannote/speaker-diarization-community-1"
TOKEN_VARIABLE: Final = "HF_TOKEN"  # noqa: S105


class Pyannote:
    """A SpeakerDiarization pipeline of pyannote.audio."""

    name: DiarizerName = "pyannote"

    def __init__(self, model: str, options: DiarizeOptions) -> None:
        device = options.device
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        self._pipeline = _load(model, options)
        self._pipeline.to(torch.device(device))
        self._options = options
        self.effective: Mapping[str, object] = {
            "model": model,
            "device": device,
            "clustering": self._pipeline.klustering,
            "parameters": self._pipeline.parameters(instantiated=True),
            **options.model_dump(exclude={"device", "download"}),
            "pyannote.audio": pyannote.audio.__version__,
            "torch": torch.__version__,
        }

    def speakers(self, blocks: Iterable[Samples], speech_s: Seconds) -> pl.DataFrame:
        """Turns of a channel's speakers, see ``Diarizer``. Memory holds one window of ``window_s``."""
        stitcher = Stitcher(self._options)
        for window in windows(blocks, self._options.window_s, self._options.overlap_s):
            own = own_speech(window, speech_s)
            if own is not None:
                stitcher.add(window.start_s, self._heard(own, window.start_s))
        return stitcher.turns(speech_s)

    def _heard(self, samples: Samples, start_s: float) -> Turns:
        with warnings.catch_warnings():
            # It warns of pieces too short for statistics, whose speakers it then takes from their neighbours.
            warnings.simplefilter("ignore")
            found = self._pipeline(
                {"waveform": torch.from_numpy(samples)[None], "sample_rate": RATE_HZ, "uri": "channel"},
                max_speakers=self._options.max_speakers,
            )
        annotation = found.speaker_diarization
        tracks = [(turn.start, turn.end, label) for turn, _, label in annotation.itertracks(yield_label=True)]
        labels = {label: row for row, label in enumerate(annotation.labels())}
        times = array_to_ms(np.array([track[:2] for track in tracks], dtype=np.float64).reshape(-1, 2))
        offset = to_ms(start_s)
        return Turns(
            start=times[:, 0] + offset,
            end=times[:, 1] + offset,
            voice=np.array([labels[label] for _, _, label in tracks], dtype=np.int64),
            embeddings=np.asarray(found.speaker_embeddings, dtype=np.float64),
        )


def open_backend(model: str | None, options: DiarizeOptions) -> Pyannote:
    """The backend with a pipeline from a folder or the hub; None is ``DEFAULT_MODEL``. Raises ModelMissingError."""
    return Pyannote(model or DEFAULT_MODEL, options)


def _load(model: str, options: DiarizeOptions) -> Any:
    token = os.environ.get(TOKEN_VARIABLE)
    try:
        # pyannote.audio prints advice where a download fails; ours is in the error.
        with _hub_offline(not options.download), contextlib.redirect_stdout(io.StringIO()):
            pipeline = pyannote.audio.Pipeline.from_pretrained(model, token=token)
    except (OSError, KeyError, ValueError, TypeError, RuntimeError, pickle.UnpicklingError) as error:
        raise ModelMissingError(_missing(model, options, error)) from error
    if not isinstance(pipeline, SpeakerDiarization):
        raise ModelMissingError(f"{model} holds a {type(pipeline).__name__}, not a SpeakerDiarization pipeline")
    pipeline.legacy = False
    return pipeline


@contextlib.contextmanager
def _hub_offline(offline: bool) -> Iterator[None]:
    """Keep pyannote.audio off the network: also for models that a local config.yaml names by their ids."""
    before = hub.HF_HUB_OFFLINE
    hub.HF_HUB_OFFLINE = offline or before
    try:
        yield
    finally:
        hub.HF_HUB_OFFLINE = before


def _missing(model: str, options: DiarizeOptions, error: Exception) -> str:
    # The hub's own error says that something is missing, its cause what.
    reason = str(error.__cause__ or error).strip().split("\n", maxsplit=1)[0]
    if Path(model).exists():
        return (
            f"{model} holds no diarization pipeline of pyannote.audio that loads ({type(error).__name__}: {reason}). "
            "It needs config.yaml and, in it, segmentation, embedding and plda of this folder ($model/...)"
        )
    if options.download:
        return (
            f"'{model}' cannot be downloaded ({type(error).__name__}: {reason}). If it is gated, accept its conditions "
            f"on https://hf.co/{model} and put a token into {TOKEN_VARIABLE}; or give the path of a local copy"
        )
    return (
        f"'{model}' is not on this machine. Set the option download = true to fetch it (a gated model needs a token in "
        f"{TOKEN_VARIABLE}), or give the path of a folder with its config.yaml"
    )
