"""Issue C, row by row of the table of issues: when it fires, and when it does not."""

from __future__ import annotations

import json

import pytest

from tests.timing.timelines import Log, events_of, found

ASK = "What is the tallest mountain in the world?"
TELL = "Mount Everest is the tallest."
OFFER = "It is Mount Everest. Do you want to hear more?"


def test_no_response_to_the_end_of_the_log() -> None:
    assert found(Log(model=[], user=[(1, 3)], duration=8)) == [("C", "no_response", 3.0)]


def test_no_response_before_the_user_asks_again() -> None:
    log = Log(model=[(9, 12)], user=[(1, 3), (7, 8.5)], duration=13)
    assert found(log) == [("C", "no_response", 3.0)]
    row = events_of([log]).filter(event="C").row(0, named=True)
    assert (row["turn_index"], row["other_turn_index"], row["end_s"]) == (0, 1, 7.0)


def test_a_reprompt_that_is_not_answered_either_is_a_second_fault() -> None:
    log = Log(model=[], user=[(1, 3), (7, 8.5)], duration=13)
    assert found(log) == [("C", "no_response", 3.0), ("C", "no_response", 8.5)]


def test_late_answer() -> None:
    log = Log(model=[(7, 9)], user=[(1, 3)], duration=12)
    assert found(log) == [("C", "late", 3.0)]
    row = events_of([log]).filter(event="C").row(0, named=True)
    assert (row["turn_index"], row["other_turn_index"], row["end_s"]) == (0, 1, 7.0)
    assert json.loads(row["evidence"]) == {"silence_s": 4.0, "log_left_s": 9.0, "user_utterance_s": 2.0}


def test_a_short_answer_to_the_models_question_wants_a_reply() -> None:
    audio = Log(model=[(1, 5)], user=[(5.5, 5.84)], duration=12)
    words = Log(model=[(1, 5, OFFER)], user=[(5.5, 5.84, "Yeah.")], duration=12)
    overlapped = Log(model=[(1, 5)], user=[(4.9, 5.7)], duration=12)
    assert found(audio) == [("C", "no_response", 5.84)]
    assert found(words) == [("C", "no_response", 5.84)]
    assert found(overlapped) == [("C", "no_response", 5.7)]


@pytest.mark.parametrize(
    "log",
    [
        pytest.param(Log(model=[(6, 8)], user=[(1, 3)], duration=20), id="slow answer, 3.0 s"),
        pytest.param(Log(model=[], user=[(1, 3)], duration=5.9), id="censored: under 3.0 s of log left"),
        pytest.param(Log(model=[(2.7, 6)], user=[(1, 3)], duration=20), id="terminal overlap: already answering"),
        pytest.param(Log(model=[(2, 6)], user=[(1, 3)], duration=20), id="cut in: already answering"),
        pytest.param(Log(model=[(2.6, 2.9)], user=[(1, 3)], duration=20), id="answered shortly, in overlap"),
        pytest.param(Log(model=[(1, 9)], user=[(3, 5)], duration=20), id="barge-in, and the model talks on"),
        pytest.param(Log(model=[(1, 9)], user=[(6, 6.5)], duration=20), id="user backchannel"),
        pytest.param(Log(model=[], user=[(1, 1.29)], duration=20), id="too short for a request"),
        pytest.param(Log(model=[(5.9, 8)], user=[(1, 3), (5.5, 6.2)], duration=20), id="the user speaks again in time"),
        pytest.param(Log(model=[(3.3, 3.8)], user=[(1, 3)], duration=20), id="a short okay is a reply"),
        pytest.param(Log(model=[(1, 4, TELL)], user=[(5, 6, "Okay, thanks, bye.")], duration=20), id="goodbye"),
        pytest.param(Log(model=[(1, 4, TELL)], user=[(5, 7, "Great, that is all.")], duration=20), id="closing"),
        pytest.param(Log(model=[(1, 4, TELL)], user=[(5, 5.5, "Oh, I see.")], duration=20), id="acknowledgement"),
        pytest.param(Log(model=[(1, 4, TELL)], user=[(5, 5.5, "um")], duration=20), id="hesitation"),
    ],
)
def test_no_c(log: Log) -> None:
    assert [e for e in found(log) if e[0] == "C"] == []


def test_the_same_words_after_a_question_of_the_model_are_an_answer() -> None:
    log = Log(model=[(1, 4, OFFER)], user=[(5, 5.5, "Okay.")], duration=20)
    assert found(log) == [("C", "no_response", 5.5)]


def test_a_question_about_goodbye_is_no_goodbye() -> None:
    log = Log(model=[], user=[(5, 7, "How do the French say goodbye?")], duration=20)
    assert found(log) == [("C", "no_response", 7.0)]


def test_a_request_that_ends_in_a_closing_after_a_question_is_closed() -> None:
    log = Log(model=[], user=[(1, 3, ASK), (3.5, 5, "Okay, thanks, bye.")], duration=20)
    assert found(log) == []


def test_a_user_who_stops_the_model_and_is_left_alone() -> None:
    log = Log(model=[(1, 5)], user=[(4.6, 7)], duration=20)
    assert found(log) == [("C", "no_response", 7.0)]


@pytest.mark.parametrize("noise", [(3.5, 3.6), (5.0, 5.15), (5.0, 5.35)])
def test_noise_does_not_hide_a_silence(noise: tuple[float, float]) -> None:
    assert found(Log(model=[], user=[(1, 3), noise], duration=9)) == [("C", "no_response", 3.0)]


def test_a_blip_of_the_model_is_no_answer() -> None:
    assert found(Log(model=[(4, 4.15)], user=[(1, 3)], duration=9)) == [("C", "no_response", 3.0)]


def test_what_c_turns_away_is_kept_as_events() -> None:
    slow = Log(model=[(5.5, 8)], user=[(1, 3)], duration=20)
    ends = Log(model=[], user=[(1, 3)], duration=5.9)
    assert found(slow, "slow_answer") == [("slow_answer", "", 3.0)]
    assert found(ends, "censored") == [("censored", "", 3.0)]
