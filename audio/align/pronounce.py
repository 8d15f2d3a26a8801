"""Pronunciations for words that the dictionary lacks: two words written as one, then rules of English spelling.

An alignment forgives a wrong vowel: the words around it and the consonants hold it in place.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

_LEAST_PART: Final = 3
"""Letters in each of two words that are written as one."""


@dataclass(frozen=True)
class Spelling:
    """Phones by spelling: of whole words, at a word's start, at its end, and anywhere."""

    words: dict[str, list[str]]
    start: dict[str, list[str]]
    end: dict[str, list[str]]
    letters: dict[str, list[str]]


@cache
def english() -> Spelling:
    """The rules of english.toml."""
    return Spelling(**tomllib.loads((files("audio.align") / "english.toml").read_text(encoding="utf-8")))


def phones_of(word: str, look_up: Callable[[str], str | None]) -> str:
    """CMU phones, parted by spaces, of a lower-case word that ``look_up`` does not know; never empty."""
    rules = english()
    if word in rules.words:
        return " ".join(rules.words[word])
    for cut in range(len(word) - _LEAST_PART, _LEAST_PART - 1, -1):
        parts = look_up(word[:cut]), look_up(word[cut:])
        if parts[0] and parts[1]:
            return f"{parts[0]} {parts[1]}"
    for suffix in sorted(rules.end, key=len, reverse=True):
        stem = look_up(word.removesuffix(suffix)) if word.endswith(suffix) and suffix[0] == "'" else None
        if stem:
            return " ".join([stem, *rules.end[suffix]])
    return " ".join(_by_rules(word, rules) or rules.letters["a"])


def _by_rules(word: str, rules: Spelling) -> list[str]:
    phones: list[str] = []
    place = 0
    while place < len(word):
        for width in range(len(word) - place, 0, -1):
            piece, at_end = word[place : place + width], place + width == len(word)
            found = rules.end.get(piece) if at_end and place else None
            found = rules.start.get(piece) if found is None and place == 0 else found
            found = rules.letters.get(piece) if found is None else found
            if found is not None:
                phones += found
                place += width
                break
        else:
            place += 1
    return phones
