"""From a word as written to what is said: lower-case words of letters and apostrophes, numbers spelled out."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from num2words import num2words

_NUMBER: Final = re.compile(r"(?P<sign>[$€£])?(?P<digits>\d[\d,]*)(?:\.(?P<decimals>\d+))?(?P<tail>st|nd|rd|th|%|s)?")
_CLOCK: Final = re.compile(r"(?P<hour>\d{1,2}):(?P<minute>\d{2})")
_UNITS: Final = {"$": "dollars", "€": "euros", "£": "pounds", "%": "percent"}
_SYMBOLS: Final = {"&": " and ", "+": " plus ", "=": " equals ", "@": " at ", "’": "'", "%": " percent "}
_ANNOTATION: Final = re.compile(r"^(\[.*\]|<.*>|\*.*\*)$")


def spoken(word: str) -> list[str]:
    """What is said for one written English word; empty for punctuation, annotations such as [laughter], other scripts.

    An acronym without a vowel is said letter by letter. Hyphens part words.
    """
    core = re.sub(r"\W+$", "", word)
    if len(core) > 1 and core.isascii() and core.isupper() and core.isalpha() and not set(core) & set("AEIOUY"):
        return list(core.lower())
    text = written_out(word, "en")
    for symbol, said in _SYMBOLS.items():
        text = text.replace(symbol, said)
    plain = unicodedata.normalize("NFKD", text.lower())
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return [part for part in (part.strip("'") for part in re.findall(r"[a-z']+", plain)) if part]


def written_out(word: str, language: str) -> str:
    """The word with its numbers in letters; empty for an annotation. Digits stay where the language has no numbers."""
    if _ANNOTATION.match(word.strip()):
        return ""
    try:
        if language == "en":
            word = _CLOCK.sub(_said_clock, word)
        return _NUMBER.sub(lambda match: _said_number(match, language), word)
    except NotImplementedError:  # how num2words says that it lacks the language
        return word


def _said_clock(match: re.Match[str]) -> str:
    hour, minute = int(match["hour"]), int(match["minute"])
    minutes = "" if minute == 0 else ("oh " if minute < 10 else "") + num2words(minute)
    return f" {num2words(hour)} {minutes} "


def _said_number(match: re.Match[str], language: str) -> str:
    digits, tail = match["digits"].replace(",", ""), match["tail"]
    year = len(match["digits"]) == 4 and (1100 <= int(digits) < 2000 or 2010 <= int(digits) < 2100)
    if len(digits) > 15 or (len(digits) > 1 and digits[0] == "0"):
        said = " ".join(num2words(int(digit), lang=language) for digit in digits)
    elif tail in {"st", "nd", "rd", "th"}:
        said = num2words(int(digits), to="ordinal", lang=language)
    else:
        said = num2words(int(digits), to="year" if year and language == "en" else "cardinal", lang=language)
    if match["decimals"] and language == "en":
        said += " point " + " ".join(num2words(int(digit)) for digit in match["decimals"])
    unit = _UNITS.get(match["sign"] or tail or "", "") if language == "en" else ""
    return f" {said}{'s' if tail == 's' else ''} {unit} "
