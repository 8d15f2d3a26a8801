"""Issue B, row by row of the table of issues: when it fires, and when it does not."""

from __future__ import annotations

import json

import pytest

from tests.timing.timelines import Log, events_of, found

LONG = "I was reading about this for a while and then I asked my neighbor what to do"


def test_cut_in_starts_inside_the_users_utterance() -> None:
    assert found(Log(model=[(4, 8)], user=[(1, 6)])) == [("B", "cut_in", 4.0)]


def test_cut_in_when_the_user_gives_way_soon() -> None:
    assert found(Log(model=[(3.3, 8)], user=[(1, 4)])) == [("B", "cut_in", 3.3)]


def test_a_hesitation_of_the_model_is_part_of_its_speech() -> None:
    assert found(Log(model=[(3.25, 3.6), (4, 8)], user=[(1, 4)])) == [("B", "cut_in", 3.25)]
    assert found(Log(model=[(3.25, 3.6), (4.3, 8)], user=[(1, 4)])) == []


def test_cut_in_survives_holes_that_a_vad_makes() -> None:
    holes = Log(model=[(4, 5), (5.25, 8)], user=[(1, 2), (2.25, 4.15), (4.4, 4.9)])
    assert found(holes) == [("B", "cut_in", 4.0)]


@pytest.mark.parametrize(
    "log",
    [
        pytest.param(Log(model=[(5.7, 9)], user=[(1, 6)]), id="terminal overlap"),
        pytest.param(Log(model=[(1.4, 9)], user=[(1, 6)]), id="both began at once"),
        pytest.param(Log(model=[(1, 6)], user=[(4, 8)]), id="the user barged in on a running model utterance"),
        pytest.param(Log(model=[(3, 3.6)], user=[(1, 6)]), id="model backchannel, by length"),
        pytest.param(Log(model=[(3, 4.4, "uh huh right")], user=[(1, 6, LONG)]), id="model backchannel, by its words"),
        pytest.param(Log(model=[(4, 4.3), (4.7, 4.8)], user=[(1, 6)]), id="model gives way at once"),
        pytest.param(Log(model=[(5.8, 9)], user=[(1, 6), (6.8, 7.2)]), id="terminal overlap, then a user backchannel"),
        pytest.param(Log(model=[(4, 8), (8.5, 12)], user=[(8.2, 11)]), id="model goes on after its own pause"),
    ],
)
def test_no_cut_in(log: Log) -> None:
    assert [e for e in found(log) if e[0] == "B"] == []


def test_a_long_response_with_other_words_is_no_backchannel() -> None:
    assert found(Log(model=[(3, 4.4, "the answer is nine")], user=[(1, 6, LONG)], duration=8)) == [("B", "cut_in", 3.0)]


def test_pause_takeover_when_the_user_goes_on() -> None:
    assert found(Log(model=[(3.3, 8)], user=[(1, 3), (3.9, 6)])) == [("B", "pause_takeover", 3.3)]


def test_pause_takeover_within_the_vads_uncertainty_needs_a_quick_resumption() -> None:
    assert found(Log(model=[(3.5, 8)], user=[(1, 3), (4.1, 6)])) == [("B", "pause_takeover", 3.5)]
    assert found(Log(model=[(3.3, 8)], user=[(1, 3), (4.1, 6)])) == []


def test_pause_takeover_goes_by_words_where_there_are_any() -> None:
    goes_on = Log(model=[(3.2, 8)], user=[(1, 3, LONG), (3.9, 4.3, "at home?")])
    listens = Log(model=[(3.2, 8)], user=[(1, 3, LONG), (3.9, 4.6, "oh I see")])
    assert found(goes_on) == [("B", "pause_takeover", 3.2)]
    assert found(listens) == []


@pytest.mark.parametrize(
    "log",
    [
        pytest.param(Log(model=[(3.3, 8)], user=[(1, 3), (3.9, 4.3)]), id="the user's next speech is a backchannel"),
        pytest.param(Log(model=[(3.2, 4.1)], user=[(1, 3), (3.9, 6)]), id="the model says no more than a second"),
        pytest.param(Log(model=[(3.3, 8)], user=[(1, 3), (4.5, 7)]), id="the user had ended: a barge-in"),
        pytest.param(Log(model=[(3.2, 8)], user=[(1, 3)]), id="the user had ended: a reply"),
    ],
)
def test_no_pause_takeover(log: Log) -> None:
    assert [e for e in found(log) if e[0] == "B"] == []


UNFINISHED = "My neighbor told me last night. The whole street will have to"
COMPLETE = "My neighbor told me last night. The whole street will have water."


def test_cut_off_needs_an_unfinished_sentence() -> None:
    assert found(Log(model=[(5.7, 9)], user=[(1, 6, UNFINISHED)])) == [("B", "cut_off", 5.7)]
    assert found(Log(model=[(5.7, 9)], user=[(1, 6, COMPLETE)])) == []


def test_cut_off_abstains_where_words_cannot_tell() -> None:
    assert found(Log(model=[(5.7, 9)], user=[(1, 6)])) == []
    assert found(Log(model=[(5.7, 9)], user=[(1, 6, "so there is a lot of water")])) == []


def test_cut_off_without_punctuation_goes_by_the_last_word() -> None:
    assert found(Log(model=[(5.7, 9)], user=[(1, 6, "the whole street will have to")])) == [("B", "cut_off", 5.7)]


def test_terminal_overlap_is_an_event() -> None:
    assert found(Log(model=[(5.7, 9)], user=[(1, 6, COMPLETE)]), "terminal_overlap") == [("terminal_overlap", "", 5.7)]


def test_blips_of_the_vad_neither_make_nor_move_an_intrusion() -> None:
    assert found(Log(model=[(3, 3.15)], user=[(1, 6)], duration=8)) == []
    assert found(Log(model=[(2.5, 2.6), (4, 8)], user=[(1, 6)])) == [("B", "cut_in", 4.0)]


def test_an_interruption_names_both_turns_and_its_numbers() -> None:
    row = events_of([Log(model=[(4, 8)], user=[(1, 6)])]).filter(event="B").row(0, named=True)
    assert (row["turn_index"], row["other_turn_index"], row["end_s"], row["rank"]) == (1, 0, 6.0, 0)
    assert json.loads(row["evidence"]) == {
        "since_user_start_s": 3.0,
        "until_user_end_s": 2.0,
        "user_pause_s": 0.0,
        "user_speech_after_pause_s": 0.0,
        "overlap_s": 2.0,
        "model_speech_s": 4.0,
    }
