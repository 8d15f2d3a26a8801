"""Words that are not believed, and their look-alikes that are."""

from __future__ import annotations

import re

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audio.words.config import DoubtConfig, WordsConfig
from audio.words.doubt import doubt
from audio.words.language import languages, letters, silence_pattern
from audio.words.mend import mend
from schemas.reasons import WordDoubt
from schemas.words import WORDS
from tests.audio.words_frames import Spans, activity, heard, language

Timed = list[tuple[str, float | None, float | None]]


def spoken(text: str, start: float, end: float) -> Timed:
    """The words of a text, spread evenly."""
    words = text.split()
    step = (end - start) / len(words)
    return [(w, round(start + i * step, 3), round(start + (i + 1) * step, 3)) for i, w in enumerate(words)]


def doubted(
    frame: pl.DataFrame, speech: pl.DataFrame, tag: str | None = "en", asr: str = "faster-whisper"
) -> pl.DataFrame:
    config = WordsConfig()
    named = frame.with_columns(pl.lit(asr).alias("asr"))
    rows = doubt(mend(named, speech, language(tag), config.mend), speech, language(tag), config)
    return WORDS.conform(rows)


def reasons(words: Timed, spans: Spans, tag: str | None = "en", asr: str = "faster-whisper") -> list[str | None]:
    return doubted(heard(*words), activity({("d", "model"): spans}), tag, asr)["dropped"].to_list()


# --- repetition


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("no no no", 1.0),
        ("No. No, no, no, no!", 1.6),
        ("that is very very very good", 1.8),
        ("thank you thank you thank you so much", 2.0),
        ("Hello? Are you there? Hello? Are you there? Hello? Are you there?", 4.0),
        ("ha ha ha", 0.6),
        ("No, no, no, no, no, no!", 3.0),
        ("I I I I I I think so", 2.6),
        ("one two three one two three one two three one two three", 3.2),
    ],
)
def test_what_people_repeat_stays(text: str, seconds: float) -> None:
    assert set(reasons(spoken(text, 1.0, 1.0 + seconds), [(0.9, 1.1 + seconds)])) == {None}


@pytest.mark.parametrize(
    ("text", "times", "seconds", "stay"),
    [
        ("thank you.", 4, 0.9, 2),
        ("thank you.", 4, 12.0, 2),
        ("thank you.", 6, 3.2, 6),
        ("you", 30, 9.0, 3),
        ("I don't know what to do with all of this right now.", 8, 20.0, 36),
    ],
)
def test_loops_keep_their_first_times(text: str, times: int, seconds: float, stay: int) -> None:
    words = spoken(" ".join(["So", *[text] * times, "Anyway"]), 1.0, 1.0 + seconds)

    found = reasons(words, [(0.9, 1.1 + seconds)])

    assert found[: stay + 1] == [None] * (stay + 1)
    assert set(found[stay + 1 : -1]) == {"repetition"}
    assert found[-1] is None


def test_a_sentence_said_once_and_looped_over_the_rest_of_its_speech_is_believed_once() -> None:
    sentence = "I don't know what to do with all of this right now."
    words = spoken(sentence, 1.0, 4.0) + spoken(" ".join([sentence] * 5), 4.0, 4.4)

    assert reasons(words, [(0.9, 4.5)]) == [None] * 12 + ["repetition"] * 60


def test_a_models_own_loop_in_its_own_text_stays() -> None:
    words = spoken("Wear warm layers, waterproof boots, gloves and a hat. " * 8, 1.0, 25.0)

    assert set(reasons(words, [(0.9, 25.1)], asr="given")) == {None}
    assert reasons(words, [(0.9, 25.1)], asr="pocketsphinx").count("repetition") == 5 * 9


def test_loops_do_not_cross_channels() -> None:
    words = pl.concat([heard(*spoken("no " * 5, 1.0, 2.0), channel=side) for side in ("model", "user")])
    speech = activity({("d", "model"): [(0.9, 2.1)], ("d", "user"): [(0.9, 2.1)]})

    assert doubted(words, speech)["dropped"].null_count() == 10


# --- rate


def test_an_impossible_rate_is_doubted_and_the_speech_around_it_is_not() -> None:
    before, after = spoken("I would like to know", 1.0, 2.5), spoken("about the weather in Lisbon", 3.0, 5.0)
    burst = spoken("and then they went over there with him so we could all see it again", 2.5, 3.0)

    found = reasons(before + burst + after, [(0.9, 5.1)])

    assert found == [None] * 5 + ["impossible_rate"] * 15 + [None] * 5


def test_text_that_does_not_fit_its_speech_is_doubted() -> None:
    words = spoken("The President of the United States spoke yesterday", 1.0, 1.25)

    assert set(reasons(words, [(0.95, 1.3)])) == {"impossible_rate"}


@pytest.mark.parametrize(
    ("text", "seconds", "tag"),
    [
        ("I was like you know what I mean it is all up to him now and then", 2.4, "en"),
        ("I don't know", 0.4, "en"),
        ("je ne sais pas ce que tu as fait mais il y en a plus du tout", 2.4, "fr"),
        ("きょう の てんき を おしえて ください それ から あした の よてい も", 3.2, "ja"),
        ("a b c d e f g h i j k l", 3.0, None),
    ],
)
def test_fast_people_are_believed(text: str, seconds: float, tag: str | None) -> None:
    assert set(reasons(spoken(text, 1.0, 1.0 + seconds), [(0.95, 1.05 + seconds)], tag)) == {None}


def test_japanese_is_counted_in_morae() -> None:
    text = "きょうのてんきを おしえてください それからあしたのよていも ぜんぶおねがいします"

    assert set(reasons(spoken(text, 1.0, 1.8), [(0.95, 1.85)], "ja")) == {"impossible_rate"}
    assert set(reasons(spoken(text, 1.0, 6.0), [(0.95, 6.05)], "ja")) == {None}


@pytest.mark.parametrize(
    ("text", "n"),
    [("cat", 3), ("Don't!", 4), ("42", 10), ("きょう", 4), ("カー", 4), ("今日", 8), ("안녕", 6), ("...", 0), ("é", 1)],
)
def test_letters(text: str, n: int) -> None:
    assert letters(pl.Series([text])).tolist() == [n]


# --- phrases on silence

WEAK = {(20.0, 21.5): -42.0}


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("Thank you.", "en"),
        ("Thank you. Thank you.", "en"),
        ("Thanks for watching!", "en"),
        ("Subtitles by the Amara.org community", "en"),
        ("ご視聴 ありがとう ございました 。", "ja"),
        ("ご視聴ありがとうございました", "en"),
        ("Sous-titres réalisés par la communauté d'Amara.org", "fr"),
        ("Sous-titrage ST' 501", "fr"),
    ],
)
def test_a_known_phrase_is_doubted_on_weak_or_short_speech_and_believed_where_it_was_said(text: str, tag: str) -> None:
    words = spoken(text, 20.0, 21.5)
    spans = [(2.0, 8.0), (20.0, 21.5)]
    weak = activity({("d", "model"): spans}, segment_db=WEAK)
    loud = activity({("d", "model"): spans})

    assert set(doubted(heard(*words), weak, tag)["dropped"]) == {"silence_phrase"}
    assert set(doubted(heard(*words), loud, tag)["dropped"]) == {None}


def test_a_known_phrase_on_a_click_is_doubted() -> None:
    assert set(reasons(spoken("Thank you for watching", 20.0, 20.3), [(20.0, 20.3)])) == {"silence_phrase"}


@pytest.mark.parametrize(
    "text", ["Thank you for the music tip", "So thanks for watching my cat", "I copyright my songs"]
)
def test_phrases_inside_other_words_are_believed(text: str) -> None:
    speech = activity({("d", "model"): [(2.0, 8.0), (20.0, 21.5)]}, segment_db=WEAK)

    assert set(doubted(heard(*spoken(text, 20.0, 21.5)), speech)["dropped"]) == {None}


def test_every_phrase_of_every_language_is_plain_enough_to_be_found() -> None:
    assert {"en", "fr", "ja", "default"} <= set(languages())
    for language_ in languages().values():
        for text in language_.silence_phrases + language_.silence_openings:
            assert re.sub(r"[\W_]+", "", text.lower())
            assert pl.Series([re.sub(r"[\W_]+", "", text.lower())]).str.contains(silence_pattern()).item()


# --- echo


def two_sides(user: Timed, user_db: float, leak_db: float | None) -> list[str | None]:
    """Reasons of the user's words, while the model says a sentence at -20 dB; the user's own level is -26 dB."""
    model = heard(*spoken("Paris is the capital of France and its largest city", 10.0, 13.0))
    segments = {(10.05, 13.2): user_db}
    speech = activity(
        {("d", "model"): [(9.9, 13.1)], ("d", "user"): [(2.0, 6.0), (10.05, 13.2), (13.9, 16.0)]},
        leak_db=leak_db,
        segment_db=segments,
    )
    rows = doubted(pl.concat([model, heard(*user, channel="user")]), speech)
    assert rows.filter(pl.col("channel") == "model")["dropped"].null_count() == 10
    return rows.filter(pl.col("channel") == "user")["dropped"].to_list()


LEAKED = spoken("Paris is the capitol of France and its largest city", 10.1, 13.1)


def test_the_other_sides_words_in_its_leak_are_its_echo() -> None:
    assert two_sides(LEAKED, -46.0, -26.0) == ["echo"] * 10


@pytest.mark.parametrize(("user_db", "leak_db"), [(-30.0, -26.0), (-46.0, None)])
def test_loud_words_and_words_on_a_channel_without_leak_are_no_echo(user_db: float, leak_db: float | None) -> None:
    assert two_sides(LEAKED, user_db, leak_db) == [None] * 10


def test_a_user_who_repeats_the_model_is_believed() -> None:
    after = [(text, a + 3.9, b + 3.9) for text, a, b in spoken("the largest city of France", 10.1, 12.0)]  # type: ignore[operator]
    own_words = spoken("wait what about Lyon and Marseille then", 10.2, 13.0)

    assert two_sides(after, -46.0, -26.0) == [None] * 5
    assert two_sides(own_words, -46.0, -26.0) == [None] * 7


# --- all together


def test_reasons_found_before_stay_and_no_words_are_no_trouble() -> None:
    assert reasons([("", 1.0, 1.2), ("a", 30.0, 30.2)], [(0.9, 1.5)]) == ["empty_text", "no_own_speech"]
    assert reasons([], [(0.9, 1.5)]) == []


def test_many_dialogues_at_once_are_as_one_by_one() -> None:
    texts = ["no " * 12, "Thanks for watching!", "I would like to know", "so " * 40]
    speech = {(f"d{i}", "user"): [(0.9, 2.1)] for i in range(4)}
    parts = [heard(*spoken(text, 1.0, 2.0), channel="user", name=f"d{i}") for i, text in enumerate(texts)]

    def one(part: pl.DataFrame) -> pl.DataFrame:
        names = part["dialogue_id"].unique().to_list()
        some = activity({key: spans for key, spans in speech.items() if key[0] in names}, leak_db=-20.0)
        config = WordsConfig()
        words = mend(part.with_columns(pl.lit("x").alias("asr")), some, language("en", *names), config.mend)
        return doubt(words, some, language("en", *names), config)

    together = one(pl.concat(parts))
    assert together.equals(pl.concat([one(part) for part in parts]))
    assert together["dropped"].null_count() < len(together)


@settings(max_examples=60, deadline=None)
@given(
    texts=st.lists(st.sampled_from(["no", "thank", "you", "bye", "...", "42", "ご視聴"]), max_size=30),
    length=st.integers(20, 9000),
    asr=st.sampled_from(["given", "pocketsphinx"]),
)
def test_times_texts_and_order_are_never_touched(texts: list[str], length: int, asr: str) -> None:
    words = spoken(" ".join(texts), 1.0, 1.0 + length / 1000) if texts else []
    speech = activity({("d", "model"): [(0.9, 1.1 + length / 1000)], ("d", "user"): []}, leak_db=-30.0)
    config = WordsConfig()
    before = mend(heard(*words).with_columns(pl.lit(asr).alias("asr")), speech, language(), config.mend)

    after = doubt(before, speech, language(), config)

    assert after.drop("dropped").equals(before.drop("dropped"))
    assert set(after["dropped"].drop_nulls()) <= {doubt_.value for doubt_ in WordDoubt}


def test_thresholds_are_settings() -> None:
    words = heard(*spoken("no no no", 1.0, 1.9)).with_columns(pl.lit("x").alias("asr"))
    speech = activity({("d", "model"): [(0.9, 2.0)]})
    strict = WordsConfig(doubt=DoubtConfig(loop_word_repeats=2, loop_keep=1))
    rows = doubt(mend(words, speech, language(), strict.mend), speech, language(), strict)

    assert rows["dropped"].to_list() == [None, "repetition", "repetition"]
