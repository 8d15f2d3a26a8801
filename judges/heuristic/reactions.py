"""The user's own next words: complaints, requests made again, thanks (after WildFeedback, arXiv 2408.15549)."""

from __future__ import annotations

import polars as pl

from judges.heuristic.config import ReactionConfig
from judges.heuristic.context import normalised
from judges.heuristic.lexicon import Lexicon


def find_reactions(replies: pl.DataFrame, lexicon: Lexicon, config: ReactionConfig) -> pl.DataFrame:
    """Columns ``complaint``, ``restated`` (String: the user's words) and ``content`` (Boolean).

    ``complaint``: about the reply. ``restated``: the user says again what was asked for, in the same words or as such.
    """
    said = replies.select(
        next=normalised(pl.col("reaction").fill_null("")),
        asked=normalised(pl.col("asked").fill_null("")),
        is_question=pl.col("text").str.contains(r"[?？]"),
        wanted_again=normalised(pl.col("text")).str.contains(lexicon.canned_pattern),
    )
    first_words = (
        pl.col("next").str.extract(rf"^((?:\S+ ?){{1,{config.complaint_words}}})", 1).fill_null("").str.strip_chars()
    )
    said = said.with_columns(
        complaint=pl.coalesce(
            pl.col("next").str.extract(lexicon.complaint_pattern, 1),
            first_words.str.extract(lexicon.strong_complaint_pattern, 1),
        ),
        instruction=pl.col("next").str.extract(lexicon.instruction_pattern, 1),
        content=pl.col("next").str.contains(lexicon.thanks_pattern),
        repeated=_same_request(lexicon, config),
    )
    asked_back = pl.col("is_question") | pl.col("wanted_again")
    restated = (
        pl.when(pl.col("repeated") & ~asked_back).then("next").otherwise(pl.when(~asked_back).then("instruction"))
    )
    return said.select(
        complaint=pl.when(pl.col("complaint") != "").then("complaint"),
        restated=restated,
        content=pl.col("content") & pl.col("complaint").is_null() & pl.col("instruction").is_null(),
    )


def _same_request(lexicon: Lexicon, config: ReactionConfig) -> pl.Expr:
    def content(column: str) -> pl.Expr:
        text = pl.col(column)
        listed = text.str.split(" ") if lexicon.spaced else text.str.replace_all(" ", "").str.split("")
        return listed.list.set_difference(pl.lit(["", *lexicon.stopwords]))

    both = content("next").list.set_intersection(content("asked")).list.len()
    new = content("next").list.len()
    same = (both >= config.request_words) & (both >= config.same_request * new)
    words = pl.col("next").str.count_matches(" ") + 1 if lexicon.spaced else pl.col("next").str.len_chars()
    return same | ((words >= config.request_words) & pl.col("asked").str.ends_with(pl.col("next")))
