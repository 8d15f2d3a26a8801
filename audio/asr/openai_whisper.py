"""Words by OpenAI's Whisper on PyTorch (MIT, https://github.com/openai/whisper), one clip at a time.

Word times come from the cross-attention of heads that OpenAI chose for each of its models. So a model is best given by
its name: a file given by its path is read with the heads of the upper half of the decoder, whose times are rougher.
"""

from __future__ import annotations

import math
import os
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
import torch
import whisper
import xxhash
from whisper.tokenizer import LANGUAGES

from audio.asr import CLIP_WORDS, RecogniserName
from audio.asr.choose import DEFAULT_WHISPER
from audio.asr.languages import whisper_code
from audio.asr.options import HowToRun, WhisperOptions
from audio.backends import ModelMissingError
from audio.frames import RATE_HZ, Samples
from schemas.clock import samples_to_seconds, seconds_to_samples
from schemas.ids import unit_draw

SHORTEST_S: Final = 0.1
"""Clips shorter than this hold no word, and no frame for Whisper's alignment to look at."""
_OPTIONS: Final = (WhisperOptions, HowToRun)


class OpenaiWhisper:
    """OpenAI's Whisper with a model loaded."""

    name: RecogniserName = "openai-whisper"
    max_clip_s = 30.0
    apart_s = math.inf

    def __init__(self, model: str, options: WhisperOptions, how: HowToRun) -> None:
        device = how.device
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        torch.set_num_threads(how.threads)
        self._whisper = _load(model, device, download=how.download)
        self._decoding: dict[str, Any] = {
            "task": "transcribe",
            "fp16": device == "cuda",
            "beam_size": options.beam_size,
            "temperature": options.temperatures,
            "compression_ratio_threshold": options.compression_ratio_threshold,
            "logprob_threshold": options.logprob_threshold,
            "no_speech_threshold": options.no_speech_threshold,
            "initial_prompt": options.initial_prompt,
            "condition_on_previous_text": False,
            "word_timestamps": True,
        }
        self.effective: Mapping[str, object] = {
            "model": model,
            "multilingual": self._whisper.is_multilingual,
            "device": str(self._whisper.device),
            **self._decoding,
            "whisper": whisper.__version__,
            "torch": torch.__version__,
        }

    def knows(self, language: str | None) -> bool:
        """Whether the model was trained on a language (BCP-47 tag); one that nobody named it finds out itself."""
        if language is None:
            return True
        code = whisper_code(language)
        return code == "en" or (self._whisper.is_multilingual and code in LANGUAGES)

    def words(self, clips: Sequence[Samples], language: str | None) -> pl.DataFrame:
        """Words of clips of one channel, see ``Recogniser``. A language it does not know is taken for unnamed."""
        code = whisper_code(language) if language is not None and self.knows(language) else None
        return pl.concat(
            [CLIP_WORDS.to_frame(), *(self._clip(number, clip, code) for number, clip in enumerate(clips))]
        )

    def _clip(self, number: int, clip: Samples, code: str | None) -> pl.DataFrame:
        if len(clip) < seconds_to_samples(SHORTEST_S, RATE_HZ):
            return CLIP_WORDS.to_frame()
        with torch.random.fork_rng():
            torch.manual_seed(_seed(clip))
            heard = whisper.transcribe(self._whisper, clip, language=code, verbose=None, **self._decoding)
        words = [word for segment in heard["segments"] for word in segment["words"]]
        # Mending around pauses can leave a word a little before the one it follows, or past the end of the audio.
        length_s = samples_to_seconds(len(clip), RATE_HZ)
        start_s = np.maximum.accumulate(np.clip([word["start"] for word in words], 0.0, length_s))
        end_s = np.clip([word["end"] for word in words], 0.0, length_s)
        return pl.DataFrame(
            {
                "clip": np.full(len(words), number),
                "text": [word["word"].strip() for word in words],
                "start_s": start_s,
                "end_s": np.maximum(start_s, end_s),
                "confidence": np.array([word["probability"] for word in words], dtype=np.float64),
            },
            schema=CLIP_WORDS,
        )


def open_backend(model: str | None, options: Mapping[str, object]) -> OpenaiWhisper:
    """The backend with ``model``: a name of OpenAI's or the path of a ``.pt``.

    ``options``: the fields of WhisperOptions and HowToRun. Raises ModelMissingError.
    """
    whisper_options, how = ({key: options[key] for key in kind.model_fields if key in options} for kind in _OPTIONS)
    return OpenaiWhisper(
        model or DEFAULT_WHISPER, WhisperOptions.model_validate(whisper_options), HowToRun.model_validate(how)
    )


def _load(model: str, device: str, *, download: bool) -> whisper.Whisper:
    official = model in whisper.available_models()
    if official and download:
        return whisper.load_model(model, device=device)
    # By name, Whisper itself would download a file that is missing or broken: hence by path.
    path = _cached(model) if official else Path(model)
    if not path.is_file():
        raise ModelMissingError(_missing(model, path, official=official))
    try:
        loaded = whisper.load_model(str(path), device=device)
    except (RuntimeError, KeyError, TypeError, EOFError, pickle.UnpicklingError) as error:
        raise ModelMissingError(
            f"{path} is no Whisper model in OpenAI's format ({type(error).__name__}). Delete it and fetch it again "
            "with --set execution.asr.download=true, or give another as transcribe.model"
        ) from error
    if official:
        loaded.set_alignment_heads(whisper._ALIGNMENT_HEADS[model])
    return loaded


def _cached(model: str) -> Path:
    """Where Whisper keeps a model of its own."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "whisper"
    return cache / Path(whisper._MODELS[model]).name


def _missing(model: str, path: Path, *, official: bool) -> str:
    if not official:
        return f"no Whisper model '{model}': it is neither a file nor one of {', '.join(whisper.available_models())}"
    return (
        f"Whisper model '{model}' is not on this machine: no {path}. Fetch it with --set execution.asr.download=true, "
        f"copy {path.name} into that folder from a machine that has it, or give the path of a .pt as transcribe.model"
    )


def _seed(clip: Samples) -> int:
    return int(unit_draw("openai-whisper", xxhash.xxh3_64_hexdigest(clip.tobytes())) * 2**32)
