"""Loops: a phrase said over and over, inside one reply or from reply to reply."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from judges.heuristic.config import LoopConfig
from judges.heuristic.context import marked, normalised
from judges.heuristic.lexicon import Lexicon

Ints = NDArray[np.int64]
_FOUND = pl.Schema({"row": pl.UInt32(), "times": pl.Int64(), "phrase": pl.String()})
_SENTENCE = r"[.!?…。！？]+"
_NUMBER = r"^(?:\d+|[a-z])$"


def find_loops(replies: pl.DataFrame, lexicon: Lexicon | None, config: LoopConfig) -> pl.DataFrame:
    """Columns ``loop_times`` (Int64) and ``loop`` (String): how often what is said, null where nothing loops.

    ``replies`` are those of ``context.replies_in_context``, and the rows come in the same order.
    """
    asked = normalised(pl.col("asked").fill_null(""))
    wanted = asked.str.contains(lexicon.repeat_request_pattern) if lexicon else pl.lit(False)
    limits = replies.select("row", wanted=wanted)
    found = pl.concat(
        [_inside(replies, lexicon, config), _sentences(replies, config), _monotonous(replies, lexicon, config)]
    )
    enough = ~pl.col("wanted") | (pl.col("times") >= config.asked_times)
    inside = found.join(limits, on="row").filter(enough).drop("wanted")
    best = (
        pl.concat([inside, _from_reply_to_reply(replies, lexicon, config)])
        .sort("row", "times", descending=[False, True], maintain_order=True)
        .unique("row", keep="first", maintain_order=True)
    )
    return (
        replies.select("row")
        .join(best, on="row", how="left", maintain_order="left")
        .select(loop_times="times", loop="phrase")
    )


def _tokens(replies: pl.DataFrame, lexicon: Lexicon | None) -> pl.DataFrame:
    """One row per word (per character where words do not stand apart): ``row``, ``token``."""
    spaced = lexicon is None or lexicon.spaced
    said = normalised(pl.col("text"))
    listed = said.str.split(" ") if spaced else said.str.replace_all(" ", "").str.split("")
    return replies.select("row", token=listed).explode("token").filter(pl.col("token") != "")


def _inside(replies: pl.DataFrame, lexicon: Lexicon | None, config: LoopConfig) -> pl.DataFrame:
    tokens = _tokens(replies, lexicon)
    if tokens.is_empty():
        return _FOUND.to_frame()
    spaced = lexicon is None or lexicon.spaced
    weight = 1.0 if spaced else 1 / config.word_characters
    code = tokens["token"].rank("dense").cast(pl.Int64).to_numpy()
    owner = tokens["row"].cast(pl.Int64).to_numpy()
    length = np.bincount(owner, minlength=replies.height)
    often = tokens.select(
        pl.col("token").is_in(lexicon.repeatable if lexicon else []) | pl.col("token").str.contains(_NUMBER)
    )
    repeatable = np.concatenate([[0], np.cumsum(often.to_series().to_numpy())])
    starts: list[pl.DataFrame] = []
    for period in range(1, int(config.longest_phrase / weight) + 1):
        start, run = _runs((code[period:] == code[:-period]) & (owner[period:] == owner[:-period]))
        times = (run + period) // period
        share = (run + period) / length[owner[start]] if len(start) else np.zeros(0)
        keep = times >= _least_times(period * weight, share, config)
        start, times = start[keep], times[keep]
        usual = repeatable[start + period] - repeatable[start] > config.repeatable_share * period
        keep = ~usual | (times >= config.repeatable_times)
        start, times = start[keep], times[keep]
        starts.append(
            pl.DataFrame({"row": owner[start], "start": start, "times": times, "period": np.full(len(start), period)})
        )
    found = pl.concat(starts).sort("row", "period").unique("row", keep="first", maintain_order=True)
    words = tokens["token"].to_list() if found.height else []
    glue = " " if spaced else ""
    phrases = [glue.join(words[s : s + p]) for s, p in zip(found["start"], found["period"], strict=True)]
    return found.select("row", "times").with_columns(phrase=pl.Series(phrases, dtype=pl.String)).cast(_FOUND)


def _runs(same: NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """Start and length of every stretch of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], same, [False]]).astype(np.int8)))
    return edges[::2].astype(np.int64), (edges[1::2] - edges[::2]).astype(np.int64)


def _least_times(words: float, share: NDArray[np.float64], config: LoopConfig) -> NDArray[np.float64]:
    """How often a phrase of so many words, that makes up this share of its reply, must come."""
    if words < 2:
        return np.full(
            len(share), float(config.word_times / max(words, 0.5)) if words < 1 else float(config.word_times)
        )
    if words < 3:
        return np.full(len(share), float(config.pair_times))
    if words >= config.long_words:
        return np.full(len(share), 2.0)
    twice = (share >= config.whole_share) & (words >= config.whole_words)
    return np.where(twice, 2.0, float(config.short_times))


def _sentences(replies: pl.DataFrame, config: LoopConfig) -> pl.DataFrame:
    """Sentences that come again and again with others between them."""
    said = replies.select("row", said=pl.col("text").str.replace_all(_SENTENCE, "\n").str.split("\n")).explode("said")
    said = said.with_columns(phrase=normalised(pl.col("said")))
    words = pl.col("phrase").str.count_matches(" ") + 1
    return (
        said.filter(words >= config.sentence_words)
        .group_by("row", "phrase", maintain_order=True)
        .agg(times=pl.len().cast(pl.Int64))
        .filter(pl.col("times") >= config.short_times)
        .select("row", "times", "phrase")
        .cast(_FOUND)
    )


def _monotonous(replies: pl.DataFrame, lexicon: Lexicon | None, config: LoopConfig) -> pl.DataFrame:
    """Long replies with few different word triples: loops that drift."""
    if lexicon is not None and not lexicon.spaced:
        return _FOUND.to_frame()
    token = pl.col("token")
    plain = _tokens(replies, lexicon).filter(
        ~token.is_in(lexicon.repeatable if lexicon else []) & ~token.str.contains(_NUMBER)
    )
    triple = pl.concat_str(token, token.shift(-1), token.shift(-2), separator=" ").over("row")
    triples = plain.with_columns(phrase=triple).drop_nulls("phrase")
    counted = triples.group_by("row", maintain_order=True).agg(
        pl.len().alias("n"), pl.col("phrase").n_unique().alias("different"), pl.col("phrase").mode().sort().first()
    )
    few = (pl.col("n") + 2 >= config.varied_words) & (pl.col("different") < config.varied_share * pl.col("n"))
    often = triples.group_by("row", "phrase").agg(times=pl.len().cast(pl.Int64))
    return counted.filter(few).join(often, on=["row", "phrase"]).select("row", "times", "phrase").cast(_FOUND)


def _from_reply_to_reply(replies: pl.DataFrame, lexicon: Lexicon | None, config: LoopConfig) -> pl.DataFrame:
    """Replies in the words of the one before, though the user has said something else, or nothing, in between."""
    said = normalised(pl.col("text"))
    again = said == normalised(pl.col("said_before"))
    asked, asked_before = normalised(pl.col("asked")), normalised(pl.col("asked_before"))
    words = said.str.count_matches(" ") + 1
    is_question = pl.col("text").str.contains(r"[?？]")
    other = ~pl.col("same_run") & (words >= config.reply_words) & (asked != asked_before).fill_null(True) & ~is_question
    if lexicon is not None:
        other &= ~said.str.contains(lexicon.canned_pattern)
        other &= ~asked.fill_null("").str.contains(lexicon.again_request_pattern)
    same = again & ((pl.col("same_run") & (words >= config.run_words)) | other)
    return (
        replies.filter(same.fill_null(False))
        .select(
            "row",
            times=pl.lit(2, dtype=pl.Int64),
            phrase=marked(pl.col("text")).str.replace_all(r" ?\| ?", " ").str.strip_chars(),
        )
        .cast(_FOUND)
    )
