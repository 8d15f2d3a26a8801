"""Word times mended: what is moved, what is left alone, and what holds of every word."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audio.words.config import MendConfig
from audio.words.mend import mend
from schemas.words import WORDS
from tests.audio.words_frames import LOG_S, Spans, activity, heard, language

Words = list[tuple[str, float | None, float | None]]
Rows = list[tuple[Any, ...]]


def mended(
    words: Words, spans: Spans, tag: str = "en", source: str = "given", config: MendConfig | None = None
) -> Rows:
    speech = activity({("d", "model"): spans, ("d", "user"): [(0.0, LOG_S)]})
    frame = mend(heard(*words, source=source), speech, language(tag), config or MendConfig())
    WORDS.conform(frame.with_columns(pl.lit("given").alias("asr")))
    return frame.select("text", "start_s", "end_s", "timing_source").rows()


def test_the_last_word_before_silence_is_cut_where_the_speech_ends() -> None:
    assert mended([("it", 10.0, 10.2), ("rains.", 10.2, 13.9)], [(9.9, 10.8)])[1] == ("rains.", 10.2, 10.8, "snapped")


def test_a_word_that_ends_a_little_after_the_speech_keeps_its_end() -> None:
    assert mended([("rains.", 10.2, 11.0)], [(9.9, 10.8)]) == [("rains.", 10.2, 11.0, "given")]


def test_the_first_word_after_silence_keeps_its_end() -> None:
    words: Words = [("Well,", 3.0, 10.5), ("it", 10.5, 10.7)]

    assert mended(words, [(1.0, 2.0), (10.1, 12.0)])[0] == ("Well,", 10.1, 10.5, "snapped")


@pytest.mark.parametrize(
    ("text", "before", "expected"),
    [
        ("the", None, (12.71, 14.0)),
        ("the", "and", (11.0, 12.29)),
        ("the", "ended.", (12.71, 14.0)),
        ("internationalisation,", None, (11.0, 14.0)),
        ("1984", None, (11.0, 14.0)),
        ("in the end of all", None, (11.0, 14.0)),
    ],
)
def test_a_word_is_drawn_out_no_longer_than_anyone_does(
    text: str, before: str | None, expected: tuple[float, float]
) -> None:
    words: Words = [(text, 11.0, 14.0), ("cat", 14.0, 14.3)]

    rows = mended(words if before is None else [(before, 10.7, 11.0), *words], [(10.7, 15.0)])

    assert rows[-2][1:3] == expected


@pytest.mark.parametrize(("tag", "seconds"), [("ja", 1.42), ("ja-JP", 1.42), ("en", 1.42), ("sw", 1.46)])
def test_kana_count_as_morae_and_unknown_languages_get_the_widest_limits(tag: str, seconds: float) -> None:
    rows = mended([("あの", 11.0, 15.0)], [(10.7, 15.0)], tag)

    assert rows[0][2] - rows[0][1] == pytest.approx(seconds)


# --- words without times


def test_words_without_times_share_the_speech_between_their_neighbours() -> None:
    words: Words = [("pay", 1.0, 1.2), ("20", None, None), ("dollars", None, None), ("now", 6.0, 6.2)]

    rows = mended(words, [(1.0, 1.5), (5.0, 6.3)])

    # 0.3 s of speech before the silence and 1 s after it: 10 of 17 letters are "20".
    assert rows[1] == ("20", 5.0, 5.464, "interpolated")
    assert rows[2] == ("dollars", 5.464, 6.0, "interpolated")


def test_words_without_times_at_the_edges_lie_next_to_the_words_with_times() -> None:
    words: Words = [("7", None, None), ("is", 4.0, 4.2), ("it", None, np.nan)]

    rows = mended(words, [(1.0, 9.0)])

    assert rows == [
        ("7", 3.667, 4.0, "interpolated"),
        ("is", 4.0, 4.2, "given"),
        ("it", 4.2, 4.333, "interpolated"),
    ]


def test_a_channel_without_any_times_is_spread_over_its_speech() -> None:
    rows = mended([("aaaa", None, None), ("bbbb", None, None)], [(2.0, 2.4), (8.0, 8.4)])

    assert rows == [("aaaa", 2.0, 2.4, "interpolated"), ("bbbb", 8.0, 8.4, "interpolated")]


def test_words_without_times_in_no_speech_stay_and_are_not_lost() -> None:
    rows = mended([("a", None, None), ("b", None, None)], [])

    assert [row[0] for row in rows] == ["a", "b"]
    assert {row[3] for row in rows} == {"interpolated"}


def test_a_word_without_width_gets_some_where_there_is_room() -> None:
    words: Words = [("it", 1.0, 1.0), ("is", 3.0, 3.0), ("so", 3.05, 3.3), ("we", 5.0, 5.0), ("go", 5.0, 5.4)]

    rows = mended(words, [(0.9, 6.0)])

    assert rows == [
        ("it", 1.0, 1.133, "interpolated"),
        ("is", 3.0, 3.05, "interpolated"),
        ("so", 3.05, 3.3, "given"),
        ("we", 5.0, 5.2, "interpolated"),
        ("go", 5.2, 5.4, "snapped"),
    ]


# --- offsets and drift


def talk(seed: int, stretches: int = 10, at: float = 2.0) -> tuple[Words, Spans]:
    """Words that lie in the speech as a VAD draws it: stretches of 0.6-3 s, pauses of 0.4-4 s."""
    draw = np.random.default_rng(seed)
    words: Words = []
    spans: Spans = []
    for _ in range(stretches):
        count = int(draw.integers(2, 10))
        length = 0.3 * count
        for i in range(count):
            words.append((f"w{len(words)}", round(at + i * 0.3, 3), round(at + i * 0.3 + 0.28, 3)))
        spans.append((round(at - draw.uniform(0.01, 0.08), 2), round(at + length + draw.uniform(0, 0.1), 2)))
        at += length + float(draw.uniform(0.4, 4.0))
    return words, [(max(a, 0.0), b) for a, b in spans]


def moved_by(words: Words, seconds: float, since: float = 0.0) -> Words:
    return [
        (t, a + seconds, b + seconds) if a is not None and b is not None and a >= since else (t, a, b)
        for t, a, b in words
    ]


def errors(rows: Rows, words: Words) -> list[float]:
    return [abs(row[1] - (word[1] or 0.0)) for row, word in zip(rows, words, strict=True)]


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_words_that_lie_in_their_speech_are_left_alone(seed: int) -> None:
    words, spans = talk(seed)

    assert [row[1:] for row in mended(words, spans)] == [(a, b, "given") for _, a, b in words]


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6), offset=st.integers(500, 4500), sign=st.sampled_from([-1, 1]))
def test_a_constant_offset_is_taken_out(seed: int, offset: int, sign: int) -> None:
    words, spans = talk(seed, stretches=12, at=6.0)

    rows = mended(moved_by(words, sign * offset / 1000), spans)

    assert max(errors(rows, words)) <= 0.12
    assert {row[3] for row in rows} == {"snapped"}


def test_a_drift_after_a_long_silence_is_taken_out_from_there_on() -> None:
    before, spans = talk(3, stretches=6)
    after, more = talk(4, stretches=5, at=34.0)
    words = before + after

    rows = mended(moved_by(words, 3.0, since=30.0), spans + more)

    assert [row[3] for row in rows[: len(before)]] == ["given"] * len(before)
    assert {row[3] for row in rows[len(before) :]} == {"snapped"}
    assert max(errors(rows, words)) <= 0.12


def test_words_of_another_log_are_not_moved_about() -> None:
    names = [f"d{i}" for i in range(200)]
    words = pl.concat(heard(*talk(i)[0], name=name) for i, name in enumerate(names))
    speech = activity({(name, "model"): talk(1000 + i)[1] for i, name in enumerate(names)})
    whole = MendConfig()
    still = whole.model_copy(update={"max_offset_s": 0.0})

    rows, left = (mend(words, speech, language("en", *names), config) for config in (whole, still))

    moved = rows.filter(rows["start_s"] != left["start_s"])["dialogue_id"].n_unique()
    assert moved <= 2


def test_invented_words_in_silence_are_not_moved_onto_speech() -> None:
    words, spans = talk(5, stretches=6)
    invented: Words = [(f"x{i}", (520 + 3 * i) / 10, (522 + 3 * i) / 10) for i in range(8)]

    rows = mended(words + invented, [*spans, (48.0, 50.4)])

    assert [row[1:3] for row in rows] == [word[1:] for word in words + invented]


def test_phrases_invented_after_every_turn_are_not_moved_onto_the_turns() -> None:
    spans = [(1.0, 4.0), (8.0, 11.0), (16.0, 19.5), (25.0, 28.0)]
    invented: Words = [(f"x{i}", b + 1 + i * 0.3, b + 1.25 + i * 0.3) for _, b in spans for i in range(4)]

    rows = mended(invented, spans)

    assert {row[3] for row in rows} == {"given"}


def test_an_offset_beyond_the_bound_is_left() -> None:
    words, spans = talk(6, at=12.0)
    shifted = moved_by(words, -7.0)

    assert mended(shifted, spans, config=MendConfig(max_offset_s=0.0)) == mended(shifted, spans)


# --- what holds of every word

TIMES = st.one_of(
    st.tuples(st.integers(0, 65_000), st.integers(0, 4000)).map(lambda t: (t[0] / 1000, (t[0] + t[1]) / 1000)),
    st.sampled_from([(None, None), (np.nan, np.nan), (30.0, None), (30.0, 30.0)]),
)
CUTS = st.lists(st.integers(1, 590), max_size=24, unique=True)
TEXTS = st.sampled_from(["the", "42", "I", "uh-huh.", "1,984", "", "ありがとう", "internationally"])


@settings(max_examples=80, deadline=None)
@given(times=st.lists(st.tuples(TEXTS, TIMES), max_size=14), cuts=CUTS, tag=st.sampled_from(["en", "ja", None]))
def test_what_holds_of_every_word(times: list[tuple[str, tuple[Any, Any]]], cuts: list[int], tag: str | None) -> None:
    spans = [(a / 10, b / 10) for a, b in zip(*[iter(sorted(cuts))] * 2, strict=False)]
    words: Words = [(text, start, end) for text, (start, end) in times]
    rows = mended(words, spans, tag)  # type: ignore[arg-type]

    assert sorted(row[0] for row in rows) == sorted(word[0] for word in words)
    starts = [row[1] for row in rows]
    assert starts == sorted(starts)
    assert all(0 <= row[1] <= row[2] <= LOG_S for row in rows)
    came = {(start, end) for _, start, end in words}
    starts_that_came = {start for _, start, _ in words}
    for one, two in pairwise(rows):
        assert one[2] <= two[1] or ((one[1], one[2]) in came and two[1] in starts_that_came)


@settings(max_examples=60, deadline=None)
@given(
    gaps=st.lists(st.tuples(st.integers(0, 4000), st.one_of(st.none(), st.integers(0, 3000))), max_size=14), cuts=CUTS
)
def test_words_that_came_in_order_keep_it(gaps: list[tuple[int, int | None]], cuts: list[int]) -> None:
    spans = [(a / 10, b / 10) for a, b in zip(*[iter(sorted(cuts))] * 2, strict=False)]
    words: Words = []
    at = 0
    for i, (gap, length) in enumerate(gaps):
        at += gap
        if length is None:
            words.append((f"w{i}", None, None))
        else:
            words.append((f"w{i}", at / 1000, (at + length) / 1000))
            at += length
    rows = mended(words, spans)

    assert [row[0] for row in rows] == [word[0] for word in words]


def test_many_dialogues_at_once_are_as_one_by_one() -> None:
    parts, speech = [], {}
    for i in range(8):
        words, spans = talk(i, stretches=5)
        words = moved_by(words, 1.5) if i % 2 else words
        words[3] = ("42", None, None)
        speech[f"d{i}", "user"] = spans
        parts.append(heard(*words, channel="user", name=f"d{i}"))
    names = [name for name, _ in speech]

    together = mend(pl.concat(parts), activity(speech), language("en", *names), MendConfig())

    alone = [
        mend(part, activity({key: speech[key]}), language("en", key[0]), MendConfig())
        for part, key in zip(parts, speech, strict=True)
    ]
    assert together.equals(pl.concat(alone))


def test_no_words_at_all() -> None:
    assert mended([], [(1.0, 2.0)]) == []
