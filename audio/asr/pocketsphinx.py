"""Words by PocketSphinx (BSD, https://github.com/cmusphinx/pocketsphinx): English, on any processor, nothing to load.

Its model, dictionary and language model lie inside the package. It writes lower-case words without punctuation.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from typing import Final

import numpy as np
import polars as pl
from pocketsphinx import Decoder

from audio.asr import CLIP_WORDS, RecogniserName
from audio.asr.languages import primary
from audio.asr.options import PocketsphinxOptions
from audio.asr.stock import load_stock_phrases
from audio.backends import ModelMissingError
from audio.frames import RATE_HZ, Samples

FRAMES_PER_S = 100
_TOLD: Final = ("lw", "wip", "beam", "cmn", "remove_noise")
_NO_WORD: Final = ("<", "[")
"""Silence and noises, in the decoder's dictionary."""
_ALTERNATIVE: Final = re.compile(r"\(\d+\)$")
"""The number of a pronunciation."""
_FLOOR_DBFS: Final = -70.0
_MOST_HMMS: Final = 5000
"""Hypotheses of sounds per frame; the package's 30,000 take 1.6 times as long for the same words."""
_STOCK: Final = "stock"
_BYTES_PER_FRAME: Final = 2 * RATE_HZ // FRAMES_PER_S

Word = tuple[str, float, float, float]
"""Text, start and end in seconds, probability."""


class Pocketsphinx:
    """A decoder with the model of the package."""

    name: RecogniserName = "pocketsphinx"
    max_clip_s = 30.0
    apart_s = 0.5
    """Its language model knows how utterances begin and end: each is a clip of its own."""

    def __init__(self, options: PocketsphinxOptions) -> None:
        self._options = options
        # Cepstral means are taken clip by clip: neither level nor channel matters.
        self._decoder = Decoder(
            loglevel="FATAL",
            cmn="batch",
            lw=options.language_weight,
            wip=options.word_insertion_penalty,
            maxhmmpf=_MOST_HMMS,
        )
        # Scores of two readings compare only where every senone is computed; with few words that costs little.
        self._second = Decoder(loglevel="FATAL", cmn="batch", lm=None, compallsen=True)
        phrases = load_stock_phrases("en")
        self._second.add_jsgf_string(_STOCK, phrases.grammar)
        self._stock_pattern = phrases.pattern
        config = self._decoder.config
        self.effective: dict[str, object] = {"model": "en-us", **{key: config[key] for key in _TOLD}}

    def knows(self, language: str | None) -> bool:
        """English alone; a language that nobody named is taken for it."""
        return language is None or primary(language) == "en"

    def words(self, clips: Sequence[Samples], language: str | None) -> pl.DataFrame:
        """Words of clips of one channel, see ``Recogniser``. ``language`` changes nothing."""
        found: list[tuple[int, str, float, float, float]] = []
        for number, sound in enumerate(_pcm(clips, self._options.level_dbfs)):
            length_s = len(clips[number]) / RATE_HZ
            read = _read(self._decoder, sound)
            if length_s <= self._options.stock_phrase_max_s and _confidence(read) < self._options.sure:
                read = self._stock_phrase(sound, read) or ([] if length_s <= self._options.unsure_max_s else read)
            found += [(number, *word) for word in read]
        return pl.DataFrame(found, schema=CLIP_WORDS, orient="row")

    def _stock_phrase(self, sound: bytes, read: list[Word]) -> list[Word]:
        """The stock phrase that a clip may well hold, given what was read first; else nothing.

        It must share much of its phones with the first reading, and fit the sound about as well: both are scored with
        the same senones, the first reading by aligning its words.
        """
        self._second.activate_search(_STOCK)
        stock = _read(self._second, sound)
        if not read or not self._stock_pattern.fullmatch(_text(stock)):
            return []
        stock_score = _log_score(self._second)
        shared = SequenceMatcher(None, self._phones(read), self._phones(stock), autojunk=False).ratio()
        if shared < self._options.stock_phrase_alike:
            return []
        self._second.set_align_text(_text(read))
        _read(self._second, sound)
        if self._second.hyp() is None:
            return []
        lead = (_log_score(self._second) - stock_score) * _BYTES_PER_FRAME / len(sound)
        return stock if lead <= self._options.stock_phrase_margin * shared else []

    def _phones(self, read: list[Word]) -> list[str]:
        return [phone for text, *_ in read for phone in (self._second.lookup_word(text) or "").split()]


def open_backend(model: str | None, options: Mapping[str, object]) -> Pocketsphinx:
    """The backend. There is one model, the package's; ``options``: the fields of PocketsphinxOptions."""
    if model is not None:
        raise ModelMissingError(f"pocketsphinx reads with its own model only; take away transcribe.model = '{model}'")
    known = {key: options[key] for key in PocketsphinxOptions.model_fields if key in options}
    return Pocketsphinx(PocketsphinxOptions.model_validate(known))


def _read(decoder: Decoder, sound: bytes) -> list[Word]:
    """The words of one clip by the decoder's active search, whatever it heard before."""
    decoder.reinit_feat()
    decoder.start_utt()
    decoder.process_raw(sound, full_utt=True)
    decoder.end_utt()
    if decoder.hyp() is None:
        return []
    return [
        (
            _ALTERNATIVE.sub("", word.word),
            word.start_frame / FRAMES_PER_S,
            (word.end_frame + 1) / FRAMES_PER_S,
            min(word.prob, 1.0),
        )
        for word in decoder.seg()
        if not word.word.startswith(_NO_WORD)
    ]


def _confidence(read: list[Word]) -> float:
    """The probability of the least certain word; 0 where nothing was read."""
    return min((probability for *_, probability in read), default=0.0)


def _text(read: list[Word]) -> str:
    return " ".join(text for text, *_ in read)


def _log_score(decoder: Decoder) -> float:
    """Natural logarithm of the acoustic score of the last reading, silences included."""
    return sum(math.log(max(word.ascore, sys.float_info.min)) for word in decoder.seg())


def _pcm(clips: Sequence[Samples], level_dbfs: float) -> list[bytes]:
    """Clips as 16 bits, their speech brought to one level, with faint noise for silence: log spectra want no zeros."""
    power = sum(float(np.square(clip, dtype=np.float64).sum()) for clip in clips)
    n_voiced = sum(int(np.count_nonzero(clip)) for clip in clips)
    gain = 10 ** (level_dbfs / 20) / math.sqrt(power / n_voiced) if power > 0 else 1.0
    noise = np.random.default_rng(0)
    sounds = []
    for clip in clips:
        floor = noise.standard_normal(len(clip), dtype=np.float32) * np.float32(10 ** (_FLOOR_DBFS / 20))
        filled = np.where(clip == 0, floor, clip * np.float32(gain))
        sounds.append((np.clip(filled, -1, 1) * 32767).astype("<i2").tobytes())
    return sounds
