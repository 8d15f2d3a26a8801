"""What cannot be said aloud: a list of small rules, each with a name and a sentence that tells a writer how to keep it.

Digits are fine where anybody reads them alike ("at 7:30", "20 percent", "in 1999", "1,200"); numbers that are spelled
out or read in groups (telephone, card, dates, ranges) must be written as they are said.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from judges.languages import Language, known, language

_SHOWN_CHARS = 40
_MOST_DIGITS = 6
_WRONG_SHARE = 0.1
"""A text with more letters than this of other scripts is not in the language."""
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_NUMBER = re.compile(r"\d+(?:[ \u00a0\u202f.,:/–-]\d+)*")
_GROUPED = re.compile(r"\d{1,3}(?:[ \u00a0\u202f]\d{3}|,\d{3}|\.\d{3})(?:[.,]\d+)?")
_TITLES = "".join(rf"(?<!\b{title})" for title in ("M", "Mr", "Mrs", "Ms", "Mme", "Dr", "St", "Prof"))
_SENTENCE_END = re.compile(_TITLES + r"[.!?…]+(?=\s+[^\sa-z]|\s*$)|[。！？]+")
_SIGNS = frozenset("°©®™")
_AROUND = r"*~_()\[\]<>（）［］【】"
"""What stage directions stand between, for a character class."""
_BRACKETS = r"()\[\]{}（）［］｛｝【】〔〕〈〉《》"
_SPEAKERS = "model|assistant|system|user|ai|bot|reply|response|answer|assistante?|modèle|réponse|回答|返答|モデル"
_DOMAINS = "com|org|net|edu|gov|info|io|ai|dev|app|co|uk|eu|fr|jp"


@dataclass(frozen=True)
class Limits:
    """How long a spoken reply may be."""

    words: int = 60
    sentences: int = 4


@dataclass(frozen=True)
class Rule:
    """A rule. ``find`` gives the first piece of a text that breaks it; ``how`` tells a writer what to do instead."""

    name: str
    how: str
    find: Callable[[str, Language, Limits], str | None]


def problems(text: str, tag: str, limits: Limits | None = None) -> list[tuple[Rule, str]]:
    """Every rule that a reply in the language ``tag`` (BCP-47) breaks, and the first piece that breaks it."""
    spoken, bounds = language(tag), limits or Limits()
    found = ((rule, rule.find(text.strip(), spoken, bounds)) for rule in RULES)
    return [(rule, " ".join(what.split())[:_SHOWN_CHARS]) for rule, what in found if what is not None]


def _pattern(pattern: str, flags: re.RegexFlag = re.NOFLAG) -> Callable[[str, Language, Limits], str | None]:
    """A rule that holds in every language: nothing may match."""
    compiled = re.compile(pattern, flags)

    def find(text: str, spoken: Language, limits: Limits) -> str | None:
        del spoken, limits
        found = compiled.search(text)
        return None if found is None else found.group(0)

    return find


@cache
def _any_of(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.IGNORECASE)


def _stage_direction(text: str, spoken: Language, limits: Limits) -> str | None:
    """Something between marks that names a sound or a gesture, in any language, or anything between single stars."""
    del spoken, limits
    words = "|".join(f"(?:{word})" for one in known().values() for word in one.stage_words)
    inner = rf"[^{_AROUND}\n]{{0,30}}"
    marked = rf"[{_AROUND}]{inner}(?<!\w)(?:{words})(?!\w){inner}[{_AROUND}]"
    starred = r"(?<![*\w])\*(?!\s)[^*\n]{1,60}(?<!\s)\*(?![*\w])"
    found = _any_of((marked, starred)).search(text)
    return None if found is None else found.group(0)


def _abbreviation(text: str, spoken: Language, limits: Limits) -> str | None:
    del limits
    found = _any_of(spoken.abbreviations).search(text) if spoken.abbreviations else None
    return None if found is None else found.group(0)


def _number(text: str, spoken: Language, limits: Limits) -> str | None:
    del spoken, limits
    for found in _NUMBER.finditer(text):
        number = found.group(0)
        marks = re.findall(r"\D", number)
        digits = len(number) - len(marks)
        plain = len(marks) <= 1 and not set(marks) & set("/–- \u00a0\u202f") and digits <= _MOST_DIGITS
        long_run = re.search(r"\d{5}", number) is not None
        if (not plain or long_run) and _GROUPED.fullmatch(number) is None:
            return number
    return None


def _capitals(text: str, spoken: Language, limits: Limits) -> str | None:
    """Two words in capitals one after the other, or a long one, that are no acronyms."""
    del limits
    before: str | None = None
    cased = "".join(c if c.lower() != c.upper() or c in "'’" else " " for c in text)
    for word in cased.split():
        loud = word.isupper() and len(word) > 1 and word.casefold() not in spoken.acronyms
        if loud and (before is not None or len(word) > 4):
            return word if before is None else f"{before} {word}"
        before = word if loud else None
    return None


def _too_many_words(text: str, spoken: Language, limits: Limits) -> str | None:
    if spoken.chars_per_word:
        count = -(-sum(character.isalnum() for character in text) // spoken.chars_per_word)
    else:
        count = len(text.split())
    return f"{count} words, at most {limits.words}" if count > limits.words else None


def _too_many_sentences(text: str, spoken: Language, limits: Limits) -> str | None:
    del spoken
    count = sum(1 for piece in _SENTENCE_END.split(text) if piece and piece.strip())
    return f"{count} sentences, at most {limits.sentences}" if count > limits.sentences else None


def _emoji(text: str, spoken: Language, limits: Limits) -> str | None:
    del spoken, limits
    for character in text:
        if character not in _SIGNS and (
            character == "\ufe0f" or (unicodedata.category(character) in ("So", "Sk") and ord(character) > 0x2000)
        ):
            return character
    found = _EMOTICON.search(text)
    return None if found is None else found.group(0).strip()


_EMOTICON = re.compile(r"(?:(?<=\s)|^)(?:[:;=8][-^']?[)(DPp/\\|*oO3]|<3|[xX]D|\^_*\^|T_T|-_-|¯\S*ツ\S*)(?=[\s.,!?]|$)")


def _script(text: str, spoken: Language, limits: Limits) -> str | None:
    del limits
    letters = [character for character in text if character.isalpha()]
    if not letters or not spoken.scripts:
        return None
    scripts = [_script_of(character) for character in letters]
    others = [letter for letter, script in zip(letters, scripts, strict=True) if script not in spoken.scripts]
    if len(others) > _WRONG_SHARE * len(letters):
        return "".join(others)
    if spoken.only and not set(scripts) & set(spoken.only):
        return text
    return None


@cache
def _script_of(character: str) -> str:
    """First word of the character's name: its script. The mark of long vowels belongs to both kana."""
    name = unicodedata.name(character, "")
    return name.split(" ")[1] if name.startswith(("FULLWIDTH", "HALFWIDTH")) else name.split(" ")[0]


def _other_language(text: str, spoken: Language, limits: Limits) -> str | None:
    """Another language by its commonest words, where they clearly outnumber those of the right one."""
    del limits
    if not spoken.common:
        return None
    words = Counter(word.group(0).casefold().replace("’", "'") for word in _WORD.finditer(text))
    hits = {one.name: sum(words[word] for word in one.common) for one in known().values() if one.common}
    name, most = max(hits.items(), key=lambda item: item[1])
    return name if most >= 3 and most > 2 * hits[spoken.name] else None


RULES: tuple[Rule, ...] = (
    Rule(
        "line_break",
        "write one paragraph",
        _pattern(r"\n\s*\S[^\n]{0,40}"),
    ),
    Rule(
        "list",
        "say it in sentences, without bullets and numbering",
        _pattern(
            r"^\s*(?:[-*+•‣◦⁃·–—]\s+\S|・|\(?(?:\d{1,2}|[a-z])[.)]\s+\S)[^\n]*|\b1[.)]\s.*\b2[.)]\s", re.MULTILINE
        ),
    ),
    Rule(
        "heading",
        "leave out headings",
        _pattern(r"^\s*(?:#{1,6}\s+\S.*|[^\n]+\n\s*(?:={3,}|-{3,})\s*$|\*\*[^*\n]+\*\*:?\s*$)", re.MULTILINE),
    ),
    Rule(
        "table",
        "say it in sentences, without columns",
        _pattern(r"^[^\n|]*\|[^\n|]*\|[^\n]*|\t", re.MULTILINE),
    ),
    Rule(
        "markup",
        "write plain words without any markup",
        _pattern(
            r"\*\*[^*\n]+\*\*|__[^_\n]+__|(?<!\w)_[^_\s][^_\n]*_(?!\w)|~~[^~]+~~|</?[A-Za-z][^<>\n]*>|\[[^\]\n]+\]\([^)\n]*\)"
            r"|&(?:[a-z]{2,8}|#\d+);|\\[A-Za-z(\[]|\$[^$\s][^$\n]*[\\^_{][^$\n]*\$|^\s*>\s|^\s*\*{3,}\s*$",
            re.MULTILINE,
        ),
    ),
    Rule(
        "brackets",
        "leave out brackets and parentheses; what matters goes into the sentence",
        _pattern(rf"[{_BRACKETS}][^{_BRACKETS}]{{0,30}}"),
    ),
    Rule(
        "stage_direction",
        "write only what is spoken, no sounds, gestures or manner of speaking",
        _stage_direction,
    ),
    Rule(
        "speaker_label",
        "begin with the reply itself, without a speaker's name",
        _pattern(
            rf"^\s*(?:{_SPEAKERS})\s*[:：]",
            re.IGNORECASE,
        ),
    ),
    Rule(
        "url",
        "name the site or page as people say it",
        _pattern(
            r"\b[a-z][a-z0-9+.-]*://\S+|\bwww\.\S+"
            rf"|\b[a-z0-9-]{{1,63}}\.(?:{_DOMAINS})(?!\w)",
            re.IGNORECASE,
        ),
    ),
    Rule(
        "email", "say addresses in words, or leave them out", _pattern(r"[^\s@＠]{1,64}[@＠][^\s@＠]+|(?<!\S)[@＠]\w+")
    ),
    Rule("emoji", "leave out emoji and emoticons", _emoji),
    Rule(
        "code",
        "say in words what to do, without code",
        _pattern(
            r"`[^`]*`?|\b\w+\(\)|\b[a-z]+(?:_[a-z0-9]+)+\b|\b\w+\.\w+\("
            r"|=>|->|==|!=|&&|\|\||::|;\s*$",
            re.MULTILINE,
        ),
    ),
    Rule(
        "symbol",
        "write the word people say for a sign",
        _pattern(
            r"[#*/\\=+<>|~^_&•·→←↔⇒°©®™§¶†×÷±≈≠≤≥√∞№〜～＝＋＊＃／＆※]"
            r"|(?<!\d)(?<!\d )[%‰％]|(?<!\d)(?<!\d )[$€£¥](?!\s?\d)",
        ),
    ),
    Rule(
        "number",
        "write numbers that are spelled out or read in groups (telephone, card, dates, ranges) as they are said",
        _number,
    ),
    Rule("abbreviation", "write abbreviations and units out", _abbreviation),
    Rule("capitals", "do not write words in capitals", _capitals),
    Rule("shouting", "end a sentence with one mark", _pattern(r"[!?！？]{2,}")),
    Rule(
        "invisible",
        "write nothing that cannot be seen",
        _pattern(
            "[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u202a-\u202e"
            "\u2060-\u2064\ufeff\ufffd\ue000-\uf8ff]"
        ),
    ),
    Rule("too_many_words", "make it shorter", _too_many_words),
    Rule("too_many_sentences", "make it fewer sentences", _too_many_sentences),
    Rule("script", "write in the language asked for, in its own script", _script),
    Rule("other_language", "write in the language asked for", _other_language),
)
