"""What is known of a language where replies are spoken in it: one TOML file per language."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources

_TAG = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*")


@dataclass(frozen=True)
class Language:
    """A language. Words are lower case; abbreviations and stage words are regular expressions.

    ``scripts``: first words of the Unicode names of its letters; none: any. ``only``: those of which a text must hold
    some. ``chars_per_word``: for languages that write no spaces; 0: words stand between spaces.
    """

    tag: str
    name: str
    scripts: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    chars_per_word: int = 0
    common: frozenset[str] = frozenset()
    acronyms: frozenset[str] = frozenset()
    abbreviations: tuple[str, ...] = ()
    stage_words: tuple[str, ...] = ()


@lru_cache(maxsize=1024)
def language(tag: str) -> Language:
    """The language of a BCP-47 tag. One without a file is known by its tag alone; what is no tag is English."""
    if _TAG.fullmatch(tag) is None:
        return language("en")
    base = tag.split("-", maxsplit=1)[0].lower()
    return known().get(base, Language(base, f"the language with the tag {base}"))


@cache
def known() -> dict[str, Language]:
    """Every language that has a file."""
    found = {}
    for entry in resources.files("judges.languages").iterdir():
        if entry.name.endswith(".toml"):
            tag = entry.name.removesuffix(".toml")
            data = tomllib.loads(entry.read_text(encoding="utf-8"))
            sets = {key: frozenset(data.pop(key, ())) for key in ("common", "acronyms")}
            lists = {key: tuple(value) for key, value in data.items() if isinstance(value, list)}
            found[tag] = Language(tag, **{**data, **lists, **sets})
    return dict(sorted(found.items()))
