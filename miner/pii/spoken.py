"""Writes spoken numbers and addresses as they are written, keeping track of which word each character came from.

"five five five oh one two three" becomes 5550123, "john dot smith at gmail dot com" john.smith@gmail.com: what
libraries for personal data know to find.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from miner.pii.language import Language

SPOKEN = "\u2060"
"""Set around what was said and is written out here: an invisible character that no transcript has a use for."""
_LABELS = 12
"""An address's first label may be said in this many pieces ("g mail")."""
_ENDS = re.compile(r"[.?!。？！…]$")
_EDGES = re.compile(r"^[\"'“”‘’«»(\[]+|[\"'“”‘’«»)\].,?!;:、。？！…]+$")


@dataclass(frozen=True)
class Unit:
    """A piece of a word: ``core`` without punctuation and capitals, ``tail`` the punctuation after it."""

    word: int
    raw: str
    core: str
    tail: str


@dataclass
class Written:
    """Text, and which words said which part of it: (start, end, first word, word after the last), in order."""

    text: str = ""
    parts: list[tuple[int, int, int, int]] = field(default_factory=list)

    def add(self, piece: str, first: int, last: int) -> None:
        """Append what the words from ``first`` to ``last`` said."""
        self.parts.append((len(self.text), len(self.text) + len(piece), first, last + 1))
        self.text += piece

    def said(self, start: int, end: int) -> Iterable[int]:
        """Indices of the words that said any of ``text[start:end]``."""
        for low, high, first, after in self.parts:
            if low < end and high > start:
                yield from range(first, after)


@dataclass(frozen=True)
class _Phrases:
    """Phrases of one or more units, longest first at each place."""

    by_length: Mapping[int, frozenset[tuple[str, ...]]]

    @staticmethod
    def of(phrases: Iterable[str], language: Language) -> _Phrases:
        by_length: dict[int, set[tuple[str, ...]]] = {}
        for phrase in phrases:
            units = tuple(language.units(phrase))
            by_length.setdefault(len(units), set()).add(units)
        return _Phrases({n: frozenset(by_length[n]) for n in sorted(by_length, reverse=True)})

    def at(self, units: Sequence[Unit], i: int) -> int:
        """How many units from ``i`` make the longest phrase; 0 for none. Punctuation inside a phrase breaks it."""
        for n, phrases in self.by_length.items():
            if i + n > len(units) or any(unit.tail for unit in units[i : i + n - 1]):
                continue
            if tuple(unit.core for unit in units[i : i + n]) in phrases:
                return n
        return 0


@dataclass(frozen=True)
class Speller:
    """The spoken forms of one language, ready to be looked for."""

    language: Language
    ones: _Phrases
    teens: _Phrases
    tens: _Phrases
    repeats: _Phrases
    zeros: _Phrases
    fillers: _Phrases
    at: _Phrases
    symbols: _Phrases
    parts: _Phrases
    leads: _Phrases

    @staticmethod
    def of(language: Language) -> Speller:
        """The speller of a language's file."""
        numbers, email = language.numbers, language.email
        tables = (numbers.ones, numbers.teens, numbers.tens, numbers.repeats, numbers.zeros, numbers.fillers)
        mail = (email.at, email.symbols, email.words, email.leads)
        return Speller(language, *(_Phrases.of(table, language) for table in (*tables, *mail)))

    def written(self, words: Sequence[str]) -> Written:
        """The words as one text in which spoken numbers and addresses are written out."""
        units = self._units(words)
        addresses = dict(self._addresses(units))
        out = Written()
        i = 0
        while i < len(units):
            if out.text and units[i].word != units[i - 1].word:
                out.text += self.language.separator
            if i in addresses:
                i = self._write_address(out, units, i, *addresses[i])
            elif self._number(units, i) is not None:
                i = self._write_digits(out, units, i)
            else:
                edge = SPOKEN if "@" in units[i].raw else ""
                out.text += edge
                out.add(units[i].raw, units[i].word, units[i].word)
                out.text += edge
                i += 1
        return out

    def _units(self, words: Sequence[str]) -> list[Unit]:
        units: list[Unit] = []
        for index, word in enumerate(words):
            text = unicodedata.normalize("NFKC", word).replace(SPOKEN, "")
            pieces = self.language.units(text)
            parts = re.split(r"(?<=-)", text)
            if len(parts) > 1 and all(self._is_said_digit(part.strip("-").lower()) for part in parts):
                pieces = parts
            for piece in pieces:
                bare = _EDGES.sub("", piece) or piece
                units.append(Unit(index, piece, bare.strip("-").lower() or bare, _tail(piece)))
        return units

    def _is_said_digit(self, text: str) -> bool:
        lone = [Unit(0, text, _EDGES.sub("", text), "")]
        return bool(self.ones.at(lone, 0) or self.teens.at(lone, 0) or self.tens.at(lone, 0)) or text in {
            part for phrase in (*self.language.numbers.teens, *self.language.numbers.tens) for part in phrase.split()
        }

    def _number(self, units: Sequence[Unit], i: int) -> tuple[str, int] | None:
        """Digits said from unit ``i`` and how many units said them."""
        if i >= len(units):
            return None
        numbers = self.language.numbers
        if not self.language.separator and units[i].core.isdecimal():
            return units[i].core, 1
        ten, teen = self.tens.at(units, i), self.teens.at(units, i)
        if ten > teen:
            return self._tens(units, i, ten)
        if teen:
            return str(numbers.teens[self._phrase(units, i, teen)]), teen
        repeat = self.repeats.at(units, i)
        times = numbers.repeats[self._phrase(units, i, repeat)] if repeat else 1
        if one := self.ones.at(units, i + repeat):
            return str(numbers.ones[self._phrase(units, i + repeat, one)]) * times, repeat + one
        return None

    def _tens(self, units: Sequence[Unit], i: int, n: int) -> tuple[str, int]:
        numbers = self.language.numbers
        value = numbers.tens[self._phrase(units, i, n)]
        if units[i + n - 1].tail:
            return str(value), n
        after = i + n
        if numbers.tens_joiner and after < len(units) and units[after].core == numbers.tens_joiner:
            after += 1
        teen = self.teens.at(units, after) if value in numbers.tens_take_teens else 0
        one = self.ones.at(units, after)
        if teen:
            return str(value + numbers.teens[self._phrase(units, after, teen)]), after + teen - i
        if one and numbers.ones[self._phrase(units, after, one)]:
            return str(value + numbers.ones[self._phrase(units, after, one)]), after + one - i
        return str(value), n

    def _phrase(self, units: Sequence[Unit], i: int, n: int) -> str:
        return (" " if self.language.separator else "").join(unit.core for unit in units[i : i + n])

    def _write_digits(self, out: Written, units: Sequence[Unit], i: int) -> int:
        """Write a run of said digits; fillers inside it are left out, a comma in it stays."""
        out.text += SPOKEN
        while (found := self._number(units, i)) is not None:
            digits, n = found
            i, first = i + n, units[i].word
            while not units[i - 1].tail and (zeros := self.zeros.at(units, i)):
                digits += self.language.numbers.zeros[self._phrase(units, i, zeros)]
                i += zeros
            out.add(digits, first, units[i - 1].word)
            tail = units[i - 1].tail
            after = i
            while not _ENDS.search(tail) and (filler := self.fillers.at(units, after)):
                after += filler
            if _ENDS.search(tail) or self._number(units, after) is None:
                break
            out.text += f"{tail} " if tail else ""
            i = after
        out.text += SPOKEN + units[i - 1].tail
        return i

    def _addresses(self, units: Sequence[Unit]) -> Iterable[tuple[int, tuple[int, int, int]]]:
        """Said addresses: first unit, and (unit of the @, first unit after it, unit after the address)."""
        free_from = 0
        for i in range(1, len(units)):
            at = self.at.at(units, i)
            if not at or i <= free_from or units[i - 1].tail:
                continue
            end = self._domain_end(units, i + at)
            start = self._local_start(units, i, free_from) if end else None
            if start is not None:
                yield start, (i, i + at, end)
                free_from = end

    def _domain_end(self, units: Sequence[Unit], first: int) -> int:
        """Unit after the domain that begins at ``first``; 0 when there is none."""
        end, text, i = 0, "", first
        while i < min(len(units), first + _LABELS):
            piece, n = self._piece(units, i)
            if "@" in piece or (end and "." not in piece and not text.endswith(".")):
                break
            text += piece
            i += n
            host, dot, tld = text.rpartition(".")
            if host and dot and tld in self.language.email.tlds:
                end = i
            if units[i - 1].tail:
                break
        return end

    def _local_start(self, units: Sequence[Unit], at: int, free_from: int) -> int | None:
        """First unit of the part before the @; None when what stands there is no such part."""
        start = at - 1
        while start > free_from and not units[start - 1].tail:
            before, this = units[start - 1], units[start]
            if sign := self._symbol_before(units, start):
                start -= sign
                continue
            said_before = self._number(units, start - 1) is not None
            digits = self._number(units, start) is not None and (
                said_before or before.core not in self.language.common_words
            )
            letters = len(this.core) == 1 and (len(before.core) == 1 or said_before)
            if not (self.symbols.at(units, start) or digits or letters):
                break
            start -= 1
        if start == at - 1 and units[start].core in self.language.common_words:
            return None
        lead = None
        for back in range(start, max(free_from, start - 4), -1):
            if any(unit.tail for unit in units[back - 1 : start]) or (
                back < start and units[back].core in self.language.common_words
            ):
                break
            if self.leads.at(units, back - 1):
                lead = back
                break
        if lead is not None:
            return lead
        return start if re.match(r"\w", units[start].core) else None

    def _write_address(self, out: Written, units: Sequence[Unit], i: int, at: int, domain: int, end: int) -> int:
        address = f"{self._joined(units, i, at)}@{self._joined(units, domain, end)}"
        out.text += SPOKEN
        out.add(address, units[i].word, units[end - 1].word)
        out.text += SPOKEN + units[end - 1].tail
        return end

    def _joined(self, units: Sequence[Unit], i: int, end: int) -> str:
        text = ""
        while i < end:
            piece, n = self._piece(units, i)
            text += piece
            i += n
        return text

    def _symbol_before(self, units: Sequence[Unit], end: int) -> int:
        """How many units before ``end`` make a sign of an address; 0 for none."""
        return next((n for n in self.symbols.by_length if n <= end and self.symbols.at(units, end - n) == n), 0)

    def _piece(self, units: Sequence[Unit], i: int) -> tuple[str, int]:
        """What unit ``i`` gives to an address, and how many units said it."""
        if n := self.symbols.at(units, i):
            return self.language.email.symbols[self._phrase(units, i, n)], n
        if n := self.parts.at(units, i):
            return self.language.email.words[self._phrase(units, i, n)], n
        said = None if units[i].core in ("o", "O") else self._number(units, i)
        return said or (units[i].core, 1)


def _tail(piece: str) -> str:
    bare = piece.rstrip("\"'“”‘’«»)].,?!;:、。？！…")
    return piece[len(bare) :] if bare else ""
