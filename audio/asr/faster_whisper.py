"""Words by faster-whisper (MIT, https://github.com/SYSTRAN/faster-whisper): Whisper on CTranslate2, CPU or GPU.

Its own VAD stays off: a clip holds own speech and nothing else. Text before a clip is not handed on to the next one.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np
import polars as pl
from faster_whisper import BatchedInferencePipeline, WhisperModel
from faster_whisper.transcribe import Segment, TranscriptionInfo

from audio.asr import CLIP_WORDS, RecogniserName
from audio.asr.choose import DEFAULT_WHISPER
from audio.asr.languages import whisper_code
from audio.asr.options import FasterWhisperOptions, HowToRun, WhisperOptions
from audio.backends import ModelMissingError
from audio.frames import RATE_HZ, Samples

_log = logging.getLogger(__name__)
_OPTIONS: Final = (WhisperOptions, FasterWhisperOptions, HowToRun)
_TOLD: Final = (
    "beam_size",
    "temperatures",
    "compression_ratio_threshold",
    "log_prob_threshold",
    "no_speech_threshold",
    "initial_prompt",
    "condition_on_previous_text",
    "word_timestamps",
    "without_timestamps",
    "max_initial_timestamp",
    "hallucination_silence_threshold",
)
"""The options of faster-whisper that ``effective`` reports."""


class FasterWhisper:
    """A Whisper model in CTranslate2's format."""

    name: RecogniserName = "faster-whisper"
    max_clip_s = 29.5
    """A batch silently loses what lies past 30 s."""
    apart_s = math.inf

    def __init__(self, model: str, whisper: WhisperOptions, own: FasterWhisperOptions, how: HowToRun) -> None:
        try:
            self._model = WhisperModel(
                model,
                device=how.device,
                compute_type=own.compute_type,
                cpu_threads=how.threads,
                local_files_only=not how.download,
            )
        except (OSError, ValueError, RuntimeError) as error:
            raise ModelMissingError(
                f"faster-whisper cannot load '{model}' ({error}). Fetch it with --set execution.asr.download=true, or "
                "give the folder of a CTranslate2 model as transcribe.model"
            ) from error
        self._batch_size = how.batch_size if own.mode == "batched" else None
        self._decoding: dict[str, Any] = {
            "beam_size": whisper.beam_size,
            "temperature": list(whisper.temperatures),
            "compression_ratio_threshold": whisper.compression_ratio_threshold,
            "log_prob_threshold": whisper.logprob_threshold,
            "no_speech_threshold": whisper.no_speech_threshold,
            "initial_prompt": whisper.initial_prompt,
            "condition_on_previous_text": False,
            "word_timestamps": True,
            "vad_filter": False,
        }
        self.effective: dict[str, object] = {
            "model": model,
            "mode": own.mode,
            "device": self._model.model.device,
            "compute_type": self._model.model.compute_type,
            "multilingual": self._model.model.is_multilingual,
            "vad_filter": False,
        }
        _log.info("faster-whisper loaded: %s", self.effective)

    def knows(self, language: str | None) -> bool:
        """Whether the model was trained on a language; one that nobody named it finds out itself."""
        return language is None or whisper_code(language) in self._model.supported_languages

    def words(self, clips: Sequence[Samples], language: str | None) -> pl.DataFrame:
        """Words of clips of one channel, see ``Recogniser``. A language that nobody named is found once for all."""
        if not clips:
            return CLIP_WORDS.to_frame()
        code = self._detected(clips) if language is None else whisper_code(language)
        heard = self._sequential(clips, code) if self._batch_size is None else self._batched(clips, code)
        return pl.concat([CLIP_WORDS.to_frame(), *heard])

    def _detected(self, clips: Sequence[Samples]) -> str:
        if not self._model.model.is_multilingual:
            return "en"
        code, _, _ = self._model.detect_language(max(clips, key=len))
        return str(code)

    def _sequential(self, clips: Sequence[Samples], code: str) -> Iterator[pl.DataFrame]:
        for number, clip in enumerate(clips):
            segments, info = self._model.transcribe(clip, language=code, **self._decoding)
            yield _frame(number, segments, 0.0, len(clip) / RATE_HZ)
            self._note(info)

    def _batched(self, clips: Sequence[Samples], code: str) -> Iterator[pl.DataFrame]:
        """All clips behind one another in one array; ``seek`` is the frame where a segment's clip begins."""
        edges_s = np.cumsum([0, *(len(clip) for clip in clips)]) / RATE_HZ
        segments, info = BatchedInferencePipeline(self._model).transcribe(
            np.concatenate(clips),
            language=code,
            batch_size=self._batch_size,
            clip_timestamps=[{"start": a, "end": b} for a, b in pairwise(edges_s)],
            **self._decoding,
        )
        seeks = (edges_s[:-1] * self._model.frames_per_second).astype(np.int64)
        for segment in segments:
            number = int(np.searchsorted(seeks, segment.seek, side="right")) - 1
            yield _frame(number, [segment], edges_s[number], edges_s[number + 1] - edges_s[number])
        self._note(info)

    def _note(self, info: TranscriptionInfo) -> None:
        """Keep the options that faster-whisper says it ran with: its batched mode puts its own in place of some."""
        ran_with = {name: getattr(info.transcription_options, name) for name in _TOLD}
        if any(self.effective.get(name) != value for name, value in ran_with.items()):
            self.effective |= ran_with
            _log.info("faster-whisper ran with %s", self.effective)


def open_backend(model: str | None, options: Mapping[str, object]) -> FasterWhisper:
    """The backend with ``model``: a name, a repository of the model hub or the folder of a CTranslate2 model.

    ``options``: the fields of WhisperOptions, FasterWhisperOptions and HowToRun. Raises ModelMissingError.
    """
    parts = [{key: options[key] for key in kind.model_fields if key in options} for kind in _OPTIONS]
    whisper, own, how = parts
    return FasterWhisper(
        model or DEFAULT_WHISPER,
        WhisperOptions.model_validate(whisper),
        FasterWhisperOptions.model_validate(own),
        HowToRun.model_validate(how),
    )


def _frame(number: int, segments: Iterable[Segment], offset_s: float, length_s: float) -> pl.DataFrame:
    """The words of segments of one clip, which begins ``offset_s`` into the sound they were heard in."""
    words = [word for segment in segments for word in segment.words or ()]
    # Mending around pauses can leave a word a little before the one it follows, or past the end of the sound.
    start_s = np.maximum.accumulate(np.clip(np.array([word.start for word in words]) - offset_s, 0.0, length_s))
    end_s = np.clip(np.array([word.end for word in words]) - offset_s, 0.0, length_s)
    return pl.DataFrame(
        {
            "clip": np.full(len(words), number),
            "text": [word.word.strip() for word in words],
            "start_s": start_s,
            "end_s": np.maximum(start_s, end_s),
            "confidence": np.array([word.probability for word in words], dtype=np.float64),
        },
        schema=CLIP_WORDS,
    )
