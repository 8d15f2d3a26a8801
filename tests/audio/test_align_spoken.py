"""What is said for a word as written, and how words that no dictionary has are said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio.align.pronounce import phones_of
from audio.align.spoken import spoken, written_out

PHONES = {
    *("AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW"),
    *("B", "CH", "D", "DH", "F", "G", "HH", "JH", "K", "L", "M", "N", "NG", "P", "R", "S", "SH", "T", "TH", "V"),
    *("W", "Y", "Z", "ZH"),
}


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("Hello,", "hello"),
        ("don't", "don't"),
        ("don’t", "don't"),
        ("'cause", "cause"),
        ("twenty-one", "twenty one"),
        ("42", "forty two"),
        ("1,250", "one thousand two hundred and fifty"),
        ("1999", "nineteen ninety nine"),
        ("3rd", "third"),
        ("3.14", "three point one four"),
        ("$5", "five dollars"),
        ("50%", "fifty percent"),
        ("7:05", "seven oh five"),
        ("007", "zero zero seven"),
        ("TV.", "t v"),
        ("café", "cafe"),
        ("R&B", "r and b"),
        ("[laughter]", ""),
        ("--", ""),
        ("日本", ""),
    ],
)
def test_spoken(written, said):
    assert " ".join(spoken(written)) == said


def test_numbers_are_written_out_in_the_language_of_the_text():
    assert written_out("42", "fr").strip() == "quarante-deux"
    assert written_out("42", "tlh") == "42"


@given(st.text(max_size=30))
def test_any_text_gives_only_letters_and_apostrophes(text):
    for form in spoken(text):
        assert form.strip("abcdefghijklmnopqrstuvwxyz'") == ""
        assert form.strip("'")


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz'", min_size=1, max_size=15))
def test_every_word_has_a_pronunciation(word):
    phones = phones_of(word, lambda _: None).split()
    assert phones
    assert set(phones) <= PHONES


def test_two_words_written_as_one_are_said_as_both():
    dictionary = {"snow": "S N OW", "mobile": "M OW B AH L", "robot": "R OW B AA T"}
    assert phones_of("snowmobile", dictionary.get) == "S N OW M OW B AH L"
    assert phones_of("robot's", dictionary.get) == "R OW B AA T Z"


def test_spelling_rules():
    assert phones_of("blorking", lambda _: None) == "B L AO R K IH NG"
    assert phones_of("knation", lambda _: None) == "N AE SH AH N"
