"""What a language says: backchannels, closings, questions. One TOML file per language lies beside this module."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib import resources

from pydantic import BaseModel, ConfigDict


class UnknownLanguageError(ValueError):
    """There is no lexicon for the language asked for."""


class Lexicon(BaseModel):
    """Phrases of one language, normalised as ``timing.transcript.normalised`` does it."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    backchannels: tuple[str, ...]
    """Listener responses that claim no floor."""
    closings: tuple[str, ...]
    """Phrases that end the talk, standing alone or among fillers."""
    farewells: tuple[str, ...]
    """Phrases that end the talk at the end of any utterance."""
    polite_answers: tuple[str, ...]
    """Answers to an offer that sound like closings."""
    closing_fillers: tuple[str, ...]
    """What may stand around a closing."""
    question_openers: tuple[str, ...]
    """How a question begins."""
    question_inversions: tuple[str, ...]
    """Beginnings that make a question anywhere near the end."""
    question_leads: tuple[str, ...]
    """What may come before a question's beginning."""
    unfinished: tuple[str, ...]
    """Words that no finished sentence ends with."""

    @property
    def backchannel_pattern(self) -> str:
        """Matches a text that is nothing but listener responses."""
        return f"^{_any(self.backchannels)}(?: {_any(self.backchannels)})*$"

    @property
    def closing_pattern(self) -> str:
        """Matches a text that ends in a farewell, or is nothing but closings and fillers."""
        filler = _any(self.closing_fillers + self.closings + self.farewells)
        closing = _any(self.closings + self.farewells)
        return f"^(?:{filler} )*{closing}(?: {filler})*$|(?:^| ){_any(self.farewells)}$"

    @property
    def polite_answer_pattern(self) -> str:
        """Matches a text that is a polite answer and nothing else."""
        return f"^{_any(self.polite_answers)}$"

    @property
    def question_pattern(self) -> str:
        """Matches a text that begins as a question does, or whose last dozen words hold an inversion."""
        opens = f"^(?:{_any(self.question_leads)} )*{_any(self.question_openers)}(?: |$)"
        return f"{opens}|(?:^| ){_any(self.question_inversions)}(?: [^ ]+){{0,12}}$"

    @property
    def unfinished_pattern(self) -> str:
        """Matches a text whose last word leaves the sentence open."""
        return f"(?:^| ){_any(self.unfinished)}$"


def _any(phrases: tuple[str, ...]) -> str:
    # An empty alternation would match everywhere; this class matches nowhere.
    return "(?:" + "|".join(re.escape(p).replace("\\ ", " ") for p in phrases) + ")" if phrases else r"[^\s\S]"


def languages() -> list[str]:
    """Languages that have a lexicon."""
    return sorted(f.name.removesuffix(".toml") for f in resources.files(__name__).iterdir() if f.name.endswith(".toml"))


@cache
def load(language: str) -> Lexicon:
    """The lexicon of a BCP-47 language, whatever its region. Raises UnknownLanguageError naming what there is."""
    name = language.split("-", maxsplit=1)[0].lower()
    if name not in languages():
        raise UnknownLanguageError(
            f"no lexicon for language {language!r}: there is {', '.join(languages())}; "
            f"add timing/lexicon/{name}.toml or set `language` to one of these"
        )
    text = resources.files(__name__).joinpath(f"{name}.toml").read_text(encoding="utf-8")
    return Lexicon.model_validate(tomllib.loads(text))
