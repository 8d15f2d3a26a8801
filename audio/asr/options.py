"""Options of the recognisers that can change a word. What cannot (device, threads, downloads) is ``HowToRun``."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, NegativeFloat, PositiveFloat


class _Options(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class WhisperOptions(_Options):
    """Decoding of both Whisper backends."""

    beam_size: int = Field(default=5, ge=1)
    """Hypotheses kept at temperature 0."""
    temperatures: tuple[float, ...] = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    """Tried in turn while the text repeats itself or is improbable; batched faster-whisper takes the first alone."""
    compression_ratio_threshold: float = 2.4
    """Text that packs better than this repeats itself."""
    logprob_threshold: float = -1.0
    """A mean log-probability below this is improbable."""
    no_speech_threshold: float = 0.6
    """An improbable text is dropped where the model hears no speech with more than this probability."""
    initial_prompt: str | None = None
    """Text before every clip, to set names and spelling."""


class FasterWhisperOptions(_Options):
    """What only faster-whisper has."""

    mode: Literal["sequential", "batched"] = "sequential"
    """`sequential` takes the thresholds above into account; `batched` is faster on a GPU and ignores them."""
    compute_type: str = "default"
    """CTranslate2's number format (int8, float16, ...); `default` is that of the weights, as far as the device can."""


class PocketsphinxOptions(_Options):
    """What PocketSphinx runs with."""

    language_weight: PositiveFloat = 6.5
    """How much the language model counts against the sound."""
    word_insertion_penalty: PositiveFloat = 0.65
    """Below 1: fewer, longer words."""
    level_dbfs: NegativeFloat = -26.0
    """Level that a channel's speech is brought to, RMS dBFS."""
    sure: float = Field(default=0.25, ge=0, le=1)
    """A short clip is read again when the probability of one of its words is below this."""
    stock_phrase_max_s: float = Field(default=2.4, ge=0)
    """A clip is short up to this, seconds; it may be a stock phrase ("thank you, goodbye", "yes please")."""
    stock_phrase_alike: float = Field(default=0.4, ge=0, le=1)
    """A phrase must share this much of its phones with the first reading (2 x shared / all)."""
    stock_phrase_margin: float = 1.65
    """Log-likelihood per 10 ms, times that share, by which the first reading must fit the sound better to be kept."""
    unsure_max_s: float = Field(default=1.3, ge=0)
    """A clip up to this, seconds, that is neither read with certainty nor a stock phrase holds no word to go by."""


class HowToRun(_Options):
    """How a backend does its work."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where Whisper runs; `auto` takes a GPU if there is one."""
    threads: int = Field(default=1, ge=1)
    """Threads of one process on the CPU."""
    batch_size: int = Field(default=8, ge=1)
    """Clips at once in faster-whisper's batched mode."""
    download: bool = False
    """Whether weights that are not here may be fetched."""
