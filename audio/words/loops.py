"""Phrases said several times in a row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from audio.words.said import Index, Said


@dataclass(frozen=True)
class Loops:
    """Loops of one length: each is ``repeats`` times the same ``words`` words from word ``first`` on, to ``stop``."""

    words: int
    first: Index
    stop: Index
    """First word after the loop, a last incomplete round included."""
    repeats: Index


def loops(said: Said, words: int, at_least: int) -> Loops:
    """Every place where the same ``words`` words come ``at_least`` times in a row on one channel."""
    again = np.flatnonzero(
        (said.token[words:] == said.token[:-words]) & (said.group[words:] == said.group[:-words])
        if len(said) > words
        else np.zeros(0, dtype=np.bool_)
    )
    opens = np.flatnonzero(np.append(True, np.diff(again) != 1)[: len(again)])
    length = np.diff(np.append(opens, len(again)))
    repeats = length // words + 1
    long_enough = repeats >= at_least
    first = again[opens[long_enough]]
    return Loops(words, first, first + length[long_enough] + words, repeats[long_enough])
