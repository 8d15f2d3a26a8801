"""What a language says of its words: how fast they come, how long they last, and what recognisers write on silence.

One TOML file per language lies in ``languages/``. Length of a text is counted in letters, whatever its script: a kana
is two letters, a hangul syllable three, a Chinese character four, a digit five ("seven").
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict, PositiveFloat

from schemas.clock import Seconds

DEFAULT = "default"
_SMALL_KANA = "ぁぃぅぇぉゃゅょゎァィゥェォャュョヮ"
_WEIGHTS = {
    r"\p{L}": 1,
    r"[\p{Hiragana}\p{Katakana}]": 1,
    f"[{_SMALL_KANA}]": -2,
    r"ー": 1,
    r"\p{Hangul}": 2,
    r"\p{Han}": 3,
    r"\p{Nd}": 5,
}
"""Letters added by each character that matches: every kind of letter counts one, those that hold more add the rest."""


class Language(BaseModel):
    """One language's file (``languages/default.toml`` says what each key means)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    usual_letters_per_s: PositiveFloat
    slowest_letters_per_s: PositiveFloat
    fastest_letters_per_s: PositiveFloat
    impossible_letters_per_s: PositiveFloat
    impossible_words_per_s: float
    longest_word_s: PositiveFloat
    longest_letter_s: PositiveFloat
    silence_phrases: tuple[str, ...]
    silence_openings: tuple[str, ...]


@cache
def languages() -> dict[str, Language]:
    """Every language that has a file, by its BCP-47 primary subtag, and ``default``."""
    files = (file for file in resources.files(__package__).joinpath("languages").iterdir() if file.name[-5:] == ".toml")
    return {
        file.name.removesuffix(".toml"): Language.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
        for file in sorted(files, key=lambda file: file.name)
    }


def of_dialogues(words: pl.DataFrame, dialogues: pl.DataFrame, key: str) -> Seconds:
    """A number of the language of every word, shape (n,).

    ``dialogues`` has dialogue_id and language (a BCP-47 tag or null); ``key`` names a number of ``Language``.
    """
    values = {name: float(getattr(language, key)) for name, language in languages().items()}
    primary = pl.col("language").str.to_lowercase().str.split("-").list.first()
    numbers = dialogues.select(
        "dialogue_id", primary.replace_strict(values, default=values[DEFAULT], return_dtype=pl.Float64).alias("number")
    )
    joined = words.select("dialogue_id").join(numbers, on="dialogue_id", how="left", maintain_order="left")
    return np.asarray(joined["number"].fill_null(values[DEFAULT]).to_numpy(), dtype=np.float64)


def letters(text: pl.Series) -> Seconds:
    """Length of every text in letters, shape (n,); each different text is looked at once."""
    once = pl.DataFrame({"text": text.unique()})
    counts = [pl.col("text").str.count_matches(pattern).cast(pl.Float64) * n for pattern, n in _WEIGHTS.items()]
    once = once.with_columns(pl.sum_horizontal(counts).alias("letters"))
    joined = text.to_frame("text").join(once, on="text", how="left", maintain_order="left")
    return np.asarray(joined["letters"].to_numpy(), dtype=np.float64)


def plain(text: pl.Expr) -> pl.Expr:
    """Text without case, spaces and punctuation: letters and digits alone."""
    return text.str.to_lowercase().str.replace_all(r"[^\p{L}\p{M}\p{Nd}]+", "")


@cache
def silence_pattern() -> str:
    """Matches a plain text that is nothing but known phrases on silence, or begins as one.

    Of all languages at once: on silence recognisers mistake the language too.
    """
    phrases = [phrase for language in languages().values() for phrase in language.silence_phrases]
    openings = [opening for language in languages().values() for opening in language.silence_openings]
    known = [
        pl.select(plain(pl.lit(pl.Series(texts, dtype=pl.String)))).to_series().unique().sort().to_list()
        for texts in (phrases, openings)
    ]
    # Letters and digits alone are left, so that nothing needs escaping.
    return f"^(?:{'|'.join(known[0])})+$|^(?:{'|'.join(known[1])})"
