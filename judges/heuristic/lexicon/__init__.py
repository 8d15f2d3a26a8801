"""What a language says: abuse, complaints, repetition that is meant. One TOML file per language lies beside this."""

from __future__ import annotations

import re
import tomllib
from functools import cache, cached_property
from importlib import resources

from pydantic import BaseModel, ConfigDict

from schemas.ids import bytes_hash

_NOTHING = r"[^\s\S]"
_SLOT = re.compile("<([a-z_]+)>")


class Lexicon(BaseModel):
    """Expressions of one language over text as ``judges.heuristic.context.normalised`` makes it."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    classes: dict[str, tuple[str, ...]]
    """Word classes by name. Any entry of any list may hold <name> of a class; so may an entry of a class."""
    spaced: bool
    """Words stand apart; without, expressions match anywhere."""
    scripts: tuple[str, ...]
    """Unicode scripts the language is written in."""
    obscene: tuple[str, ...]
    """Abuse whoever it is said of, except where the talk is about the word."""
    insults: tuple[str, ...]
    """Abuse when it is said of the user."""
    strong: tuple[str, ...]
    """Abuse in any sentence without an excuse."""
    excuses: tuple[str, ...]
    """What makes a sentence one about a word, a work, oneself or somebody else."""
    reports: tuple[str, ...]
    """Somebody else said it."""
    names: tuple[str, ...]
    """Insults by which somebody is addressed."""
    things: tuple[str, ...]
    """What of the user's may be insulted."""
    soft: tuple[str, ...]
    """What may stand before an insult."""
    addressed: tuple[str, ...]
    """How an insult is said of the user; may hold <insult>, <name>, <thing> and <soft>."""
    hostile: tuple[str, ...]
    """Abuse without a word of abuse in it."""
    curt: tuple[str, ...]
    """Dismissive: a fault of tone and no abuse."""
    innocent: tuple[str, ...]
    """Looks like one of the above and is none."""
    denials: tuple[str, ...]
    """Begin a sentence that takes back the question before it."""
    mention_requests: tuple[str, ...]
    """The user asks about words."""
    repeat_requests: tuple[str, ...]
    """The user asks for something that repeats itself."""
    again_requests: tuple[str, ...]
    """The user wants the last reply once more."""
    repeatable: tuple[str, ...]
    """Words that people do say several times in a row."""
    canned: tuple[str, ...]
    """Whole replies that rightly come in the same words again."""
    foreign_requests: tuple[str, ...]
    """The user asks for another language."""
    reaction_leads: tuple[str, ...]
    """What may come before a complaint."""
    complaints: tuple[str, ...]
    """Complaints about the last reply, at the beginning of what the user says next."""
    strong_complaints: tuple[str, ...]
    """Complaints anywhere in it."""
    instructions: tuple[str, ...]
    """The user says again what was asked for."""
    thanks: tuple[str, ...]
    """The user is content."""
    stopwords: tuple[str, ...]
    """Words that do not make two requests the same."""

    @cached_property
    def obscene_pattern(self) -> str:
        """One group: what was said."""
        return self._whole(self.obscene)

    @cached_property
    def abuse_pattern(self) -> str:
        """One group: an insult that is said of the user, or a hostile phrase."""
        return self._whole(self.addressed + self.hostile)

    @cached_property
    def any_abuse_pattern(self) -> str:
        """One group: any insult, whoever it is said of."""
        return self._whole(self.obscene + self.hostile + self.names + self.insults + self.strong)

    @cached_property
    def vocative_pattern(self) -> str:
        """One group: an insult as a form of address, over text with its breaks marked ``|``."""
        return rf"\| ({self._filled('<name>')}) \|"

    @cached_property
    def curt_pattern(self) -> str:
        """One group: a dismissive phrase."""
        return self._whole(self.curt)

    @cached_property
    def innocent_pattern(self) -> str:
        """What is taken out before abuse is looked for."""
        return self._whole(self.innocent)

    @cached_property
    def strong_pattern(self) -> str:
        """One group: a word that is abuse without an excuse."""
        return self._whole(self.strong)

    @cached_property
    def excuse_pattern(self) -> str:
        """The sentence is about a word, a work, oneself or somebody else."""
        return self._whole(self.excuses)

    @cached_property
    def report_pattern(self) -> str:
        """Somebody else said it."""
        return self._whole(self.reports)

    @cached_property
    def denial_pattern(self) -> str:
        """The sentence takes back the question before it."""
        end = "(?: |$)" if self.spaced else ""
        return f"^(?:{_any(self.denials)}){end}"

    @cached_property
    def mention_request_pattern(self) -> str:
        """The user asks about words."""
        return self._whole(self.mention_requests)

    @cached_property
    def repeat_request_pattern(self) -> str:
        """The user asks for repetition."""
        return self._whole(self.repeat_requests)

    @cached_property
    def again_request_pattern(self) -> str:
        """The user wants the last reply once more."""
        return self._whole(self.again_requests)

    @cached_property
    def canned_pattern(self) -> str:
        """The whole reply is a set phrase."""
        return f"^(?:{_any(self.canned)})$"

    @cached_property
    def foreign_request_pattern(self) -> str:
        """The user asks for another language."""
        return self._whole(self.foreign_requests)

    @cached_property
    def complaint_pattern(self) -> str:
        """One group: a complaint."""
        gap = " " if self.spaced else " ?"
        leads = f"(?:{_any(self.reaction_leads)}){gap}"
        end = "(?: |$)" if self.spaced else ""
        return f"^(?:{leads})*({_any(self.complaints)}){end}"

    @cached_property
    def strong_complaint_pattern(self) -> str:
        """One group: a complaint, wherever it stands."""
        return self._whole(self.strong_complaints)

    @cached_property
    def instruction_pattern(self) -> str:
        """One group: the user says again what was asked for."""
        gap = " " if self.spaced else " ?"
        end = "(?: |$)" if self.spaced else ""
        return f"^(?:(?:{_any(self.reaction_leads)}){gap})*({_any(self.instructions)}){end}"

    @cached_property
    def thanks_pattern(self) -> str:
        """The user is content."""
        end = "(?: |$)" if self.spaced else ""
        return f"^(?:(?:{_any(self.reaction_leads)}) ?)*({_any(self.thanks)}){end}"

    def _whole(self, entries: tuple[str, ...]) -> str:
        found = "|".join(self._filled(entry) for entry in entries) or _NOTHING
        return f"(?:^| )({found})(?: |$)" if self.spaced else f"({found})"

    def _filled(self, entry: str) -> str:
        return _SLOT.sub(lambda slot: f"(?:{self._filled(_any(self._words(slot[1])))})", entry)

    def _words(self, slot: str) -> tuple[str, ...]:
        own = {"insult": self.insults, "name": self.names, "thing": self.things, "soft": self.soft}
        return own[slot] if slot in own else self.classes[slot]


def _any(entries: tuple[str, ...]) -> str:
    # An empty alternation would match everywhere; this class matches nowhere.
    return "|".join(entries) or _NOTHING


def languages() -> list[str]:
    """Languages that have a lexicon."""
    return sorted(f.name.removesuffix(".toml") for f in resources.files(__name__).iterdir() if f.name.endswith(".toml"))


def lexicons_hash() -> str:
    """Hash of the files of all languages: what they say can change a verdict."""
    return bytes_hash(*(_bytes(language) for language in languages()))


@cache
def load(language: str) -> Lexicon | None:
    """The lexicon of a BCP-47 language, whatever its region; none where there is no file for it."""
    name = re.split("[-_]", language.lower(), maxsplit=1)[0]
    if name not in languages():
        return None
    return Lexicon.model_validate(tomllib.loads(_bytes(name).decode()))


def _bytes(language: str) -> bytes:
    return resources.files(__name__).joinpath(f"{language}.toml").read_bytes()
