"""The turns of a batch as arrays, one side beside the other: what the rules read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from schemas.clock import IntMs, array_to_ms
from timing.batch import CHANNELS, MODEL, USER, by_side, number
from timing.intervals import Index, Spans
from timing.lexicon import Lexicon, named
from timing.transcript import Words, read_words

UNKNOWN = -1
"""Of a trait that words would tell, where they do not."""

Trait = npt.NDArray[np.int8]
"""1 yes, 0 no, UNKNOWN."""


@dataclass(frozen=True)
class Side:
    """One side's turns in all dialogues of a batch; the group of every span is its dialogue's number."""

    turns: Spans
    """Utterances."""
    turn_index: Index
    speech: Spans
    """IPUs of the utterances."""
    of_speech: Index
    """Utterance (position in ``turns``) of every IPU."""
    backchannels: Spans
    backchannel_index: Index
    text: pl.Series
    n_words: Index
    """UNKNOWN where the side has no words at all."""
    question: Trait
    closing: Trait
    complete: Trait


@dataclass(frozen=True)
class Talk:
    """Dialogues that share a lexicon: length of each log in ms, both sides, and words where they are known."""

    duration: IntMs
    model: Side
    user: Side
    words: Words
    lexicon: Lexicon


def lexicons(turns: pl.DataFrame) -> list[tuple[Lexicon, list[str]]]:
    """The lexicons by which rows of the table ``turns`` were made, and the dialogues of each; none without turns."""
    groups = turns.group_by("lexicon").agg(pl.col("dialogue_id").unique().sort()).sort("lexicon")
    return [(named(name), ids) for name, ids in groups.rows()]


def read_talk(
    activity: pl.DataFrame,
    turns: pl.DataFrame,
    words: pl.DataFrame | None,
    dialogue_ids: Sequence[str],
    lexicon: Lexicon,
) -> Talk:
    """Arrays from rows of the tables ``activity``, ``turns`` and ``words``."""
    duration = np.zeros(len(dialogue_ids), dtype=np.int64)
    logs = number(activity, dialogue_ids)
    duration[logs["dialogue"].to_numpy()] = array_to_ms(logs["duration_s"].to_numpy())
    turns = number(turns, dialogue_ids).sort("dialogue", "turn_index")
    model, user = (_side(turns.filter(pl.col("channel") == CHANNELS[side])) for side in (MODEL, USER))
    heard = read_words(by_side(number(words, dialogue_ids)) if words is not None else None)
    return Talk(duration, model, user, heard, lexicon)


def _side(rows: pl.DataFrame) -> Side:
    is_utterance = (rows["kind"] == "utterance").to_numpy()
    utterances, aside = rows.filter(is_utterance), rows.filter(~is_utterance)
    ipus = utterances.select("dialogue", "ipus", pl.int_range(pl.len()).alias("turn")).explode("ipus").unnest("ipus")
    return Side(
        turns=_spans(utterances),
        turn_index=_ints(utterances, "turn_index"),
        speech=_spans(ipus),
        of_speech=_ints(ipus, "turn"),
        backchannels=_spans(aside),
        backchannel_index=_ints(aside, "turn_index"),
        text=utterances["text"],
        n_words=utterances["n_words"].fill_null(UNKNOWN).to_numpy(),
        question=_trait(utterances, "is_question"),
        closing=_trait(utterances, "is_closing"),
        complete=_trait(utterances, "is_complete"),
    )


def _spans(rows: pl.DataFrame) -> Spans:
    return Spans(
        _ints(rows, "dialogue"), array_to_ms(rows["start_s"].to_numpy()), array_to_ms(rows["end_s"].to_numpy())
    )


def _ints(rows: pl.DataFrame, column: str) -> Index:
    return rows[column].to_numpy().astype(np.int64)


def _trait(rows: pl.DataFrame, column: str) -> Trait:
    return rows[column].cast(pl.Int8).fill_null(UNKNOWN).to_numpy()
