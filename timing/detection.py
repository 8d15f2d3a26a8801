"""All rules over a batch of dialogues: from turns to rows of ``timing_events``."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from timing import events, floor, rules
from timing.config import IssueRules
from timing.found import ledger
from timing.talk import read_talk


def find_events(
    activity: pl.DataFrame,
    turns: pl.DataFrame,
    words: pl.DataFrame | None,
    dialogue_ids: Sequence[str],
    limits: IssueRules,
) -> pl.DataFrame:
    """Rows of the table ``timing_events`` for all dialogues of a batch."""
    talk = read_talk(activity, turns, words, dialogue_ids)
    found = [
        *rules.interruptions(talk, limits),
        *rules.silences_after_user(talk, limits),
        *events.barge_ins(talk, limits),
        events.false_yields(talk, limits),
        events.truncated_replies(talk, limits),
        events.replies_to_nobody(talk, limits),
        events.long_talk_overs(talk, limits),
        events.self_loops(talk, limits),
        *floor.silences(talk),
        *floor.overlaps(talk),
    ]
    return ledger(found, dialogue_ids)
