"""Forced alignment by a CTC acoustic model from a local folder, run by onnxruntime on one thread.

The folder holds ``model.onnx`` (samples ``(1, n)`` to logits ``(1, frames, tokens)``) and ``vocab.json`` (token to
index), as ``optimum-cli export onnx --task automatic-speech-recognition`` writes for a wav2vec 2.0; with
``preprocessor_config.json`` beside them, its ``do_normalize`` is kept to.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from scipy.special import log_softmax

from audio.align import AlignConfig, Aligner, AlignerError, AlignerName, Alignment, failed, placed
from audio.align.spoken import written_out
from audio.frames import RATE_HZ, Samples
from schemas.clock import IntMs

MODEL, VOCABULARY, PREPROCESSOR = "model.onnx", "vocab.json", "preprocessor_config.json"
_BLANKS: Final = ("<pad>", "[PAD]", "<blank>", "-")
_WORD_GAPS: Final = ("|", " ")

LogProbs = NDArray[np.float32]


class CtcAligner:
    """The backend ``ctc``. The language is the model's, whatever the log says."""

    name: AlignerName = "ctc"

    def __init__(self, folder: Path, config: AlignConfig) -> None:
        try:
            self._tokens: dict[str, int] = json.loads((folder / VOCABULARY).read_text(encoding="utf-8"))
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = options.inter_op_num_threads = 1
            options.log_severity_level = 4
            self._session = onnxruntime.InferenceSession(
                (folder / MODEL).as_posix(), sess_options=options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's errors share no other base
            raise AlignerError(
                f"The CTC model in {folder} cannot be used ({error}). It needs {MODEL} and {VOCABULARY}. Run: "
                f"optimum-cli export onnx --task automatic-speech-recognition --model MODEL {folder}"
            ) from error
        blank = next((token for token in _BLANKS if token in self._tokens), None)
        if blank is None:
            raise AlignerError(f"{folder / VOCABULARY} has no blank. Name it one of {', '.join(_BLANKS)}.")
        self._blank = self._tokens[blank]
        self._gap = next((self._tokens[token] for token in _WORD_GAPS if token in self._tokens), None)
        preprocessor = folder / PREPROCESSOR
        settings = json.loads(preprocessor.read_text(encoding="utf-8")) if preprocessor.is_file() else {}
        self._normalise = bool(settings.get("do_normalize", True))
        self._config = config

    def align(
        self, samples: Samples, words: Sequence[str], *, language: str | None, open_end: bool = False
    ) -> Alignment:
        """See ``Aligner``."""
        duration_ms = len(samples) * 1000 // RATE_HZ
        tongue = (language or "en").lower().split("-")[0]
        spelled = [self._spell(written_out(word, tongue)) for word in words]
        spoken = np.array([index for index, tokens in enumerate(spelled) if tokens], dtype=np.int64)
        if not len(spoken):
            return failed(words, duration_ms, "no_speakable_words")
        if duration_ms < self._config.least_phone_ms:
            return failed(words, duration_ms, "too_short")
        targets, owners = self._targets([spelled[index] for index in spoken])
        log_probs = self._log_probs(samples)
        path = best_path(log_probs, targets, self._blank, open_end=open_end)
        if path is None:
            return failed(words, duration_ms, "too_short")
        ratio = log_probs[path >= 0, targets[path[path >= 0]]] - log_probs[path >= 0].max(axis=1)
        return self._merged(words, spoken, owners[path[path >= 0]], np.flatnonzero(path >= 0), ratio, path, duration_ms)

    def _merged(
        self,
        words: Sequence[str],
        spoken: IntMs,
        owner: IntMs,
        frame: IntMs,
        ratio: LogProbs,
        path: IntMs,
        duration_ms: int,
    ) -> Alignment:
        """Words from the frames in which a token of theirs was read; ``owner`` (-1: a gap) and ``ratio`` per frame."""
        mine = owner >= 0
        said, first, count = np.unique(owner[mine], return_index=True, return_counts=True)
        fit = np.add.reduceat(ratio[mine], first) / count if len(first) else np.zeros(0)
        aligned = np.zeros(len(words), dtype=bool)
        start, end = np.zeros((2, len(words)), dtype=np.int64)
        score = np.full(len(words), np.nan)
        index = spoken[said]
        aligned[index], score[index] = fit >= self._config.least_ctc_word_fit, fit
        start[index] = frame[mine][first] * duration_ms // len(path)
        end[index] = (frame[mine][first + count - 1] + 1) * duration_ms // len(path)
        if not aligned.any() or ratio[mine].mean() < self._config.least_ctc_fit:
            return failed(words, duration_ms, "text_does_not_fit")
        return placed(words, start, end, score, aligned, duration_ms)

    def _spell(self, word: str) -> list[int]:
        """Tokens of a word's letters in whichever case the vocabulary has them; others are left out."""
        letters = unicodedata.normalize("NFC", word)
        found = (self._tokens.get(form) for letter in letters for form in _cases(letter, self._tokens))
        special = {self._blank, self._gap}
        return [token for token in found if token is not None and token not in special]

    def _targets(self, spelled: list[list[int]]) -> tuple[IntMs, IntMs]:
        """All tokens with a gap between words, and the word of each (-1: a gap)."""
        targets: list[int] = []
        owners: list[int] = []
        for index, tokens in enumerate(spelled):
            if index and self._gap is not None:
                targets.append(self._gap)
                owners.append(-1)
            targets += tokens
            owners += [index] * len(tokens)
        return np.array(targets, dtype=np.int64), np.array(owners, dtype=np.int64)

    def _log_probs(self, samples: Samples) -> LogProbs:
        """Log probabilities per frame and token."""
        sound = samples
        if self._normalise and len(samples):
            sound = (samples - samples.mean()) / np.sqrt(samples.var() + np.float32(1e-7))
        name = self._session.get_inputs()[0].name
        logits = self._session.run(None, {name: np.asarray(sound, dtype=np.float32)[None]})[0][0]
        return np.asarray(log_softmax(logits, axis=1), dtype=np.float32)


def open_backend(model: str | None, config: AlignConfig) -> Aligner:
    """The backend on the model in that folder. Raises AlignerError."""
    if model is None:
        raise AlignerError(f"The aligner 'ctc' needs a model: a folder with {MODEL} and {VOCABULARY}.")
    return CtcAligner(Path(model), config)


def best_path(log_probs: LogProbs, targets: IntMs, blank: int, *, open_end: bool = False) -> IntMs | None:
    """The likeliest CTC path: per frame the index of the target that is read, -1 for the blank.

    ``log_probs`` (frames, tokens), ``targets`` (n,). With ``open_end`` the path may stop at any target. None where
    there are fewer frames than the targets take.
    """
    n_frames, n_states = len(log_probs), 2 * len(targets) + 1
    labels = np.full(n_states, blank, dtype=np.int64)
    labels[1::2] = targets
    may_jump = np.zeros(n_states, dtype=bool)
    may_jump[3::2] = targets[1:] != targets[:-1]
    score = np.full(n_states, -np.inf, dtype=np.float64)
    score[0] = 0.0
    step = np.zeros((n_frames, n_states), dtype=np.int8)
    for frame, row in enumerate(log_probs):
        reach = np.full((3, n_states), -np.inf)
        reach[0] = score
        reach[1, 1:] = score[:-1]
        reach[2, 2:] = np.where(may_jump[2:], score[:-2], -np.inf)
        step[frame] = reach.argmax(axis=0)
        score = reach.max(axis=0) + row[labels]
    ends = np.arange(n_states) if open_end else np.array([n_states - 1, n_states - 2])
    state = int(ends[score[ends].argmax()])
    if n_frames == 0 or not np.isfinite(score[state]):
        return None
    path = np.full(n_frames, -1, dtype=np.int64)
    for frame in range(n_frames - 1, -1, -1):
        path[frame] = state // 2 if state % 2 else -1
        state -= int(step[frame, state])
    return path


def _cases(letter: str, tokens: dict[str, int]) -> tuple[str, ...]:
    return next(((form,) for form in (letter, letter.upper(), letter.lower()) if form in tokens), ())
