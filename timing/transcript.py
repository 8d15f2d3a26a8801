"""Words of a batch: which IPU each belongs to, and what a stretch of words asks, closes or leaves open."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from schemas.clock import IntMs, array_to_ms
from timing.intervals import NONE, Index, Mask, Spans, expand, in_order
from timing.lexicon import Lexicon

SENTENCE_END = r"(?:[。？！][\"'”’)\]」』]*|[.?!…][\"'”’)\]]*(?:\s|$))"
LAST_SENTENCE = r"([^.?!。？！…]+[.?!。？！…\"'”’)\]」』]*)$"
TRAILS_OFF = r"(?:\.\.\.|…|-|—)$"
COMMA = r"[,、，]$"
ASKS = r"[?？]"
ENDS_ASKING = r"[?？][\"'”’)\]」』]*$"


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


def said_in(ipus: Spans, words: Words, owner: Index, joiner: str = " ") -> Said:
    """What was said in the IPUs, given the IPU of every word."""
    text = joined(owner, words.text, len(ipus), joiner)
    n_words = np.bincount(owner[owner != NONE], minlength=len(ipus)).astype(np.int64)
    stops = text.str.contains(SENTENCE_END).fill_null(False).to_numpy()
    return Said(ipus, text, n_words, _on_same_side(ipus, n_words > 0), _on_same_side(ipus, stops))


def _on_same_side(ipus: Spans, flag: Mask) -> Mask:
    if not len(ipus):
        return flag
    flagged = np.zeros(int(ipus.group.max()) + 1, dtype=np.bool_)
    flagged[ipus.group[flag]] = True
    return flagged[ipus.group]


def joined(owner: Index, text: pl.Series, n: int, joiner: str = " ") -> pl.Series:
    """Texts put together by owner, in the order given: shape (n,), null for an owner with none.

    Texts whose owner is NONE are left out.
    """
    frame = pl.DataFrame({"owner": owner, "text": text})
    found = (
        frame.filter((pl.col("owner") != NONE) & pl.col("text").is_not_null())
        .group_by("owner", maintain_order=True)
        .agg(pl.col("text").str.join(joiner))
    )
    result = np.full(n, -1, dtype=np.int64)
    result[found["owner"].to_numpy()] = np.arange(len(found))
    return found["text"].gather(pl.Series(result, dtype=pl.Int64).replace(-1, None))


def normalised(text: pl.Expr, joiner: str = " ") -> pl.Expr:
    """Lower case, typographic apostrophes made plain, everything but letters, digits and apostrophes a space.

    Without a joiner nothing stands for it, and letters that look alike at other widths are made one.
    """
    if not joiner:
        return text.str.normalize("NFKC").str.to_lowercase().str.replace_all(r"[^\p{L}\p{N}]+", "")
    return (
        text.str.to_lowercase()
        .str.replace_all("’", "'", literal=True)
        .str.replace_all(r"[^\p{L}\p{N}']+", " ")
        .str.strip_chars(" '")
    )


def matches(text: pl.Series, pattern: str, joiner: str) -> Mask:
    """Which texts match a lexicon's pattern. Null does not."""
    answer = pl.DataFrame({"text": text}).select(
        normalised(pl.col("text"), joiner).str.contains(pattern).fill_null(False)
    )
    return np.asarray(answer.to_series().to_numpy(), dtype=np.bool_)


def only_backchannels(text: pl.Series, lexicon: Lexicon) -> Mask:
    """Which texts are nothing but listener responses. Null is not."""
    return matches(text, lexicon.backchannel_pattern, lexicon.joiner)


def says_nothing(text: pl.Series, lexicon: Lexicon) -> Mask:
    """Which texts are nothing but listener responses and hesitations. Null is not."""
    return matches(text, lexicon.idle_pattern, lexicon.joiner)


def ends_asking(text: pl.Series, punctuated: Mask, lexicon: Lexicon) -> Mask:
    """Which texts end with a question: by its mark or ending, or by its opening words where there are no marks."""
    plain = normalised(pl.col("text"), lexicon.joiner)
    by_mark = pl.col("text").str.contains(ENDS_ASKING) | plain.str.contains(lexicon.question_end_pattern)
    answer = pl.DataFrame({"text": text, "punctuated": punctuated}).select(
        pl.when(pl.col("punctuated"))
        .then(by_mark)
        .otherwise(plain.str.contains(lexicon.question_pattern))
        .fill_null(False)
    )
    return np.asarray(answer.to_series().to_numpy(), dtype=np.bool_)


def traits(text: pl.Series, last_ipu: pl.Series, punctuated: Mask, lexicon: Lexicon) -> pl.DataFrame:
    """What turns say: columns is_question, is_closing, is_complete. Null where words are missing or cannot tell.

    ``last_ipu`` is the text of a turn's last IPU with words: its last sentence, where there are no full stops.
    """
    frame = pl.DataFrame({"text": text, "last_ipu": last_ipu, "punctuated": punctuated})
    marked, known = pl.col("punctuated"), pl.lit(bool(lexicon.language))
    whole, tail = pl.col("whole"), pl.col("tail")
    opens_asking = pl.any_horizontal(pl.col("whole", "tail").str.contains(lexicon.question_pattern))
    tail_asks = tail.str.contains(lexicon.question_pattern)
    marked_asks = pl.col("text").str.contains(ASKS) | tail.str.contains(lexicon.question_end_pattern)
    marked_asks_last = pl.col("text").str.contains(ENDS_ASKING) | tail.str.contains(lexicon.question_end_pattern)
    last = pl.when(marked).then(pl.col("text").str.extract(LAST_SENTENCE)).otherwise(pl.col("last_ipu"))

    closes = pl.any_horizontal(pl.col("tail", "whole").str.contains(lexicon.closing_pattern))
    closes |= ~marked & whole.str.contains(lexicon.misheard_closing_pattern)
    answers = whole.str.contains(lexicon.polite_answer_pattern)
    asks_last = pl.when(marked).then(marked_asks_last).otherwise(tail_asks)
    finished = pl.col("text").str.contains(SENTENCE_END + "$") & ~pl.col("text").str.contains(TRAILS_OFF)
    # "Where are you from" ends as no statement does, "yes it is" as an answer may.
    left_open = tail.str.contains(lexicon.unfinished_pattern) & ~tail_asks
    left_open &= ~tail.str.contains(lexicon.finished_pattern)
    return frame.with_columns(
        normalised(pl.col("text"), lexicon.joiner).alias("whole"), normalised(last, lexicon.joiner).alias("tail")
    ).select(
        pl.when(marked).then(marked_asks).when(known).then(opens_asking).otherwise(None).alias("is_question"),
        pl.when(known).then(closes & ~answers & ~asks_last).otherwise(None).alias("is_closing"),
        pl.when(marked).then(finished).when(left_open).then(False).otherwise(None).alias("is_complete"),
    )
