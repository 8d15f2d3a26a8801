"""Presidio, taught what transcripts of speech need: spoken numbers, and names without a trained model."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from presidio_analyzer import AnalyzerEngine, EntityRecognizer, RecognizerRegistry, RecognizerResult
from presidio_analyzer.nlp_engine import NlpEngine, NoOpNlpEngine, SpacyNlpEngine
from presidio_analyzer.predefined_recognizers import (
    CreditCardRecognizer,
    EmailRecognizer,
    PhoneRecognizer,
    SpacyRecognizer,
)
from tldextract import TLDExtract

from miner.pii.language import Language
from miner.pii.spoken import SPOKEN, Speller

if TYPE_CHECKING:
    from presidio_analyzer.nlp_engine import NlpArtifacts

NAME, PHONE, EMAIL, CARD = "PERSON", "PHONE_NUMBER", "EMAIL_ADDRESS", "CREDIT_CARD"

_DIGITS = re.compile(rf"(?<![A-Za-z0-9_.,$€£¥+])\+?\(?\d(?:[ ,.()\-–/{SPOKEN}]{{0,3}}\d){{6,18}}(?![A-Za-z0-9_])")
_DATE = re.compile(r"\d{4}([-/.])\d{1,2}\1\d{1,2}|\d{1,2}([-/.])\d{1,2}\2\d{2,4}|(?:\d{1,3}\.){3}\d{1,3}")
_THOUSANDS = re.compile(r"\d{1,3}(?:([ ,.])\d{3})(?:\1\d{3})*")
_YEARS = re.compile(r"(?:(?:19|20)\d\d\W*)+")
_LEAD_REACH = 60
"""A lead counts this many characters before a number."""
_SURE, _LIKELY, _POSSIBLE, _UNLIKELY = 0.85, 0.6, 0.5, 0.2
_NEXT_WORD = 0.3
"""The word after a listed first name is its surname or just the next word; without capitals nothing tells."""
_suffixes = TLDExtract(suffix_list_urls=())  # the list that ships with the package: no network


class _WrittenEmail(EmailRecognizer):  # type: ignore[misc]
    def validate_result(self, pattern_text: str) -> bool:
        return bool(_suffixes(pattern_text).fqdn)


class _SpokenNumbers(PhoneRecognizer):  # type: ignore[misc]
    """Phone numbers as libphonenumber knows them, and long numbers by what is said before and after them."""

    def __init__(self, language: Language, code: str) -> None:
        numbers = language.numbers
        gap = r"\s*" if not language.separator else r"[\s,:]+"
        nouns = _any(numbers.lead_nouns, language) or "(?!)"
        self._phone = _leads(numbers.phone_leads, language)
        self._card = _leads(numbers.card_leads, language)
        self._other = re.compile(f"{_any(numbers.other_leads, language)}(?:{gap}{nouns})*", re.IGNORECASE)
        self._unit = re.compile(rf"\W*{_any(numbers.units_after, language)}|\s*[%$€£¥]", re.IGNORECASE)
        super().__init__(supported_language=code, supported_regions=language.phone_regions)
        self.supported_entities = [PHONE, CARD]

    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts | None = None
    ) -> list[RecognizerResult]:
        numbers = [
            RecognizerResult(kind, match.start(), match.end(), score)
            for match in _DIGITS.finditer(text)
            for kind, score in self._kinds(text, match)
        ]
        looked_at = [(match.start(), match.end()) for match in _DIGITS.finditer(text)]
        known = [
            hit
            for hit in super().analyze(text.replace(SPOKEN, " "), entities, nlp_artifacts)
            if not any(start < hit.end and hit.start < end for start, end in looked_at)
        ]
        return [hit for hit in (*numbers, *known) if hit.entity_type in entities]

    def _kinds(self, text: str, match: re.Match[str]) -> Iterator[tuple[str, float]]:
        """What a long number may be, and how surely."""
        digits = re.sub(r"\D", "", match[0])
        before = text[max(0, match.start() - _LEAD_REACH) : match.start()]
        ends = {name: _last_end(lead, before) for name, lead in (("phone", self._phone), ("card", self._card))}
        other = _last_end(self._other, before)
        if other >= max(0, *ends.values()) or self._unit.match(text, match.end()):
            yield PHONE, _UNLIKELY
        elif len(digits) >= 12 and ends["card"] > ends["phone"]:
            yield CARD, _SURE
        elif ends["phone"] >= 0:
            yield (PHONE, _SURE) if len(digits) <= 15 else (CARD, _POSSIBLE)
        elif _is_something_else(match[0].strip(SPOKEN), digits):
            yield PHONE, _UNLIKELY
        elif len(digits) >= 14:
            yield CARD, _POSSIBLE
        elif (
            len(digits) >= 10 or SPOKEN in text[match.start() - 1 : match.start()] or re.search(r"\d[-–) .]", match[0])
        ):
            yield PHONE, _LIKELY if len(digits) >= 10 else _POSSIBLE
        else:
            yield PHONE, _UNLIKELY


class _ContextNames(EntityRecognizer):  # type: ignore[misc]
    """Names by what is said around them, and frequent first names: no trained model."""

    def __init__(self, language: Language, code: str, *, cased: bool) -> None:
        names = language.names
        edge = r"\b" if language.separator else ""
        common = rf"(?i:{_either(names.common.split())}){edge}"
        name = f"(?-i:{names.cased})" if cased else names.uncased
        name = name.replace("{common}", common)
        letters = r"[\s,.-]+".join(
            ["", rf"(?:(?i:{_either(names.spelled)})[\s,]+)?(?:[^\W\d_][\s,.-]+){{2,}}[^\W\d_]\b"]
        )
        # After a sure frame a capital is enough: "my name is Will". Elsewhere the word must be none of the common ones.
        guard = r"(?!I\b)" if cased else f"(?!{common})"
        found = rf"(?P<name>GUARD{name}(?:{letters})?)" if language.separator else f"(?P<name>{name})"
        sure = [
            re.compile(
                frame.replace("{name}", found.replace("GUARD", guard)).replace("{common}", common), re.IGNORECASE
            )
            for frame in names.frames
        ]
        found = found.replace("GUARD", f"(?!{common})")
        self._frames = sure + [re.compile(frame.replace("{name}", found)) for frame in names.frames_cased if cased]
        firsts = names.first.split()
        self._with_next = re.compile(rf"\b(?:{_either(firsts)}) (?!{common})[^\W\d_][\w’'-]*", re.IGNORECASE)
        if cased and language.separator:
            after = f"(?: (?!{common})[A-ZÀ-Þ][\\w’'-]*){{0,2}}"
            self._firsts = re.compile(rf"\b(?:{_either([first.title() for first in firsts])})\b{after}")
        else:
            self._firsts = re.compile(f"{edge}(?:{_either(firsts)}){edge}", re.IGNORECASE)
        super().__init__(supported_entities=[NAME], supported_language=code)

    def load(self) -> None:
        """Nothing to load."""

    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts | None = None
    ) -> list[RecognizerResult]:
        framed = [m.span("name") for frame in self._frames for m in frame.finditer(text)]
        listed = [m.span() for m in self._firsts.finditer(text)]
        longer = [m.span() for m in self._with_next.finditer(text)]
        scored = ((framed, _SURE), (listed, _LIKELY), (longer, _NEXT_WORD))
        return [RecognizerResult(NAME, *span, score) for spans, score in scored for span in spans]


@dataclass(frozen=True)
class Finder:
    """Finds personal data in the words of one language.

    ``cased``: the transcript has capitals. ``model``: name or folder of an installed spaCy model that knows persons.
    """

    language: Language
    code: str
    cased: bool
    model: str | None
    entities: tuple[str, ...]
    score: float
    keep: frozenset[str]

    @cached_property
    def _speller(self) -> Speller:
        return Speller.of(self.language)

    @cached_property
    def _analyser(self) -> AnalyzerEngine:
        recognisers: list[EntityRecognizer] = [
            _WrittenEmail(supported_language=self.code),
            CreditCardRecognizer(supported_language=self.code),
            _SpokenNumbers(self.language, self.code),
            _ContextNames(self.language, self.code, cased=self.cased),
        ]
        models = [{"lang_code": self.code, "model_name": self.model or ""}]
        engine: NlpEngine = SpacyNlpEngine(models=models) if self.model else NoOpNlpEngine(models=models)
        if self.model:
            recognisers.append(SpacyRecognizer(supported_language=self.code, supported_entities=[NAME]))
        return AnalyzerEngine(
            registry=RecognizerRegistry(recognisers, supported_languages=[self.code]),
            nlp_engine=engine,
            supported_languages=[self.code],
        )

    def find(self, words: Sequence[str]) -> dict[int, str]:
        """Entity of each word that is part of personal data, by the word's index; the surest where several claim it."""
        written = self._speller.written(words)
        hits: list[Any] = self._analyser.analyze(
            written.text, self.code, entities=list(self.entities), score_threshold=self.score
        )
        found: dict[int, str] = {}
        for hit in sorted(hits, key=lambda hit: (hit.score, hit.end - hit.start)):
            if written.text[hit.start : hit.end].casefold() not in self.keep:
                found |= dict.fromkeys(written.said(hit.start, hit.end), hit.entity_type)
        return found


def _either(phrases: Sequence[str]) -> str:
    return "|".join(re.escape(phrase) for phrase in sorted(phrases, key=len, reverse=True)) or "(?!)"


def _any(phrases: Sequence[str], language: Language) -> str:
    return rf"(?<!\w)(?:{_either(phrases)})s?(?!\w)" if language.separator else f"(?:{_either(phrases)})"


def _leads(phrases: Sequence[str], language: Language) -> re.Pattern[str]:
    return re.compile(_any(phrases, language), re.IGNORECASE)


def _last_end(lead: re.Pattern[str], text: str) -> int:
    return max((match.end() for match in lead.finditer(text)), default=-1)


def _is_something_else(written: str, digits: str) -> bool:
    """A date, an IP address, an amount, years in a row, or counting."""
    patterns = (_DATE, _THOUSANDS, _YEARS)
    return any(pattern.fullmatch(written) for pattern in patterns) or _counts(digits) or len(set(digits)) == 1


def _counts(digits: str) -> bool:
    """Consecutive numbers, up or down, from one of up to four digits."""
    for width in range(1, 5):
        for step in (1, -1, 10, -10, 100, -100):
            number, text = int(digits[:width]), ""
            while len(text) < len(digits) and number >= 0:
                text += str(number)
                number += step
            if text == digits:
                return True
    return False
