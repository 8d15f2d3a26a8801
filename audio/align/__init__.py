"""When each word of a known text was said: forced alignment behind one Protocol, a backend per file, chosen by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Final, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from audio.frames import Mask, Samples, runs
from schemas.clock import IntMs

AlignerName = Literal["pocketsphinx", "ctc"]
Failure = Literal["language", "no_speakable_words", "too_short", "text_does_not_fit"]
"""Why a text got no times: the backend does not know the language; nothing in the text can be spoken; the audio is
shorter than the words could be; the audio says something else."""

_NEEDS: Final = {"pocketsphinx": "pocketsphinx num2words", "ctc": "onnxruntime num2words"}


class AlignerError(ValueError):
    """A backend that cannot work as asked. The message says why and what to do."""


class AlignConfig(BaseModel):
    """What may pass for an alignment."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    least_fit: float = -5.0
    """Mean score of a text below which the audio says something else (pocketsphinx; nats per 10 ms frame)."""
    least_word_fit: float = -9.0
    """Score of a word below which it was not said there (pocketsphinx; nats per 10 ms frame)."""
    least_ctc_fit: float = -3.0
    """Mean score of a text below which the audio says something else (ctc; nats per token)."""
    least_ctc_word_fit: float = -6.0
    """Score of a word below which it was not said there (ctc; nats per token)."""
    least_part_fit: float = -4.6
    """As `least_fit`, where words had to be passed over to make the text fit."""
    filler_fit: float = -3.0
    """Score below which what is taken for silence or noise is speech that the text does not hold (pocketsphinx)."""
    most_unexplained: float = 0.25
    """Share of such time above which the audio says something else."""
    least_share: float = 0.6
    """Of a text that does not fit as a whole, this share of the words must be found, else none is believed."""
    least_words: int = 3
    """Of words that may go on after the audio, so many must be found (fewer if fewer are offered)."""
    least_phone_ms: int = 30
    """Nobody says a speech sound in less time."""
    most_skipped: int = 4
    """Words in a row that the audio may lack."""


@dataclass(frozen=True)
class Alignment:
    """Words in time, arrays of shape ``(n_words,)``; times count from the first sample.

    ``score`` says how well the audio fits the word: the mean over its frames (pocketsphinx) or tokens (ctc) of the log
    likelihood against the best that the backend could have heard there; 0 is perfect, NaN where the word is not
    ``aligned``. Such a word has a time between its neighbours. With a ``failure`` no word is aligned.
    """

    start_ms: IntMs
    end_ms: IntMs
    score: NDArray[np.float64]
    aligned: Mask
    failure: Failure | None = None


class Aligner(Protocol):
    """A backend."""

    name: AlignerName

    def align(
        self, samples: Samples, words: Sequence[str], *, language: str | None, open_end: bool = False
    ) -> Alignment:
        """When each of ``words`` is said in ``samples`` (mono, 16 kHz, shape ``(n,)``).

        ``words`` are as written (case, punctuation, digits). ``language`` is a BCP 47 tag; None: the backend's own.
        With ``open_end`` the audio may end before the words do: those that are left over are not aligned and lie at
        its end. A text that does not fit comes back with a ``failure``, never as an exception.
        """
        ...


def open_aligner(name: AlignerName, *, model: str | None = None, config: AlignConfig | None = None) -> Aligner:
    """Load a backend; ``model`` is the folder of a CTC model. Raises AlignerError with what to do."""
    try:
        module = import_module(f"audio.align.{name}")
    except ImportError as error:
        if name not in _NEEDS:
            raise AlignerError(f"There is no aligner called {name!r}. Choose: {', '.join(_NEEDS)}.") from error
        raise AlignerError(
            f"Aligner '{name}' needs a package that is not installed ({error}). Run: pip install {_NEEDS[name]}"
        ) from error
    aligner: Aligner = module.open_backend(model, config or AlignConfig())
    return aligner


def failed(words: Sequence[str], duration_ms: int, failure: Failure) -> Alignment:
    """No word aligned: all lie over the whole audio, each as long as its letters."""
    nothing = np.zeros(len(words), dtype=bool)
    zeros = np.zeros(len(words), dtype=np.int64)
    return placed(words, zeros, zeros, np.full(len(words), np.nan), nothing, duration_ms, failure)


def placed(
    words: Sequence[str],
    start_ms: IntMs,
    end_ms: IntMs,
    score: NDArray[np.float64],
    aligned: Mask,
    duration_ms: int,
    failure: Failure | None = None,
) -> Alignment:
    """An alignment whose other words share the time between the aligned ones, each as long as its letters."""
    start_ms, end_ms = start_ms.copy(), end_ms.copy()
    for first, last in runs(~aligned):
        low = int(end_ms[first - 1]) if first else 0
        high = int(start_ms[last]) if last < len(words) else duration_ms
        start_ms[first:last], end_ms[first:last] = shared_out(words[first:last], low, max(low, high))
    return Alignment(start_ms, end_ms, np.where(aligned, score, np.nan), aligned, failure)


def shared_out(words: Sequence[str], low_ms: int, high_ms: int) -> tuple[IntMs, IntMs]:
    """``[low, high)`` shared among the words by their number of letters: starts and ends, shape ``(n,)``."""
    letters = np.cumsum([0, *(max(sum(map(str.isalnum, word)), 1) for word in words)])
    edges = low_ms + (high_ms - low_ms) * letters // max(int(letters[-1]), 1)
    return edges[:-1].astype(np.int64), edges[1:].astype(np.int64)
