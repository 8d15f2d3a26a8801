"""Languages: every dialogue is read by its own lexicon, scripts without spaces included; none by another's."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.timing_events import TIMING_EVENTS
from schemas.turns import TURNS
from tests.timing.timelines import Log, activity_of, batches, words_of
from timing.config import IssueRules, TurnRules
from timing.detection import find_events
from timing.lexicon import NO_LANGUAGE, Lexicon, languages, load, spoken
from timing.utterances import find_turns


def turns_in(language: str | None, *logs: Log) -> pl.DataFrame:
    names = [log.name for log in logs]
    spoken_in = dict.fromkeys(names, language)
    return TURNS.conform(find_turns(activity_of(logs), words_of(logs), names, TurnRules(), spoken_in))


def faults(turns: pl.DataFrame, *logs: Log) -> list[tuple[str, str, float]]:
    rows = find_events(activity_of(logs), turns, words_of(logs), [log.name for log in logs], IssueRules())
    return TIMING_EVENTS.conform(rows).filter(event="C").select("dialogue_id", "subtype", "t_s").rows()


def said(language: str, *texts: str) -> pl.DataFrame:
    return turns_in(language, *(Log([], [(1, 3, text)], name=f"{i:02}") for i, text in enumerate(texts)))


LISTENING = {
    "ja": ("私 は 昨日 京都 に 行き まし て", "なるほど ね", "電車 が", "お寺 を 見 まし た"),
    "fr": ("hier je suis allé à Lyon", "ah d' accord", "le train part", "et j'ai visité la ville"),
    "en": ("yesterday i went to paris", "uh-huh", "my train leaves", "and i saw the town"),
}


@pytest.mark.parametrize("language", LISTENING)
def test_listening_is_told_in_each_language_and_speech_is_not(language: str) -> None:
    first, listening, other, rest = LISTENING[language]
    for text, kind in ((listening, "backchannel"), (other, "utterance")):
        rows = turns_in(language, Log(model=[(1, 4, first), (4.2, 7, rest)], user=[(3, 3.6, text)]))
        assert rows.filter(channel="user")["kind"].to_list() == [kind]


@pytest.mark.parametrize(
    ("language", "text", "is_question", "is_closing"),
    [
        ("ja", "今日 は 何 時 です か", True, False),
        ("ja", "今日は雨です", False, False),
        ("ja", "はい 、 ありがとう ござい まし た 。 失礼 し ます 。", False, True),
        ("ja", "以上 です 。", False, True),
        ("ja", "待って くれ て ありがとう 、 今日 の 天気 を 教えて ください 。", True, False),
        ("ja", "いつも 元気 です", False, False),
        ("ja", "ﾊﾞｲﾊﾞｲ", False, True),
        ("fr", "quelle heure est-il", True, False),
        ("fr", "euh est-ce que tu connais Lyon", True, False),
        ("fr", "il pleut aujourd'hui", False, False),
        ("fr", "Parfait, merci beaucoup, au revoir !", False, True),
        ("fr", "non merci", False, False),
        ("fr", "merci d'avoir attendu je cherche un train", False, False),
        ("fr", "cest tout merci", False, True),
    ],
)
def test_questions_and_closings(language: str, text: str, is_question: bool, is_closing: bool) -> None:
    assert said(language, text).select("is_question", "is_closing").row(0) == (is_question, is_closing)


def test_a_sentence_left_open() -> None:
    assert said("ja", "駅 まで の 道 を", "駅 に 着い た")["is_complete"].to_list() == [False, None]
    assert said("fr", "je voudrais aller à la", "je voudrais un billet")["is_complete"].to_list() == [False, None]
    assert said("ja", "駅まで行きたい。", "駅までの")["is_complete"].to_list() == [True, None]


def test_words_stand_in_the_text_as_the_language_writes_them() -> None:
    assert said("ja", "今日 は 雨")["text"].item() == "今日は雨"
    assert said("fr", "il pleut")["text"].item() == "il pleut"


@pytest.mark.parametrize(
    ("language", "goodbye"),
    [("ja", "ありがとう ござい まし た さようなら"), ("fr", "merci au revoir"), ("en", "thanks goodbye")],
)
def test_a_goodbye_wants_no_answer_in_its_own_language_only(language: str, goodbye: str) -> None:
    log = Log(model=[(1, 4)], user=[(5, 7, goodbye)], duration=20)
    assert faults(turns_in(language, log), log) == []
    assert faults(turns_in("de", log), log) == [("d", "no_response", 7.0)]


def test_languages_side_by_side_in_one_batch() -> None:
    logs = [
        Log([(1, 4)], [(5, 7, "thanks goodbye")], 20, "a"),
        Log([(1, 4)], [(5, 7, "さようなら")], 20, "b"),
        Log([(1, 4)], [(5, 7, "thanks goodbye")], 20, "c"),
        Log([(1, 4)], [(5, 7, "thanks goodbye")], 20, "e"),
    ]
    named = {"a": None, "b": "ja-JP", "c": "de-DE", "e": "en_US"}
    turns = TURNS.conform(find_turns(activity_of(logs), words_of(logs), list(named), TurnRules(), named))
    by_dialogue = turns.unique(["dialogue_id", "lexicon"]).sort("dialogue_id")
    assert by_dialogue.select("dialogue_id", "lexicon").rows() == [("a", "en"), ("b", "ja"), ("c", None), ("e", "en")]
    assert faults(turns, *logs) == [("c", "no_response", 7.0)]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from([None, "en-GB", "ja", "fr", "de"]), min_size=5, max_size=5), batches())
def test_a_dialogue_is_read_alike_beside_others_and_alone(tags: list[str | None], logs: list[Log]) -> None:
    named = {log.name: tag for log, tag in zip(logs, tags, strict=False)}
    together = TURNS.conform(find_turns(activity_of(logs), words_of(logs), list(named), TurnRules(), named))
    alone = [turns_in(named[log.name], log) for log in logs]
    assert together.equals(pl.concat(alone).sort("dialogue_id", "turn_index"))
    events = find_events(activity_of(logs), together, words_of(logs), list(named), IssueRules())
    parts = [
        find_events(activity_of([log]), part, words_of([log]), [log.name], IssueRules())
        for log, part in zip(logs, alone, strict=True)
    ]
    assert TIMING_EVENTS.conform(events).equals(TIMING_EVENTS.conform(pl.concat(parts)))


def test_words_of_an_unknown_language_tell_nothing_but_marks_and_lengths_do() -> None:
    log = Log(model=[(1, 9, "das ist eine lange Geschichte.")], user=[(3, 3.6, "yeah"), (10, 12, "Warum das denn?")])
    rows = turns_in("de", log)
    assert rows.select("kind", "is_question", "is_closing").rows() == [
        ("utterance", False, None),
        ("backchannel", False, None),
        ("utterance", True, None),
    ]
    short_answer = Log(model=[(1, 2.9, "wie geht es")], user=[(3.5, 4, "okay")])
    assert turns_in("de", short_answer)["kind"].to_list() == ["utterance", "utterance"]
    assert turns_in("de", short_answer)["is_question"].to_list() == [None, None]


def test_a_tag_that_says_nothing_falls_back_to_the_setting() -> None:
    assert spoken(None, "fr").language == spoken("und", "fr").language == spoken("", "fr-CA").language == "fr"
    assert spoken("JA", "fr") == load("ja-JP")
    assert spoken("tlh", "en") is NO_LANGUAGE


@pytest.mark.parametrize("language", languages())
def test_every_lexicon_says_something_of_everything(language: str) -> None:
    lexicon = load(language)
    allowed_empty = {
        "misheard_farewells",
        "misheard_leads",
        "question_openers",
        "question_leads",
        "question_endings",
        "finished",
        "clause_openers",
    }
    fields = set(Lexicon.model_fields) - allowed_empty
    assert [name for name in sorted(fields) if not getattr(lexicon, name) and name != "joiner"] == []
    assert all(getattr(lexicon.complaints, kind) for kind in type(lexicon.complaints).model_fields)
