"""How a language says numbers, addresses and names. One TOML file per language lies beside this module."""

from __future__ import annotations

import re
import tomllib
from functools import cache, cached_property
from importlib import resources

from pydantic import BaseModel, ConfigDict


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Numbers(_Part):
    """How digits are said, and what tells a phone or card number from other numbers."""

    ones: dict[str, int]
    """One digit each."""
    teens: dict[str, int]
    """10 to 19."""
    tens: dict[str, int]
    """20, 30, ... 90: a word of ``ones`` after it is added."""
    tens_take_teens: tuple[int, ...] = ()
    """Tens that a word of ``teens`` is added to (French: soixante-douze)."""
    tens_joiner: str = ""
    """A word that may stand between tens and ones (French: vingt et un)."""
    repeats: dict[str, int]
    """How often the next digit is meant (double five)."""
    zeros: dict[str, str]
    """Zeros put behind the digits before them (eight hundred)."""
    fillers: tuple[str, ...]
    """What may be said inside a number without ending it."""
    phone_leads: tuple[str, ...]
    """Words before a number that say it is a phone number."""
    card_leads: tuple[str, ...]
    """Words before a number that say it is a payment card."""
    other_leads: tuple[str, ...]
    """Words before a number that say it is something else."""
    lead_nouns: tuple[str, ...]
    """Words that may follow a lead and belong to it (order *number*)."""
    units_after: tuple[str, ...]
    """Words after a number that say it counts something."""


class Email(_Part):
    """How an address is said."""

    at: tuple[str, ...]
    """The @."""
    symbols: dict[str, str]
    """Words for the dot and other signs."""
    words: dict[str, str] = {}
    """Spoken spellings of parts of an address."""
    tlds: tuple[str, ...]
    """Top-level domains that are said; a written address may have any."""
    leads: tuple[str, ...]
    """Words right before an address."""


class Names(_Part):
    """Where names stand. ``{name}`` and ``{common}`` are filled in."""

    cased: str
    """A name in a transcript with capitals."""
    uncased: str
    """A name in a transcript without them."""
    frames: tuple[str, ...]
    """What is said around a name, sure enough for a transcript without capitals."""
    frames_cased: tuple[str, ...]
    """What is said around a name, sure enough only where the name has a capital."""
    spelled: tuple[str, ...]
    """What comes between a name and its letters."""
    common: str
    """Words that are no names, whatever stands before them."""
    first: str
    """Frequent names that are no common words: found wherever they stand."""


class Language(_Part):
    """One language's file."""

    separator: str
    """What is written between two words."""
    phone_regions: tuple[str, ...]
    """Countries whose phone numbers are looked for."""
    numbers: Numbers
    email: Email
    names: Names

    def units(self, text: str) -> list[str]:
        """The pieces that spoken forms are made of: words, or single characters where words are not set apart."""
        return text.split() if self.separator else re.findall(r"[A-Za-z0-9_.+@-]+|\S", text)

    @cached_property
    def common_words(self) -> frozenset[str]:
        """``names.common`` as a set."""
        return frozenset(self.names.common.split())


class NoRulesError(ValueError):
    """There is no file for a language."""


@cache
def load_language(code: str) -> Language:
    """The file of a language; `en-GB` reads that of `en`. Raises NoRulesError."""
    path = resources.files(__package__ or "miner.pii") / f"{base(code)}.toml"
    if not path.is_file():
        raise NoRulesError(
            f"no rules for personal data in language {code!r} (there are: {', '.join(languages())}); "
            "add miner/pii/<language>.toml or set transcribe.redact.unknown_language"
        )
    return Language.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))


@cache
def written_only() -> Language:
    """Rules for a language without a file: what is written is found, nothing that is said in words."""
    none: dict[str, int] = {}
    return Language(
        separator=" ",
        phone_regions=("US", "GB", "DE", "FR", "ES", "IT", "IN", "BR"),
        numbers=Numbers(
            ones=none,
            teens=none,
            tens=none,
            repeats=none,
            zeros={},
            fillers=(),
            phone_leads=(),
            card_leads=(),
            other_leads=(),
            lead_nouns=(),
            units_after=(),
        ),
        email=Email(at=("@",), symbols={".": "."}, tlds=("com",), leads=()),
        names=Names(cased="", uncased="", frames=(), frames_cased=(), spelled=(), common="", first=""),
    )


@cache
def languages() -> tuple[str, ...]:
    """Languages there is a file for."""
    files = resources.files(__package__ or "miner.pii").iterdir()
    return tuple(sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml")))


def base(code: str) -> str:
    """The language without region or script."""
    return re.split(r"[-_]", code.strip().lower())[0]
