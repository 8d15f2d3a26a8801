"""Faults from tables: what is known of a reply, and how far the talk goes that a rewriter sees."""

from __future__ import annotations

import json

import polars as pl
import pytest

from judges.faults import Fault, faults_of
from schemas.content_issues import CONTENT_ISSUES
from schemas.dialogues import DIALOGUES
from schemas.timing_events import TIMING_EVENTS
from schemas.turns import TURNS
from schemas.verdicts import VERDICTS, Axis

Said = tuple[str, float, float, str, bool | None]
"""Channel, start, end, text, is_complete."""

TALK: list[Said] = [
    ("user", 0.0, 2.0, "Hi there.", True),
    ("model", 2.5, 4.0, "Hello!", True),
    ("user", 5.0, 9.0, "Which film is good, and where is it on?", True),
    ("model", 7.0, 8.5, "Try the new one.", True),
    ("user", 12.0, 13.0, "Hello?", True),
]


def faults(
    said: list[Said],
    timing: list[tuple[str, str, float, int, int]] = [],  # noqa: B006
    content: list[tuple[float, int, int | None]] = [],  # noqa: B006
    verdicts: list[tuple[int, str, int | None, bool | None]] = [],  # noqa: B006
) -> list[Fault]:
    turns = [
        {
            "dialogue_id": "d",
            "turn_index": i,
            "channel": channel,
            "kind": "utterance",
            "start_s": start,
            "end_s": end,
            "ipus": [{"start_s": start, "end_s": end}],
            "text": text or None,
            "is_complete": is_complete,
        }
        for i, (channel, start, end, text, is_complete) in enumerate(said)
    ]
    events = [
        {"dialogue_id": "d", "event_id": f"t{i}", "event": kind, "issue_type": kind, "subtype": subtype, "t_s": t,
         "turn_index": turn, "other_turn_index": other}
        for i, (kind, subtype, t, turn, other) in enumerate(timing)
    ]  # fmt: skip
    evidence = json.dumps({"tone": {"score": 1, "problematic": True, "justification": "Rude."}})
    issues = [
        {"dialogue_id": "d", "issue_id": f"c{i}", "issue_type": "A", "subtype": "tone", "t_s": t, "turn_index": turn,
         "other_turn_index": other, "evidence": evidence}
        for i, (t, turn, other) in enumerate(content)
    ]  # fmt: skip
    grades = [
        {"dialogue_id": "d", "turn_index": turn, "axis": axis, "score": score, "problematic": problematic}
        for turn, axis, score, problematic in verdicts
    ]
    return list(
        faults_of(
            pl.DataFrame([{"dialogue_id": "d", "language": "en"}], schema=DIALOGUES.schema),
            pl.DataFrame(turns, schema=TURNS.schema),
            pl.DataFrame(events, schema=TIMING_EVENTS.schema),
            pl.DataFrame(issues, schema=CONTENT_ISSUES.schema),
            pl.DataFrame(grades, schema=VERDICTS.schema),
            adequate_score=2,
        )
    )


CUT_IN = [("B", "cut_in", 7.0, 3, 2)]


def test_a_rewriter_sees_what_began_before_the_fault_and_the_faulty_reply_last() -> None:
    (one,) = faults(TALK, CUT_IN)
    assert [turn.index for turn in one.dialogue.turns] == [0, 1, 2, 3]
    assert (one.pair_type, one.t0_s, one.rank) == ("B", 7.0, 0)
    assert one.reply is one.dialogue.turns[-1]
    assert one.asked is not None
    assert one.asked.text == "Which film is good, and where is it on?"


def test_after_a_silence_nothing_is_seen() -> None:
    (one,) = faults(TALK, [("C", "no_response", 9.0, 2, 4)])
    assert [turn.index for turn in one.dialogue.turns] == [0, 1, 2, 3]
    assert one.reply is None
    assert one.dialogue.turns[-1].index == 3, "what the model said before is part of the talk"


def test_a_late_answer_is_the_reply_though_it_comes_after_the_fault() -> None:
    said = [*TALK[:3], ("user", 9.5, 9.8, "hm", None), ("model", 14.0, 15.0, "The new one.", True)]
    (one,) = faults(said, [("C", "late", 9.0, 2, 4)], [(14.0, 4, 2)])
    assert one.pair_type == "A+C"
    assert [turn.index for turn in one.dialogue.turns] == [0, 1, 2, 4]
    assert one.notes[0].justification == "Rude."
    assert one.whole, "the user made a sound before the answer and none during it"


def test_the_judges_reasons_go_with_the_content_fault() -> None:
    (one,) = faults(TALK, CUT_IN, [(7.0, 3, 2)])
    assert (one.pair_type, one.issue_id) == ("A+B", "t0")
    assert [(note.axis, note.score, note.justification) for note in one.notes] == [("tone", 1, "Rude.")]
    (one,) = faults(TALK, [], [(2.5, 1, None)])
    assert (one.pair_type, one.asked) == ("A", None)
    assert [turn.index for turn in one.dialogue.turns] == [0, 1]


GOOD = [(3, axis.value, 3, False) for axis in Axis]


@pytest.mark.parametrize(
    ("verdicts", "fine"),
    [
        (GOOD, True),
        ([], False),
        ([(1, "helpfulness", 4, False)], False),
        ([(3, "helpfulness", 2, False), (3, "safety", -1, False)], True),
        ([(3, "helpfulness", 2, False), (3, "safety", None, None)], True),
        ([(3, "helpfulness", -1, False), (3, "safety", 4, False)], False),
        ([(3, "helpfulness", None, None)], False),
        ([(3, "helpfulness", 1, False)], False),
        ([(3, "helpfulness", 4, True)], False),
        ([(3, "helpfulness", 4, False), (3, "tone", 1, False)], False),
        ([(3, "helpfulness", 4, False), (3, "interruption", 0, True)], True),
    ],
)
def test_a_reply_is_fine_when_the_judge_scored_its_help_and_minds_nothing_of_its_content(
    verdicts: list[tuple[int, str, int | None, bool | None]], fine: bool
) -> None:
    (one,) = faults(TALK, CUT_IN, verdicts=verdicts)
    assert one.judged_fine is fine


@pytest.mark.parametrize(
    ("end_s", "is_complete", "again_s", "whole"),
    [
        (8.5, True, 12.0, True),  # over before the user was, and a sentence
        (8.5, None, 12.0, False),  # gave way to the user, for all we know
        (8.5, False, 12.0, False),
        (10.5, None, 12.0, True),  # talked on past the user
        (10.5, False, 12.0, False),
        (10.5, True, 10.2, False),  # the user broke into it
        (10.5, None, 10.5, True),
    ],
)
def test_a_reply_is_whole_when_nothing_made_it_stop(
    end_s: float, is_complete: bool | None, again_s: float, whole: bool
) -> None:
    said = [*TALK[:3], ("model", 7.0, end_s, "Try the new one", is_complete), ("user", again_s, 13.0, "What?", True)]
    (one,) = faults(said, CUT_IN)
    assert one.whole is whole


def test_faults_come_in_the_order_of_their_ranks_and_none_is_lost() -> None:
    found = faults(TALK, [*CUT_IN, ("C", "no_response", 13.0, 4, 4)], [(2.5, 1, 0)])
    assert sorted(one.t0_s for one in found) == [2.5, 7.0, 13.0]
    assert [one.rank for one in found] == [0, 1, 2]
    assert found[0].t0_s == 2.5
