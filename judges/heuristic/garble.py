"""Replies that are no language: no letters, leftovers of tokenizers and encodings, another script, letter salad."""

from __future__ import annotations

import polars as pl

from judges.heuristic.config import GarbleConfig
from judges.heuristic.context import normalised
from judges.heuristic.lexicon import Lexicon

_DEBRIS = (
    r"(<\|[^|>]{0,40}\|>|</?s>|<(?:unk|pad|bos|eos|mask|eot|sep)>|\[(?:unk|pad|mask|sep|cls|bos|eos)\]|\u2581|\u0120\w"
    r"|##[a-z]+|\ufffd|[ÃÂ][\u0080-\u00bf]|â€|\\u[0-9a-f]{4}|\\n|\x00)"
)
_CONSONANTS = r"^[bcdfghjklmnpqrstvwxz']{5,}$|[bcdfghjklmnpqrstvwxz]{6,}"
_INTERJECTION = r"^(?:h*m+|s+h+|b*r+|p+s+t+|p+f+t*|g*r+|z+|hm+ph|t+s+k+)$"
_LONGEST_INTERJECTION = 8
_STUTTER = "|".join(f"{letter}{{5,}}" for letter in "abcdefghijklmnopqrstuvwxyz")
_MIXED = r"^(?:[a-z]+\d+[a-z]+\d*|\d+[a-z]{2,}\d+\w*)$"


def find_garble(replies: pl.DataFrame, lexicon: Lexicon | None, config: GarbleConfig) -> pl.DataFrame:
    """Columns ``empty`` (Boolean) and ``garble`` (String): why the reply is no language, null where it is one."""
    lower = pl.col("text").str.to_lowercase()
    words = lower.str.extract_all(r"[\p{L}\p{M}\p{N}']+")
    is_salad = (
        pl.element().str.contains(f"{_CONSONANTS}|{_STUTTER}|{_MIXED}")
        & ~(pl.element().str.contains(_INTERJECTION) & (pl.element().str.len_chars() <= _LONGEST_INTERJECTION))
    ) | (pl.element().str.len_chars() > 30)
    counts = replies.select(
        letters=pl.col("text").str.count_matches(r"\p{L}"),
        signs=pl.col("text").str.count_matches(r"[\p{L}\p{N}]"),
        debris=lower.str.extract(f"(?i){_DEBRIS}", 1),
        n_words=words.list.len(),
        n_salad=words.list.eval(is_salad).list.sum(),
        **_foreign(lexicon),
    )
    salad = (pl.col("n_salad") >= config.salad_words) & (pl.col("n_salad") >= config.salad_share * pl.col("n_words"))
    foreign = (pl.col("letters") >= config.foreign_letters) & (
        pl.col("foreign") > config.foreign_share * pl.col("letters")
    )
    return counts.select(
        empty=pl.col("signs") == 0,
        garble=pl.when(pl.col("debris").is_not_null())
        .then(pl.format("holds leftovers of a tokenizer or encoding ({})", "debris"))
        .when(foreign & ~pl.col("wanted"))
        .then(pl.lit("is written in a script that this language is not"))
        .when(salad & ((pl.lit(lexicon is None)) | ~foreign))
        .then(pl.lit("is letters that make no words")),
    )


def _foreign(lexicon: Lexicon | None) -> dict[str, pl.Expr]:
    """Letters in other scripts, and whether the user asked for or used them."""
    if lexicon is None:
        return {"foreign": pl.lit(0), "wanted": pl.lit(False)}
    own = "".join(rf"\p{{{script}}}" for script in lexicon.scripts)
    other = rf"[\p{{L}}--[{own}\p{{Common}}\p{{Inherited}}]]"
    asked = pl.col("asked").fill_null("")
    wanted = normalised(asked).str.contains(lexicon.foreign_request_pattern) | asked.str.contains(other)
    return {"foreign": pl.col("text").str.count_matches(other), "wanted": wanted}
