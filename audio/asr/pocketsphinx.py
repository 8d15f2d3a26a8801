"""Words by PocketSphinx (BSD, https://github.com/cmusphinx/pocketsphinx): English, on any processor, nothing to load.

Its model, dictionary and language model lie inside the package. It writes lower-case words without punctuation.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import polars as pl
from pocketsphinx import Decoder

from audio.asr import CLIP_WORDS, RecogniserName
from audio.asr.languages import primary
from audio.asr.options import PocketsphinxOptions
from audio.backends import ModelMissingError
from audio.frames import Samples

FRAMES_PER_S = 100
_TOLD: Final = ("lw", "wip", "beam", "cmn", "remove_noise")
_NO_WORD: Final = ("<", "[")
"""Silence and noises, in the decoder's dictionary."""
_ALTERNATIVE: Final = re.compile(r"\(\d+\)$")
"""The number of a pronunciation."""
_FLOOR_DBFS: Final = -70.0


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
            loglevel="FATAL", cmn="batch", lw=options.language_weight, wip=options.word_insertion_penalty
        )
        config = self._decoder.config
        self.effective: dict[str, object] = {"model": "en-us", **{key: config[key] for key in _TOLD}}

    def knows(self, language: str | None) -> bool:
        """English alone; a language that nobody named is taken for it."""
        return language is None or primary(language) == "en"

    def words(self, clips: Sequence[Samples], language: str | None) -> pl.DataFrame:
        """Words of clips of one channel, see ``Recogniser``. ``language`` changes nothing."""
        found = [
            (number, word, start_s, end_s, confidence)
            for number, sound in enumerate(_pcm(clips, self._options.level_dbfs))
            for word, start_s, end_s, confidence in self._decode(sound)
        ]
        return pl.DataFrame(found, schema=CLIP_WORDS, orient="row")

    def _decode(self, sound: bytes) -> list[tuple[str, float, float, float]]:
        decoder = self._decoder
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
                min(decoder.logmath.exp(word.prob), 1.0),
            )
            for word in decoder.seg()
            if not word.word.startswith(_NO_WORD)
        ]


def open_backend(model: str | None, options: Mapping[str, object]) -> Pocketsphinx:
    """The backend. There is one model, the package's; ``options``: the fields of PocketsphinxOptions."""
    if model is not None:
        raise ModelMissingError(f"pocketsphinx reads with its own model only; take away transcribe.model = '{model}'")
    known = {key: options[key] for key in PocketsphinxOptions.model_fields if key in options}
    return Pocketsphinx(PocketsphinxOptions.model_validate(known))


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
