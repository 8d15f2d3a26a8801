"""Forced alignment by pocketsphinx with the English model inside its wheel: real-time factor 0.03, no download.

Beams are open: the search space is one text, and pruning is what made alignments of unfamiliar voices fail. Best-path
search stays off, because it drops the constraint that all words are said.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Final

import numpy as np
import pocketsphinx

from audio.align import AlignConfig, Aligner, AlignerError, AlignerName, Alignment, failed, placed
from audio.align.pronounce import phones_of
from audio.align.spoken import spoken
from audio.frames import FRAME_MS, HOP, RATE_HZ, Samples, from_db, to_db
from schemas.clock import IntMs

_OPEN_BEAM: Final = 1e-300
_NARROW_BEAM: Final = 1e-120
"""First beam of searches over text that may be skipped or left over: their space is some hundred words."""
_SKIP: Final = 1e-12
"""Probability of passing over a word."""
_SENONE_SCALE: Final = 1024
"""Acoustic scores come in steps of this many units of the log base (SENSCR_SHIFT of 10 bits)."""
_LEVEL_DBFS: Final = -23.0
_MAX_GAIN_DB: Final = 40.0
_NOISE_AMPLITUDE: Final = 1e-4
"""A floor of noise: digital silence between words has no spectrum to compare (p90 on espeak 49 ms, with it 31 ms)."""
_TAIL_FRAMES: Final = 5
"""Frames at the end of the audio that the analysis window may leave out."""
_ALTERNATIVE: Final = re.compile(r"\(\d+\)$")

_Word = tuple[int, int, float]
"""First frame, frame after the last, score."""


class PocketsphinxAligner:
    """The backend ``pocketsphinx``. English only."""

    name: AlignerName = "pocketsphinx"

    def __init__(self, config: AlignConfig) -> None:
        self._config = config
        self._open = _decoder(_OPEN_BEAM)
        self._narrow = _decoder(_NARROW_BEAM)
        self._added: set[str] = set()

    def align(
        self, samples: Samples, words: Sequence[str], *, language: str | None, open_end: bool = False
    ) -> Alignment:
        """See ``Aligner``."""
        duration_ms = len(samples) * 1000 // RATE_HZ
        if language is not None and not language.lower().startswith("en"):
            return failed(words, duration_ms, "language")
        said = [(form, index) for index, word in enumerate(words) for form in spoken(word)]
        if not said:
            return failed(words, duration_ms, "no_speakable_words")
        forms = [form for form, _ in said]
        n_phones = [self._phones(form) for form in forms]
        if not open_end and sum(n_phones) * self._config.least_phone_ms > duration_ms:
            return failed(words, duration_ms, "too_short")
        owners = np.array([index for _, index in said], dtype=np.int64)
        config, sound = self._config, _prepared(samples)
        if not open_end:
            found, unexplained = self._whole(sound, forms)
            if unexplained <= config.most_unexplained and _fit(found) >= config.least_fit:
                return self._merged(words, owners, found, duration_ms)
        found, unexplained = self._parts(sound, forms, open_end=open_end)
        part = self._merged(words, owners, found, duration_ms)
        n_said = len(np.unique(owners))
        enough = min(config.least_words, n_said) if open_end else config.least_share * n_said
        least_fit = config.least_fit if open_end else config.least_part_fit
        if unexplained > config.most_unexplained or _fit(found) < least_fit or part.aligned.sum() < enough:
            return failed(words, duration_ms, "text_does_not_fit")
        return part

    def _phones(self, form: str) -> int:
        """How many speech sounds a form has; a form the dictionary lacks is added to it."""
        known = self._open.lookup_word(form)
        if known is None:
            known = phones_of(form, lambda part: None if part in self._added else self._open.lookup_word(part))
            self._added.add(form)
            for decoder in (self._open, self._narrow):
                decoder.add_word(form, known, False)
        return len(known.split())

    def _whole(self, sound: bytes, forms: list[str]) -> tuple[list[_Word | None], float]:
        """Every form in its place, none where the audio is too short for them; and the share of time unexplained."""
        self._open.set_align_text(" ".join(forms))
        heard, unexplained = self._decode(self._open, sound)
        return [word for _, word in heard] if len(heard) == len(forms) else [None] * len(forms), unexplained

    def _parts(self, sound: bytes, forms: list[str], *, open_end: bool) -> tuple[list[_Word | None], float]:
        """The forms that are said, in order, None for those that are not; and the share of time unexplained."""
        n, skipped = len(forms), self._config.most_skipped
        arcs: list[tuple[int, int, float, str] | tuple[int, int, float]] = [
            (at, to, _SKIP ** (to - at - 1), forms[to - 1])
            for at in range(n)
            for to in range(at + 1, min(at + 2 + skipped, n + 1))
        ]
        # One state after the text: arcs without a word are followed one step only, so each leads there at once.
        first_end = 1 if open_end else max(n - skipped, 1)
        arcs += [(at, n + 1, 1.0 if open_end else _SKIP ** (n - at)) for at in range(first_end, n + 1)]
        found: list[_Word | None] = []
        unexplained = 1.0
        for decoder in (self._narrow, self._open):
            decoder.add_fsg("parts", decoder.create_fsg("parts", 0, n + 1, arcs))
            decoder.activate_search("parts")
            heard, unexplained = self._decode(decoder, sound)
            found = _matched(forms, heard)
            if _fit(found) >= self._config.least_fit and unexplained <= self._config.most_unexplained:
                break
        return found, unexplained

    def _decode(self, decoder: pocketsphinx.Decoder, sound: bytes) -> tuple[list[tuple[str, _Word]], float]:
        """The words of the active search in order, none where it came to no end; and the share of time unexplained."""
        # The front end carries its noise estimate on; afresh, the same audio gives the same times whatever came before.
        decoder.reinit_feat()
        decoder.start_utt()
        decoder.process_raw(sound, full_utt=True)
        decoder.end_utt()
        heard, unexplained, reached = [], 0, 0
        for segment in decoder.seg() if decoder.hyp() is not None else ():
            frames = segment.end_frame - segment.start_frame + 1
            reached = segment.end_frame + 1
            score = _SENONE_SCALE * math.log(max(segment.ascore, 1e-300)) / frames
            if segment.word[0] not in "<[(+":
                word = (segment.start_frame, segment.end_frame + 1, score)
                heard.append((_ALTERNATIVE.sub("", segment.word), word))
            elif score < self._config.filler_fit:
                unexplained += frames
        # A search that was pruned to death ends early, at its last word.
        unexplained += max(len(sound) // (2 * HOP) - reached - _TAIL_FRAMES, 0)
        said = sum(end - start for _, (start, end, _) in heard)
        return heard, unexplained / max(unexplained + said, 1)

    def _merged(self, words: Sequence[str], owners: IntMs, found: list[_Word | None], duration_ms: int) -> Alignment:
        """Forms back to written words: one is aligned when all of its forms are, and they fit."""
        start, end = np.array([word[:2] if word else (0, 0) for word in found], dtype=np.int64).T
        score = np.array([word[2] if word else 0.0 for word in found], dtype=np.float64)
        firsts = np.flatnonzero(np.diff(owners, prepend=-1))
        lasts = np.append(firsts[1:], len(owners)) - 1
        said = owners[firsts]
        fit = np.add.reduceat(score * (end - start), firsts) / np.maximum(np.add.reduceat(end - start, firsts), 1)
        heard = np.logical_and.reduceat(np.array([word is not None for word in found]), firsts)
        aligned = np.zeros(len(words), dtype=bool)
        starts, ends = np.zeros((2, len(words)), dtype=np.int64)
        scores = np.full(len(words), np.nan)
        aligned[said] = heard & (fit >= self._config.least_word_fit)
        starts[said], ends[said], scores[said] = start[firsts] * FRAME_MS, end[lasts] * FRAME_MS, fit
        ends = np.minimum(ends, duration_ms)
        return placed(words, np.minimum(starts, ends), ends, scores, aligned, duration_ms)


def open_backend(model: str | None, config: AlignConfig) -> Aligner:
    """The backend; it has no other model than its own. Raises AlignerError."""
    if model is not None:
        raise AlignerError("The aligner 'pocketsphinx' brings its own model. Leave the model out, or choose 'ctc'.")
    return PocketsphinxAligner(config)


def _matched(forms: list[str], heard: list[tuple[str, _Word]]) -> list[_Word | None]:
    """What was heard, at its place among the forms."""
    found: list[_Word | None] = [None] * len(forms)
    matcher = SequenceMatcher(None, forms, [form for form, _ in heard], autojunk=False)
    for block in matcher.get_matching_blocks():
        found[block.a : block.a + block.size] = [word for _, word in heard[block.b : block.b + block.size]]
    return found


def _fit(found: list[_Word | None]) -> float:
    """Mean score over the frames of the words that were found; minus infinity for none."""
    frames = sum(word[1] - word[0] for word in found if word)
    return -math.inf if frames == 0 else sum(word[2] * (word[1] - word[0]) for word in found if word) / frames


def _decoder(beam: float) -> pocketsphinx.Decoder:
    return pocketsphinx.Decoder(
        samprate=RATE_HZ, lm=None, loglevel="FATAL", bestpath=False, beam=beam, wbeam=beam, pbeam=beam
    )


def _prepared(samples: Samples) -> bytes:
    """16-bit samples at one level over a floor of noise; the same for the same samples."""
    loud = float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if len(samples) else 0.0
    gain_db = min(_LEVEL_DBFS - float(to_db(np.array([loud**2]))[0]), _MAX_GAIN_DB)
    noise = np.random.default_rng(0).standard_normal(len(samples), dtype=np.float32) * np.float32(_NOISE_AMPLITUDE)
    levelled = samples * np.float32(math.sqrt(from_db(gain_db))) + noise
    return bytes(np.round(np.clip(levelled, -1.0, 1.0) * 32767).astype("<i2").tobytes())
