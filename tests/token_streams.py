"""Text streams for tests: a tiny SentencePiece model, and words laid out as a Moshi log has them."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from functools import cache

from sentencepiece import SentencePieceProcessor, SentencePieceTrainer

PAD, EPAD = 3, 0
RATE_HZ = 12.5
Word = tuple[str, float]
"""Text and start, seconds."""


@cache
def trained(sentences: tuple[str, ...], byte_fallback: bool = False) -> bytes:
    """A SentencePiece model file with Moshi's special ids."""
    model = io.BytesIO()
    SentencePieceTrainer.train(
        sentence_iterator=iter(sentences * 3),
        model_writer=model,
        model_type="bpe",
        vocab_size=1000,
        hard_vocab_limit=False,
        byte_fallback=byte_fallback,
        unk_id=EPAD,
        bos_id=1,
        eos_id=2,
        pad_id=PAD,
        minloglevel=2,
    )
    return model.getvalue()


def processor(model: bytes) -> SentencePieceProcessor:
    """The model, loaded."""
    loaded = SentencePieceProcessor()
    loaded.LoadFromSerializedProto(model)
    return loaded


def interleaved(words: Sequence[Word], duration_s: float, encode: Callable[[str], list[int]]) -> list[int]:
    """The text stream of words as moshi-finetune lays them out.

    A word begins in the frame that holds its start, EPAD stands before it where PAD stood, its pieces go one a frame,
    and a new word replaces what is left of the last one.
    """
    stream = [PAD] * math.ceil(duration_s * RATE_HZ)
    left: list[int] = []
    coming = sorted(words, key=lambda word: word[1])
    for frame in range(len(stream)):
        while coming and coming[0][1] * RATE_HZ < frame + 1:
            left = encode(coming.pop(0)[0])
            if frame and stream[frame - 1] == PAD:
                stream[frame - 1] = EPAD
        if left:
            stream[frame] = left.pop(0)
    return stream
