"""What users say of an answer that went wrong: requests said again, complaints."""

from __future__ import annotations

import json

import polars as pl
import pytest

from tests.timing.timelines import Log, activity_of, events_of, words_of
from timing.config import IssueRules, TurnRules
from timing.detection import find_events
from timing.utterances import find_turns

ASK = "what time is it"


def repeated(first: str, again: str, *, language: str = "en", gap: float = 5, model: bool = True) -> pl.DataFrame:
    log = Log([(3.5, 5, "it rains a lot")] if model else [], [(1, 3, first), (3 + gap, 5 + gap, again)], 90.0)
    turns = find_turns(activity_of([log]), words_of([log]), ["d"], TurnRules(), {"d": language})
    events = find_events(activity_of([log]), turns, words_of([log]), ["d"], IssueRules())
    return events.filter(event="user_repeats")


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (ASK, ASK),
        (ASK, "I asked what time it is!"),
        ("how do i cook leftover rice", "uh how do i cook leftover rice please"),
        ("what's the capital of australia", "whats the capital of australia"),
    ],
)
def test_a_request_said_again(first: str, again: str) -> None:
    assert repeated(first, again)["t_s"].to_list() == [8.0]


@pytest.mark.parametrize(
    ("first", "again"),
    [
        ("what is the tallest mountain in the world", "what is the longest river in the world"),
        ("what could i cook with leftover rice", "what could i cook with leftover pasta"),
        ("how do i cook rice", "and how long does rice cook"),
        ("yes please", "yes please"),
        ("tell me more about it", "tell me more about it"),
        (ASK, "it rains a lot"),
    ],
)
def test_another_request_is_no_repetition(first: str, again: str) -> None:
    assert repeated(first, again).is_empty()


def test_the_repetition_names_what_was_said_first_and_the_model_turn_between() -> None:
    row = repeated(ASK, ASK).row(0, named=True)
    evidence = json.loads(row["evidence"])
    assert evidence == {"similarity_percent": 100, "since_first_s": 5.0, "first_turn_index": 0}
    assert (row["turn_index"], row["other_turn_index"], row["issue_type"]) == (2, 1, None)
    assert repeated(ASK, ASK, model=False)["other_turn_index"].to_list() == [None]


def test_a_request_said_again_much_later_is_a_new_one() -> None:
    assert repeated(ASK, ASK, gap=60)["t_s"].to_list() == [63.0]
    assert repeated(ASK, ASK, gap=60.1).is_empty()


def test_repetitions_are_told_without_spaces_too() -> None:
    assert len(repeated("明日 の 天気 を 教えて ください", "明日の 天気 を教えて", language="ja")) == 1
    assert repeated("明日 の 天気 を 教えて ください", "今日 の ニュース を 教えて ください", language="ja").is_empty()
    assert len(
        repeated("quel temps fera-t-il demain à Lyon", "dis-moi quel temps fera t il demain à lyon", language="fr")
    )


def complaint(text: str, *, language: str = "en") -> list[tuple[str, int, int | None]]:
    log = Log([(4, 6, "it rains")], [(1, 3, "rain"), (8, 10, text)], 90.0)
    turns = find_turns(activity_of([log]), words_of([log]), ["d"], TurnRules(), {"d": language})
    events = find_events(activity_of([log]), turns, words_of([log]), ["d"], IssueRules())
    return events.filter(event="user_complains").select("subtype", "turn_index", "other_turn_index").rows()


@pytest.mark.parametrize(
    ("language", "text", "kind"),
    [
        ("en", "No, that's not what I asked.", "misunderstood"),
        ("en", "i already told you i live in paris", "misunderstood"),
        ("en", "hello? are you there?", "unheard"),
        ("en", "hello", "unheard"),
        ("en", "can you hear me", "unheard"),
        ("en", "you're not listening", "unheard"),
        ("en", "youre not listening", "unheard"),
        ("en", "did you hear my question", "unheard"),
        ("en", "let me finish", "interrupted"),
        ("en", "please stop talking", "interrupted"),
        ("ja", "もし もし 、 聞こえ ます か 。", "unheard"),
        ("ja", "そう じゃ なく て 明日 の 天気 です", "misunderstood"),
        ("ja", "最後 まで 聞い て", "interrupted"),
        ("fr", "allô tu m'entends", "unheard"),
        ("fr", "c'est pas ce que j'ai demandé", "misunderstood"),
        ("fr", "laisse-moi finir", "interrupted"),
    ],
)
def test_complaints(language: str, text: str, kind: str) -> None:
    assert complaint(text, language=language) == [(kind, 2, 1)]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "tell me how the ear lets me hear"),
        ("en", "hello can you tell me the time"),
        ("en", "i was talking to my mother"),
        ("en", "say something in french"),
        ("ja", "明日 は どう 思い ます か"),
        ("ja", "これ と それ は どう 違い ます か"),
        ("fr", "il y a quelqu'un qui frappe à la porte"),
    ],
)
def test_what_only_sounds_like_a_complaint(language: str, text: str) -> None:
    assert complaint(text, language=language) == []


def test_the_first_words_of_a_log_only_try_the_line() -> None:
    opening = Log([(4, 6, "yes")], [(1, 3, "hello can you hear me")], 90.0)
    assert events_of([opening]).filter(event="user_complains").is_empty()


def test_a_complaint_of_an_answer_needs_an_answer() -> None:
    log = Log([], [(1, 3, "rain"), (8, 10, "let me finish")], 90.0)
    assert events_of([log]).filter(event="user_complains").is_empty()
    log = Log([], [(1, 3, "rain"), (8, 10, "are you there")], 90.0)
    rows = events_of([log]).filter(event="user_complains")
    assert rows.select("subtype", "other_turn_index").rows() == [("unheard", None)]
    assert json.loads(rows["evidence"].item())["model_silent_s"] == 8.0
