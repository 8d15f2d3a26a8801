"""All rules over a batch of dialogues: from turns to rows of ``timing_events``."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from schemas.timing_events import TIMING_EVENTS
from timing import events, floor, rules, trouble
from timing.config import IssueRules
from timing.found import ledger
from timing.talk import Talk, lexicons, read_talk


def find_events(
    activity: pl.DataFrame,
    turns: pl.DataFrame,
    words: pl.DataFrame | None,
    dialogue_ids: Sequence[str],
    limits: IssueRules,
) -> pl.DataFrame:
    """Rows of the table ``timing_events`` for all dialogues of a batch."""
    wanted = turns.filter(pl.col("dialogue_id").is_in(dialogue_ids))
    parts = [
        _events_in(read_talk(activity, wanted, words, ids, lexicon), ids, limits) for lexicon, ids in lexicons(wanted)
    ]
    return pl.concat(parts) if parts else TIMING_EVENTS.empty()


def _events_in(talk: Talk, dialogue_ids: Sequence[str], limits: IssueRules) -> pl.DataFrame:
    """``find_events`` of dialogues that share a lexicon."""
    found = [
        *rules.interruptions(talk, limits),
        *rules.silences_after_user(talk, limits),
        *events.barge_ins(talk, limits),
        events.false_yields(talk, limits),
        events.truncated_replies(talk, limits),
        events.replies_to_nobody(talk, limits),
        events.long_talk_overs(talk, limits),
        events.self_loops(talk, limits),
        trouble.repeats(talk, limits),
        *trouble.complaints(talk),
        *floor.silences(talk),
        *floor.overlaps(talk),
    ]
    return ledger(found, dialogue_ids)
