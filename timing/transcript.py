"""Words of a batch: which IPU each belongs to, and what a stretch of words asks, closes or leaves open."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from schemas.clock import IntMs, array_to_ms
from timing.intervals import NONE, Index, Mask, Spans, expand, in_order
from timing.lexicon import Lexicon

SENTENCE_END = r"[.?!。？！…][\"'”’)\]]*(?:\s|$)"
LAST_SENTENCE = r"([^.?!。？！…]+[.?!。？！…\"'”’)\]]*)$"
TRAILS_OFF = r"(?:\.\.\.|…|-|—)$"
COMMA = r"[,、，]$"
ASKS = r"[?？]"
ENDS_ASKING = r"[?？][\"'”’)\]]*$"


@dataclass(frozen=True)
class Said:
    """IPUs of both sides of all dialogues, and what was said in them. Everything is aligned with ``ipus``."""

    ipus: Spans
    """Groups are 2 x dialogue + side."""
    text: pl.Series
    """Null for an IPU without words."""
    n_words: Index
    worded: Mask
    """The IPU's side has words somewhere in the dialogue."""
    punctuated: Mask
    """The words of the IPU's side have full stops somewhere in the dialogue."""


@dataclass(frozen=True)
class Words:
    """Undropped words of a batch, sorted by (group, start). ``group`` is a channel of a dialogue."""

    group: Index
    start: IntMs
    end: IntMs
    text: pl.Series

    def __len__(self) -> int:
        return len(self.start)

    def starting_in(self, group: Index, low: IntMs, high: IntMs) -> tuple[Index, Index]:
        """Words that start in the windows ``[low, high)``: number of the window, index of the word."""
        axis = Spans(self.group, self.start, self.end)
        return expand(axis.count_before(group, low), axis.count_before(group, high))


def read_words(frame: pl.DataFrame | None) -> Words:
    """Words from rows of the table ``words`` with a column ``group``; dropped ones are left out. No table, no words."""
    if frame is None:
        none = np.zeros(0, dtype=np.int64)
        return Words(none, none, none, pl.Series(dtype=pl.String))
    frame = frame.filter(pl.col("dropped").is_null()) if frame["dropped"].null_count() < len(frame) else frame
    group = frame["group"].to_numpy().astype(np.int64)
    start = array_to_ms(frame["start_s"].to_numpy())
    end = array_to_ms(frame["end_s"].to_numpy())
    text = frame["text"]
    order = in_order(group, start)
    return Words(group[order], start[order], end[order], text.gather(order))


def assign(words: Words, ipus: Spans) -> Index:
    """Index of the IPU each word overlaps most, else of the nearest on its channel; NONE where the channel has none."""
    best = np.full(len(words), NONE, dtype=np.int64)
    if not len(ipus):
        return best
    score = np.full(len(words), np.iinfo(np.int64).min)
    last = ipus.count_before(words.group, np.maximum(words.end, words.start + 1)) - 1
    for candidate in (last, last - 1, last + 1):
        index = np.clip(candidate, 0, len(ipus) - 1)
        overlap = np.minimum(words.end, ipus.end[index]) - np.maximum(words.start, ipus.start[index])
        better = (index == candidate) & (ipus.group[index] == words.group) & (overlap > score)
        best = np.where(better, candidate, best)
        score = np.where(better, overlap, score)
    return best


def said_in(ipus: Spans, words: Words, owner: Index) -> Said:
    """What was said in the IPUs, given the IPU of every word."""
    text = joined(owner, words.text, len(ipus))
    n_words = np.bincount(owner[owner != NONE], minlength=len(ipus)).astype(np.int64)
    stops = text.str.contains(SENTENCE_END).fill_null(False).to_numpy()
    return Said(ipus, text, n_words, _on_same_side(ipus, n_words > 0), _on_same_side(ipus, stops))


def _on_same_side(ipus: Spans, flag: Mask) -> Mask:
    if not len(ipus):
        return flag
    flagged = np.zeros(int(ipus.group.max()) + 1, dtype=np.bool_)
    flagged[ipus.group[flag]] = True
    return flagged[ipus.group]


def joined(owner: Index, text: pl.Series, n: int) -> pl.Series:
    """Texts put together by owner, in the order given: shape (n,), null for an owner with none.

    Texts whose owner is NONE are left out.
    """
    frame = pl.DataFrame({"owner": owner, "text": text})
    found = (
        frame.filter((pl.col("owner") != NONE) & pl.col("text").is_not_null())
        .group_by("owner", maintain_order=True)
        .agg(pl.col("text").str.join(" "))
    )
    result = np.full(n, -1, dtype=np.int64)
    result[found["owner"].to_numpy()] = np.arange(len(found))
    return found["text"].gather(pl.Series(result, dtype=pl.Int64).replace(-1, None))


def normalised(text: pl.Expr) -> pl.Expr:
    """Lower case, typographic apostrophes made plain, everything but letters, digits and apostrophes a space."""
    return (
        text.str.to_lowercase()
        .str.replace_all("’", "'", literal=True)
        .str.replace_all(r"[^\p{L}\p{N}']+", " ")
        .str.strip_chars(" '")
    )


def only_backchannels(text: pl.Series, lexicon: Lexicon) -> Mask:
    """Which texts are nothing but listener responses. Null is not."""
    answer = pl.DataFrame({"text": text}).select(
        normalised(pl.col("text")).str.contains(lexicon.backchannel_pattern).fill_null(False)
    )
    return np.asarray(answer.to_series().to_numpy(), dtype=np.bool_)


def ends_asking(text: pl.Series, punctuated: Mask, lexicon: Lexicon) -> Mask:
    """Which texts end with a question: by its mark, or by its opening words where the recogniser writes no marks."""
    answer = pl.DataFrame({"text": text, "punctuated": punctuated}).select(
        pl.when(pl.col("punctuated"))
        .then(pl.col("text").str.contains(ENDS_ASKING))
        .otherwise(normalised(pl.col("text")).str.contains(lexicon.question_pattern))
        .fill_null(False)
    )
    return np.asarray(answer.to_series().to_numpy(), dtype=np.bool_)


def traits(text: pl.Series, last_ipu: pl.Series, punctuated: Mask, lexicon: Lexicon) -> pl.DataFrame:
    """What turns say: columns is_question, is_closing, is_complete. Null where words are missing or cannot tell.

    ``last_ipu`` is the text of a turn's last IPU with words: its last sentence, where there are no full stops.
    """
    frame = pl.DataFrame({"text": text, "last_ipu": last_ipu, "punctuated": punctuated})
    marked = pl.col("punctuated")
    asks = pl.col("text").str.contains(ASKS)
    opens_asking = pl.any_horizontal(pl.col("whole", "tail").str.contains(lexicon.question_pattern))
    tail_asks = pl.col("tail").str.contains(lexicon.question_pattern)
    tail = pl.when(marked).then(pl.col("text").str.extract(LAST_SENTENCE)).otherwise(pl.col("last_ipu"))
    closes = pl.any_horizontal(pl.col("tail", "whole").str.contains(lexicon.closing_pattern))
    answers = pl.col("whole").str.contains(lexicon.polite_answer_pattern)
    asks_last = pl.when(marked).then(pl.col("text").str.contains(ENDS_ASKING)).otherwise(tail_asks)
    is_question = pl.when(marked).then(asks).otherwise(opens_asking)
    finished = pl.col("text").str.contains(SENTENCE_END + "$") & ~pl.col("text").str.contains(TRAILS_OFF)
    # "Where are you from" ends as no statement does.
    left_open = pl.col("tail").str.contains(lexicon.unfinished_pattern) & ~tail_asks
    return frame.with_columns(normalised(pl.col("text")).alias("whole"), normalised(tail).alias("tail")).select(
        is_question.alias("is_question"),
        (closes & ~answers & ~asks_last).alias("is_closing"),
        pl.when(marked).then(finished).when(left_open).then(False).otherwise(None).alias("is_complete"),
    )
