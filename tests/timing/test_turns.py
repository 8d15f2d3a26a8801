"""IPUs, backchannels, utterances and floor turns on hand-made timelines."""

from __future__ import annotations

import polars as pl
import pytest

from schemas.turns import TURNS
from tests.timing.timelines import Log, activity_of, turns_of, words_of
from timing.config import TurnRules
from timing.lexicon import UnknownLanguageError, load
from timing.utterances import find_turns

TELL = "Spring and autumn are wonderful with mild weather."
ASK = "Do you want to hear more about the weather?"


def kinds(log: Log, channel: str) -> list[tuple[str, float, float]]:
    return turns_of([log]).filter(channel=channel).select("kind", "start_s", "end_s").rows()


def test_gaps_below_200_ms_are_bridged_into_one_ipu() -> None:
    ipus = turns_of([Log(model=[(1, 2), (2.199, 3), (3.2, 4)], user=[])])["ipus"].to_list()
    assert ipus == [[{"start_s": 1.0, "end_s": 3.0}, {"start_s": 3.2, "end_s": 4.0}]]


def test_own_pauses_up_to_a_second_stay_inside_an_utterance_whatever_the_other_side_does() -> None:
    log = Log(model=[(3.2, 3.8)], user=[(1, 3), (4, 6), (7.5, 9)])
    assert kinds(log, "user") == [("utterance", 1.0, 6.0), ("utterance", 7.5, 9.0)]


def test_a_pause_may_pass_the_limit_by_what_the_vad_does_not_know() -> None:
    log = Log(model=[], user=[(1, 3), (4.2, 6), (7.201, 9)])
    assert kinds(log, "user") == [("utterance", 1.0, 6.0), ("utterance", 7.201, 9.0)]
    strict = turns_of([log], TurnRules(vad_tolerance_ms=0))
    assert strict["start_s"].to_list() == [1.0, 4.2, 7.201]


@pytest.mark.parametrize(
    ("log", "kind"),
    [
        pytest.param(Log(model=[(1, 8)], user=[(4, 4.6)]), "backchannel", id="short, amid the other's speech"),
        pytest.param(Log(model=[(1, 4), (4.8, 8)], user=[(4.2, 4.6)]), "backchannel", id="in the other's pause"),
        pytest.param(Log(model=[(1, 8)], user=[(4, 5.1)]), "backchannel", id="as long as a VAD may make one"),
        pytest.param(Log(model=[(1, 8)], user=[(4, 5.15)]), "utterance", id="too long without words"),
        pytest.param(Log(model=[(1, 12)], user=[(4, 4.6), (5.7, 8)]), "utterance", id="its silence is a pause"),
        pytest.param(Log(model=[(1, 8)], user=[(4, 5.3, "mm right I see")]), "backchannel", id="longer, by its words"),
        pytest.param(Log(model=[(1, 8)], user=[(4, 5.6, "mm right I see")]), "utterance", id="too long for any"),
        pytest.param(Log(model=[(1, 8)], user=[(4, 4.6, "not so")]), "utterance", id="short, but other words"),
        pytest.param(Log(model=[(1, 5)], user=[(4.9, 5.5)]), "utterance", id="the other side was ending"),
        pytest.param(Log(model=[(1, 5)], user=[(5.4, 5.8)]), "utterance", id="the other side had ended"),
        pytest.param(
            Log(model=[(1, 5, TELL)], user=[(4.9, 5.5, "right")]), "backchannel", id="by words, to a statement"
        ),
        pytest.param(Log(model=[(1, 5, ASK)], user=[(4.9, 5.5, "right")]), "utterance", id="by words, to a question"),
        pytest.param(
            Log(model=[(1, 5, TELL), (6.5, 9, TELL)], user=[(5.2, 5.6, "Oh.")]),
            "backchannel",
            id="the other goes on soon",
        ),
        pytest.param(Log(model=[(1, 5, ASK), (6.5, 9, TELL)], user=[(5.2, 5.6, "Yeah.")]), "utterance", id="an answer"),
        pytest.param(
            Log(model=[(1, 5, TELL), (9.5, 12, TELL)], user=[(5.2, 5.6, "Oh.")]), "utterance", id="nobody goes on"
        ),
        pytest.param(
            Log(model=[(1, 8)], user=[(4, 4.5), (20, 22, "And then?")]), "backchannel", id="no word was written for it"
        ),
    ],
)
def test_backchannel(log: Log, kind: str) -> None:
    assert kinds(log, "user")[0][0] == kind


def test_the_models_short_okay_after_a_request_is_a_reply() -> None:
    log = Log(model=[(3.4, 3.9, "Okay.")], user=[(1, 3, "Turn on the light.")])
    assert kinds(log, "model") == [("utterance", 3.4, 3.9)]


def test_a_backchannel_that_the_vad_split_is_one() -> None:
    log = Log(model=[(1, 9)], user=[(4, 4.3, "mm"), (4.55, 4.9, "hmm")])
    assert kinds(log, "user") == [("backchannel", 4.0, 4.9)]


def test_a_response_before_own_speech_is_set_aside_by_its_words() -> None:
    log = Log(model=[(1, 5)], user=[(3.5, 4.4, "mm hmm"), (5.2, 7, "What is rice?")])
    assert kinds(log, "user") == [("backchannel", 3.5, 4.4), ("utterance", 5.2, 7.0)]


def test_a_word_with_a_comma_and_more_to_come_begins_a_sentence() -> None:
    log = Log(model=[(4, 4.4, "No,"), (5, 7, "it is nine.")], user=[(1, 6, "I was going to")])
    assert kinds(log, "model") == [("utterance", 4.0, 7.0)]


@pytest.mark.parametrize(("text", "kind"), [("um", "utterance"), ("uh", "utterance"), ("um hm", "backchannel")])
def test_who_says_um_wants_to_speak(text: str, kind: str) -> None:
    log = Log(model=[(1, 4, TELL), (4.4, 8)], user=[(3, 3.4, text)])
    assert [one for one, _, _ in kinds(log, "user")] == [kind]


def test_each_of_several_backchannels_may_be_long() -> None:
    log = Log(model=[(1, 9, TELL)], user=[(3, 3.8, "uh-huh"), (4.3, 5.2, "yeah")])
    assert kinds(log, "user") == [("backchannel", 3.0, 5.2)]
    slow = Log(model=[(1, 9, TELL)], user=[(3, 4.6, "uh-huh")])
    assert kinds(slow, "user") == [("utterance", 3.0, 4.6)]


def test_blips_make_no_turn_and_move_no_edge() -> None:
    log = Log(model=[], user=[(1, 3), (3.6, 3.75), (9, 9.1), (12, 13), (13.4, 13.5), (13.9, 15)])
    assert kinds(log, "user") == [("utterance", 1.0, 3.0), ("utterance", 12.0, 15.0)]


def test_a_blip_with_a_word_is_speech() -> None:
    assert kinds(Log(model=[(1, 5, ASK)], user=[(5.5, 5.65, "No.")]), "user") == [("utterance", 5.5, 5.65)]


def test_words_belong_to_the_ipu_they_overlap_most_or_the_nearest() -> None:
    log = Log(model=[], user=[(1, 2, "one two"), (4, 5, "three four")])
    shifted = Log(model=[], user=[(0.4, 1.4, "one two"), (4.6, 5.6, "three four")])
    for words in (log, shifted):
        rows = turns_from(log, words)
        assert rows.select("text", "n_words").rows() == [("one two", 2), ("three four", 2)]


def turns_from(speech: Log, words: Log) -> pl.DataFrame:
    return TURNS.conform(find_turns(activity_of([speech]), words_of([words]), ["d"], TurnRules()))


def test_dropped_words_are_not_used() -> None:
    log = Log(model=[], user=[(1, 2, "thanks for watching")])
    words = words_of([log]).with_columns(pl.lit("hallucinated").alias("dropped"))
    row = TURNS.conform(find_turns(activity_of([log]), words, ["d"], TurnRules())).row(0, named=True)
    assert (row["text"], row["n_words"], row["is_closing"]) == (None, None, None)


def test_no_words_on_one_side_is_null_and_no_words_in_one_turn_is_zero() -> None:
    rows = turns_of([Log(model=[(1, 3, TELL), (6, 8)], user=[(4, 5)])])
    assert rows.select("channel", "n_words").rows() == [("model", 8), ("user", None), ("model", 0)]


def test_traits_of_words() -> None:
    said = {
        "What is rice?": (True, False, True),
        "Great, that is all, goodbye.": (False, True, True),
        "Thank you so much for your help.": (False, True, True),
        "I was thinking.": (False, False, True),
        "I was thinking. And then the": (False, False, False),
        "How do you say goodbye?": (True, False, True),
        "No, that's it, thanks.": (False, True, True),
        "No thanks.": (False, False, True),
        "Thanks, and what is rice?": (True, False, True),
    }
    logs = [Log(model=[], user=[(1, 3, text)], name=str(i)) for i, text in enumerate(said)]
    logs[4] = Log(model=[], user=[(1, 3, "I was thinking. And then the")], name="4")
    rows = turns_of(logs).select("is_question", "is_closing", "is_complete").rows()
    assert rows == list(said.values())


def test_traits_without_punctuation() -> None:
    said = {
        "what is rice": (True, False, None),
        "okay so can you tell me about rice": (True, False, None),
        "it is nine should i tell you more about that": (True, False, None),
        "where are you from": (True, False, None),
        "when does it rain": (True, False, None),
        "when i was in spain it rained": (False, False, None),
        "okay thanks bye": (False, True, None),
        "it was raining": (False, False, None),
        "we went to the": (False, False, False),
    }
    logs = [Log(model=[], user=[(1, 3, text)], name=str(i)) for i, text in enumerate(said)]
    rows = turns_of(logs).select("is_question", "is_closing", "is_complete").rows()
    assert rows == list(said.values())


@pytest.mark.parametrize(
    "text",
    [
        "great that useful good by",
        "okay to just buy",
        "thanks by",
        "then q goodbye",
        "thats all thanks",
        "see you tomorrow night",
    ],
)
def test_a_goodbye_as_recognisers_mishear_it(text: str) -> None:
    assert turns_of([Log([], [(1, 3, text)])])["is_closing"].to_list() == [True]


@pytest.mark.parametrize(
    "text",
    [
        "buy",
        "i want something to buy",
        "okay where is a good place to buy",
        "Okay, stand by.",
        "thanks for waiting now tell me about rice",
        "thank you and what is rice",
        "it took so long",
        "i would like to see you",
        "no thanks",
        "how do the french say goodbye",
    ],
)
def test_what_only_sounds_like_a_goodbye(text: str) -> None:
    assert turns_of([Log([], [(1, 3, text)])])["is_closing"].to_list() == [False]


@pytest.mark.parametrize(
    ("text", "complete"),
    [
        ("my neighbor says that the whole street will have to", False),
        ("the thing i have to tell you is that it is", False),
        ("well i'll", False),
        ("i feel rather ill", None),
        ("yes i think it is", None),
        ("i wonder what time it is", None),
        ("oh really", None),
        ("no not really", None),
    ],
)
def test_short_answers_end_where_sentences_do_not(text: str, complete: bool | None) -> None:
    assert turns_of([Log([], [(1, 3, text)])])["is_complete"].to_list() == [complete]


def test_a_goodbye_after_a_question_closes_without_punctuation_too() -> None:
    rows = turns_of([Log(model=[], user=[(1, 3, "what is rice"), (3.6, 5, "okay thanks bye")])])
    assert rows.select("is_question", "is_closing").rows() == [(True, True)]


def test_floor_turns_and_transfer_offsets() -> None:
    rows = turns_of([Log(model=[(3.3, 5), (6.5, 8)], user=[(1, 3), (7.8, 9), (11, 12)])])
    assert rows.select("channel", "floor_turn", "fto_s").rows() == [
        ("user", 0, None),
        ("model", 1, 0.3),
        ("model", 1, None),
        ("user", 2, -0.2),
        ("user", 2, None),
    ]


def test_a_backchannel_takes_no_floor() -> None:
    rows = turns_of([Log(model=[(1, 4), (5.5, 9)], user=[(3, 3.6)])])
    assert rows.select("kind", "floor_turn", "fto_s").rows() == [
        ("utterance", 0, None),
        ("backchannel", None, None),
        ("utterance", 0, None),
    ]


def test_an_unknown_language_says_what_there_is() -> None:
    with pytest.raises(UnknownLanguageError, match="no lexicon for language 'xx': there is en"):
        load("xx")
    assert load("en-GB") == load("en")
