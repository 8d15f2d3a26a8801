"""What a language says: backchannels, closings, questions. One TOML file per language lies beside this module.

Phrases are written as people write them. They are compared after ``timing.transcript.normalised``, and an apostrophe in
a phrase may be missing in the text, since recognisers often leave it out ("thats right"). A language without spaces has
``joiner = ""``: its words are put together without any, and phrases are then looked for wherever they stand.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib import resources

from pydantic import BaseModel, ConfigDict

NOT_SAID = ("", "und")
"""Language tags that say nothing."""


class UnknownLanguageError(ValueError):
    """There is no lexicon for the language asked for."""


class Complaints(BaseModel):
    """How users complain of how they are talked to. Phrases count wherever they stand in an utterance."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    unheard: tuple[str, ...] = ()
    """Nobody seems to listen. Not counted in a user's first utterance, where people try the line."""
    calls: tuple[str, ...] = ()
    """The same, where it is all that is said."""
    misunderstood: tuple[str, ...] = ()
    """The answer was to something else, or what was said is asked for again."""
    interrupted: tuple[str, ...] = ()
    """The model talks where it should not."""


class Lexicon(BaseModel):
    """Phrases of one language. What is empty switches its rule off; the lexicon of no language is empty."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    language: str = ""
    """Name of the file; empty for the lexicon of no language."""
    joiner: str = " "
    """What stands between words."""
    backchannels: tuple[str, ...] = ()
    """Listener responses that claim no floor."""
    hesitations: tuple[str, ...] = ()
    """Sounds of one who is about to speak: alone they ask nothing, and are no listener's."""
    closings: tuple[str, ...] = ()
    """Phrases that end the talk, standing alone or among fillers."""
    farewells: tuple[str, ...] = ()
    """Phrases that end the talk at the end of any utterance."""
    misheard_farewells: tuple[str, ...] = ()
    """What recognisers without punctuation write for a farewell; counted after a closing or one of ..."""
    misheard_leads: tuple[str, ...] = ()
    """... these only, with two words between at most."""
    polite_answers: tuple[str, ...] = ()
    """Answers to an offer that sound like closings."""
    closing_fillers: tuple[str, ...] = ()
    """What may stand around a closing."""
    question_openers: tuple[str, ...] = ()
    """How a question begins."""
    question_inversions: tuple[str, ...] = ()
    """Beginnings that make a question anywhere near the end."""
    question_leads: tuple[str, ...] = ()
    """What may come before a question's beginning."""
    question_endings: tuple[str, ...] = ()
    """How a question ends, full stop or not."""
    unfinished: tuple[str, ...] = ()
    """Words that no finished sentence ends with, but ..."""
    finished: tuple[str, ...] = ()
    """... in these phrases, at the end of a short answer or of an indirect question, which begins with ..."""
    clause_openers: tuple[str, ...] = ()
    """... one of these."""
    function_words: tuple[str, ...] = ()
    """Words that tell nothing of what is asked for; requests are compared by the others."""
    complaints: Complaints = Complaints()
    """How users complain."""

    @property
    def backchannel_pattern(self) -> str:
        """Matches a text that is nothing but listener responses."""
        one = _any(self.backchannels)
        return f"^{one}(?:{self._space}{one})*$"

    @property
    def idle_pattern(self) -> str:
        """Matches a text that is nothing but listener responses and hesitations."""
        one = _any(self.backchannels + self.hesitations)
        return f"^{one}(?:{self._space}{one})*$"

    @property
    def closing_pattern(self) -> str:
        """Matches a text that ends in a farewell, or is nothing but closings and fillers."""
        filler = _any(self.closing_fillers + self.closings + self.farewells)
        closing = _any(self.closings + self.farewells)
        space = self._space
        return f"^(?:{filler}{space})*{closing}(?:{space}{filler})*$|{self._begins}{_any(self.farewells)}$"

    @property
    def misheard_closing_pattern(self) -> str:
        """Matches a closing or the like, fillers and two other words at most, and what a farewell is mistaken for."""
        filler, space = _any(self.closing_fillers), self._space
        opens = _any(self.closings + self.farewells + self.misheard_leads)
        between = "(?: [^ ]+){0,2}" if self.joiner else ""
        return f"^(?:{filler}{space})*{opens}(?:{space}{filler})*{between}{space}{_any(self.misheard_farewells)}$"

    @property
    def polite_answer_pattern(self) -> str:
        """Matches a text that is a polite answer and nothing else."""
        return f"^{_any(self.polite_answers)}$"

    @property
    def question_pattern(self) -> str:
        """Matches a text that begins or ends as a question does, or whose last dozen words hold an inversion."""
        lead, space = _any(self.question_leads), self._space
        opens = f"^(?:{lead}{space})*{_any(self.question_openers)}{self._ends}"
        rest = "(?: [^ ]+){0,12}" if self.joiner else ".{0,12}"
        return f"{opens}|{self._begins}{_any(self.question_inversions)}{rest}$|{self.question_end_pattern}"

    @property
    def question_end_pattern(self) -> str:
        """Matches a text that ends as a question does."""
        return f"{self._begins}{_any(self.question_endings)}$"

    @property
    def unfinished_pattern(self) -> str:
        """Matches a text whose last word leaves the sentence open."""
        # "ill" and "were" end sentences, "I'll" and "we're" do not.
        return f"{self._begins}{_any(self.unfinished, apostrophes='must')}$"

    @property
    def finished_pattern(self) -> str:
        """Matches a short answer or an indirect question that ends in what only looks unfinished."""
        some = "(?:[^ ]+ ){0,3}" if self.joiner else ""
        asks = f"{self._begins}{_any(self.clause_openers)}{self._space}"
        return f"(?:^|{asks}){some}{_any(self.finished)}$"

    @property
    def function_pattern(self) -> str:
        """Matches words that tell nothing, in a language without spaces."""
        return _any(self.function_words)

    @property
    def complaint_patterns(self) -> dict[str, str]:
        """A pattern for each kind of complaint."""
        said = self.complaints
        calls = f"^{_any(said.calls)}(?:{self._space}{_any(said.calls)})*$"
        return {
            "unheard": f"{self._anywhere(said.unheard)}|{calls}",
            "misunderstood": self._anywhere(said.misunderstood),
            "interrupted": self._anywhere(said.interrupted),
        }

    def _anywhere(self, phrases: tuple[str, ...]) -> str:
        return f"{self._begins}{_any(phrases)}{self._ends}"

    @property
    def _space(self) -> str:
        return " " if self.joiner else ""

    @property
    def _begins(self) -> str:
        return "(?:^| )" if self.joiner else ""

    @property
    def _ends(self) -> str:
        return "(?: |$)" if self.joiner else ""


NO_LANGUAGE = Lexicon()
"""Of a dialogue in a language without a lexicon: its words tell nothing, lengths and marks decide."""


def _any(phrases: tuple[str, ...], apostrophes: str = "may") -> str:
    # An empty alternation would match everywhere; this class matches nowhere.
    if not phrases:
        return r"[^\s\S]"
    pattern = "|".join(re.escape(phrase).replace("\\ ", " ") for phrase in phrases)
    return f"(?:{pattern.replace(chr(39), chr(39) + '? ?') if apostrophes == 'may' else pattern})"


@cache
def languages() -> tuple[str, ...]:
    """Languages that have a lexicon."""
    files = [file.name for file in resources.files(__name__).iterdir()]
    return tuple(sorted(name.removesuffix(".toml") for name in files if name.endswith(".toml")))


def load(language: str) -> Lexicon:
    """The lexicon of a BCP-47 language, whatever its region. Raises UnknownLanguageError naming what there is."""
    name = _primary(language)
    if name not in languages():
        raise UnknownLanguageError(
            f"no lexicon for language {language!r}: there is {', '.join(languages())}; "
            f"add timing/lexicon/{name}.toml or set `language` to one of these"
        )
    return _read(name)


def spoken(language: str | None, otherwise: str) -> Lexicon:
    """The lexicon of a dialogue: of the language it says, of ``otherwise`` if it says none, else NO_LANGUAGE."""
    if language is None or language.strip().lower() in NOT_SAID:
        language = otherwise
    return named(_primary(language))


def named(name: str | None) -> Lexicon:
    """The lexicon of a file's name, NO_LANGUAGE where there is no such file."""
    return _read(name) if name in languages() else NO_LANGUAGE


def _primary(language: str) -> str:
    return re.split("[-_]", language.strip(), maxsplit=1)[0].lower()


@cache
def _read(name: str | None) -> Lexicon:
    text = resources.files(__name__).joinpath(f"{name}.toml").read_text(encoding="utf-8")
    return Lexicon.model_validate({"language": name} | tomllib.loads(text))
