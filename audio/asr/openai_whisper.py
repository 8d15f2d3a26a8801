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
from typing import Any, Final, Literal

import numpy as np
import polars as pl
import torch
import whisper
import xxhash
from pydantic import BaseModel, ConfigDict
from whisper.tokenizer import LANGUAGES

from audio.asr import CLIP_WORDS, RecogniserName
from audio.backends import ModelMissingError
from audio.frames import RATE_HZ, Samples
from schemas.clock import samples_to_seconds, seconds_to_samples
from schemas.ids import unit_draw

DEFAULT_MODEL: Final = "small"
SHORTEST_S: Final = 0.1
"""Clips shorter than this hold no word, and no frame for Whisper's alignment to look at."""
_OTHER_TAGS: Final = {"nb": "no", "fil": "tl", "cmn": "zh", "jv": "jw", "iw": "he", "in": "id"}
"""Primary subtags that Whisper knows under another name."""


class OpenaiWhisperOptions(BaseModel):
    """What OpenAI's Whisper runs with."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where it runs; auto takes the GPU if there is one, in 16 bits."""
    beam_size: int = 5
    """Hypotheses kept at temperature 0."""
    temperatures: tuple[float, ...] = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    """Tried in turn while the text repeats itself or is improbable; above 0 tokens are drawn, from a seed per clip."""
    compression_ratio_threshold: float = 2.4
    """Text that packs better than this repeats itself."""
    logprob_threshold: float = -1.0
    """A mean log-probability below this is improbable."""
    no_speech_threshold: float = 0.6
    """An improbable text is dropped where the model hears no speech with more than this probability."""
    initial_prompt: str | None = None
    """Text before every clip, to set names and spelling."""
    models_folder: str | None = None
    """Folder of the downloaded models; by default Whisper's own cache."""
    download: bool = False
    """Whether a model that is not there may be downloaded."""


class OpenaiWhisper:
    """OpenAI's Whisper with a model loaded."""

    name: RecogniserName = "openai-whisper"
    max_clip_s = 30.0
    apart_s = math.inf

    def __init__(self, model: str, options: OpenaiWhisperOptions) -> None:
        device = options.device
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        self._whisper = _load(model, device, options)
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
        code = _code(language)
        return code == "en" or (self._whisper.is_multilingual and code is not None)

    def words(self, clips: Sequence[Samples], language: str | None) -> pl.DataFrame:
        """Words of clips of one channel, see ``Recogniser``. A language it does not know is taken for unnamed."""
        code = _code(language) if self.knows(language) and language is not None else None
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
    """The backend with ``model``: a name of OpenAI's or the path of a ``.pt``; None is ``DEFAULT_MODEL``.

    Raises ModelMissingError where there is none, pydantic.ValidationError for an option that does not exist.
    """
    return OpenaiWhisper(model or DEFAULT_MODEL, OpenaiWhisperOptions.model_validate(options))


def _load(model: str, device: str, options: OpenaiWhisperOptions) -> whisper.Whisper:
    official = model in whisper.available_models()
    if official and options.download:
        return whisper.load_model(model, device=device, download_root=options.models_folder)
    # By name, Whisper itself would download a file that is missing or broken: hence by path.
    path = _cached(model, options.models_folder) if official else Path(model)
    if not path.is_file():
        raise ModelMissingError(_missing(model, path, official=official))
    try:
        loaded = whisper.load_model(str(path), device=device)
    except (RuntimeError, KeyError, TypeError, EOFError, pickle.UnpicklingError) as error:
        raise ModelMissingError(
            f"{path} is no Whisper model in OpenAI's format ({type(error).__name__}). Delete it and fetch it again, "
            "or give another with the option `model`"
        ) from error
    if official:
        loaded.set_alignment_heads(whisper._ALIGNMENT_HEADS[model])
    return loaded


def _cached(model: str, folder: str | None) -> Path:
    """Where Whisper keeps a model of its own."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "whisper"
    return Path(folder or cache) / Path(whisper._MODELS[model]).name


def _missing(model: str, path: Path, *, official: bool) -> str:
    if not official:
        return f"no Whisper model '{model}': it is neither a file nor one of {', '.join(whisper.available_models())}"
    return (
        f"Whisper model '{model}' is not on this machine: no {path}. Set the option download = true to fetch it, or "
        f"copy {path.name} into that folder from a machine that has it, or give the path of a .pt as `model`"
    )


def _code(language: str) -> str | None:
    """Whisper's name of a BCP-47 tag's language, None where it has none."""
    primary = language.replace("_", "-").split("-", maxsplit=1)[0].lower()
    code = _OTHER_TAGS.get(primary, primary)
    return code if code in LANGUAGES else None


def _seed(clip: Samples) -> int:
    return int(unit_draw("openai-whisper", xxhash.xxh3_64_hexdigest(clip.tobytes())) * 2**32)
