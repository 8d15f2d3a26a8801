"""Table ``timing_events``: everything that happened between the two sides, faults (B, C) and other events alike.

The views ``timing_issues`` and ``issues`` are its rows with an ``issue_type``.
"""

from __future__ import annotations

from enum import StrEnum

import polars as pl

from schemas.table import SECONDS, Column, Table


class Event(StrEnum):
    """Codes of the event ledger. B and C are issues; the rest is counted and makes no pairs until asked."""

    MODEL_INTERRUPTS = "B"
    MODEL_SILENT = "C"
    BARGE_IN = "barge_in"
    BARGE_IN_IGNORED = "D1"
    FALSE_YIELD = "E"
    SELF_LOOP = "I"
    TRUNCATED_REPLY = "J"
    REPLY_TO_NOBODY = "K"
    LONG_TALK_OVER = "L"
    USER_REPEATS = "user_repeats"
    USER_COMPLAINS = "user_complains"
    SLOW_ANSWER = "slow_answer"
    TERMINAL_OVERLAP = "terminal_overlap"
    CENSORED = "censored"
    PAUSE = "pause"
    GAP = "gap"
    OVERLAP_BETWEEN = "overlap_between"
    OVERLAP_WITHIN = "overlap_within"


ISSUE_EVENTS = (Event.MODEL_INTERRUPTS, Event.MODEL_SILENT)

TIMING_EVENTS = Table(
    name="timing_events",
    doc="One row per timing event, with the rule's numbers. Issues are the rows with an issue_type.",
    writer="detect",
    key=("t_s", "event", "subtype", "turn_index"),
    columns=(
        Column("event_id", pl.String(), "Hash of dialogue, event and the 80 ms frame of t_s"),
        Column("dialogue_id", pl.String(), "Dialogue"),
        Column("event", pl.String(), "Code of the event (schemas/timing_events.py, `Event`)"),
        Column("issue_type", pl.String(), "B | C for a fault, null for any other event", nullable=True),
        Column(
            "subtype",
            pl.String(),
            "B: cut_in, pause_takeover, cut_off; C: no_response, late; user_complains: unheard, misunderstood, "
            "interrupted; else empty",
        ),
        Column(
            "t_s",
            SECONDS,
            "Where it begins: B, onset of the model's intrusion; C, end of the unanswered user utterance",
        ),
        Column(
            "end_s", SECONDS, "Where it ends: B, end of the overlap or of the user's utterance; C, end of the silence"
        ),
        Column("turn_index", pl.Int64(), "Turn at fault: B, the model's intruding turn; C, the user's unanswered turn"),
        Column(
            "other_turn_index",
            pl.Int64(),
            "Turn it touches: B, the user's turn; C, the late answer or the next user turn",
            nullable=True,
        ),
        Column(
            "rank",
            pl.Int64(),
            "Issues only: order in which a dialogue's issues are spent; 0 = first in time, the rest in hash order",
            nullable=True,
        ),
        Column("evidence", pl.String(), "The numbers that fired the rule, as JSON, names ending in their unit"),
    ),
    checks={
        "t_s <= end_s": pl.col("t_s") <= pl.col("end_s"),
        "issue_type agrees with event": pl.col("issue_type").is_null() | (pl.col("issue_type") == pl.col("event")),
    },
)
