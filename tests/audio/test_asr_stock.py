"""Stock phrases: a grammar that the decoder takes, and what is whole in it."""

from __future__ import annotations

import pytest
from pocketsphinx import Decoder

from audio.asr import pocketsphinx as backend
from audio.asr.stock import StockPhrases, load_stock_phrases


@pytest.fixture(scope="module")
def phrases() -> StockPhrases:
    return load_stock_phrases("en")


@pytest.mark.parametrize(
    "text", ["okay thanks bye", "thank you goodbye", "yes please", "great that is all goodbye", "oh i see"]
)
def test_whole_phrases(phrases: StockPhrases, text: str) -> None:
    assert phrases.pattern.fullmatch(text)


@pytest.mark.parametrize(
    "text", ["", "and i'm done see", "thank you have a nice", "great good bye nice", "okay okay okay"]
)
def test_what_is_none(phrases: StockPhrases, text: str) -> None:
    assert not phrases.pattern.fullmatch(text)


def test_the_decoder_knows_the_grammar_and_every_word_of_it(phrases: StockPhrases) -> None:
    decoder = Decoder(loglevel="FATAL", lm=None)
    words = {word for group in phrases.model_dump().values() for phrase in group for word in phrase.split()}
    assert [word for word in sorted(words) if decoder.lookup_word(word) is None] == []
    decoder.add_jsgf_string("stock", phrases.grammar)


class Second:
    """Stands in for the second decoder: what it would read and align is given, its dictionary is the real one."""

    def __init__(self, words: Decoder) -> None:
        self.lookup_word = words.lookup_word

    def activate_search(self, name: str) -> None:
        """Nothing to do."""

    def set_align_text(self, text: str) -> None:
        """Nothing to do."""

    def hyp(self) -> str:
        return "found"


@pytest.mark.parametrize(
    ("first", "stock", "lead", "taken"),
    [
        ("it you could buy", "thank you goodbye", 0.3, True),
        ("it you could buy", "thank you goodbye", 2.0, False),
        ("what should i find genes know", "that's it i'm done for now", 0.3, False),
        ("they do loans", "thank you have a nice", -2.0, False),
    ],
)
def test_a_phrase_is_taken_where_it_sounds_alike_and_fits_as_well(
    monkeypatch: pytest.MonkeyPatch, first: str, stock: str, lead: float, taken: bool
) -> None:
    recogniser = backend.open_backend(None, {})
    recogniser._second = Second(recogniser._second)  # type: ignore[assignment]
    scores = iter([0.0, 100 * lead])
    monkeypatch.setattr(backend, "_read", lambda decoder, sound: words_of(stock))
    monkeypatch.setattr(backend, "_log_score", lambda decoder: next(scores))

    found = recogniser._stock_phrase(bytes(100 * backend._BYTES_PER_FRAME), words_of(first))

    assert found == (words_of(stock) if taken else [])


def words_of(text: str) -> list[backend.Word]:
    return [(word, 0.0, 0.1, 0.1) for word in text.split()]
