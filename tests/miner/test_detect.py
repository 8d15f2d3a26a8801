"""Stage ``detect``: from turns to events that conform, with words and without."""

from __future__ import annotations

from miner.detect import Detect, DetectConfig
from miner.turns import TurnsConfig
from schemas.timing_events import TIMING_EVENTS
from store.stage import Batch
from tests.timing.timelines import Log, activity_of, turns_of, words_of

LOGS = [
    Log([(4, 8)], [(1, 6), (9, 10)], 20.0, "b"),
    Log([], [(1, 3, "What is rice?"), (8, 10, "Okay, goodbye.")], 20.0, "a"),
]


def batch(*, words: bool) -> Batch:
    tables = {"activity": activity_of(LOGS), "turns": turns_of(LOGS)}
    if words:
        tables["words"] = words_of(LOGS)
    return Batch([log.name for log in LOGS], tables)


def test_issues_of_a_batch() -> None:
    rows = TIMING_EVENTS.conform(Detect().process(batch(words=True)).rows)
    issues = rows.filter(rows["issue_type"].is_not_null())
    assert issues.select("dialogue_id", "event", "subtype", "t_s", "rank").rows() == [
        ("a", "C", "no_response", 3.0, 0),
        ("b", "B", "cut_in", 4.0, 0),
        ("b", "C", "no_response", 10.0, 1),
    ]


def test_the_table_of_words_may_be_missing() -> None:
    with_words = Detect().process(batch(words=True)).rows
    without = Detect().process(batch(words=False)).rows
    assert TIMING_EVENTS.conform(without).equals(TIMING_EVENTS.conform(with_words))


def test_a_limit_of_detect_changes_its_issues_and_is_none_of_turns() -> None:
    patient = Detect(DetectConfig(no_response_ms=12_000))
    assert patient.variant != Detect().variant
    assert set(TurnsConfig.model_fields) & set(DetectConfig.model_fields) == {"vad_tolerance_ms"}
    assert TIMING_EVENTS.conform(patient.process(batch(words=True)).rows).filter(event="C").is_empty()


def test_dialogues_without_speech_are_done_with_zero_rows() -> None:
    logs = [Log([], [], 5.0, "a")]
    output = Detect().process(Batch(["a"], {"activity": activity_of(logs), "turns": turns_of(logs)}))
    assert TIMING_EVENTS.conform(output.rows).is_empty()
    assert output.quarantined == ()
