"""The benchmark's generated dialogues: what the bench says of them, and that the rules find faults in them."""

from __future__ import annotations

from bench.generate_activity import generate
from schemas.timing_events import TIMING_EVENTS
from schemas.turns import TURNS
from timing.config import IssueRules, TurnRules
from timing.detection import find_events
from timing.utterances import find_turns


def test_generated_dialogues_are_of_the_size_the_bench_promises() -> None:
    activity, words, dialogues = generate(200, 5)
    assert generate(200, 5)[0].equals(activity)
    assert not generate(200, 6)[0].equals(activity)
    assert dialogues["duration_s"].is_between(45, 130).all()
    assert 35 <= activity["speech"].list.len().sum() / 200 <= 60
    assert 170 <= len(words) / 200 <= 240


def test_every_kind_of_fault_is_among_them() -> None:
    activity, words, dialogues = generate(200, 5)
    ids = dialogues["dialogue_id"].to_list()
    turns = TURNS.conform(find_turns(activity, words, ids, TurnRules()))
    events = TIMING_EVENTS.conform(find_events(activity, turns, words, ids, IssueRules()))
    issues = events.drop_nulls("issue_type")
    assert set(issues["subtype"]) == {"cut_in", "pause_takeover", "cut_off", "no_response", "late"}
    assert set(turns["kind"]) == {"utterance", "backchannel"}
