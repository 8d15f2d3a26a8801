"""Words held against the speech of their channel."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audio.words.channels import Speech, number
from audio.words.hold import hold_to_speech
from schemas.clock import to_ms
from schemas.words import WORDS
from tests.audio.words_frames import Spans, activity, heard


def hold(words: pl.DataFrame, activity_rows: pl.DataFrame, tolerance_s: float, bridge_s: float) -> pl.DataFrame:
    numbered, rows = number(words, activity_rows)
    frame = hold_to_speech(numbered, Speech.of(rows).bridged(to_ms(bridge_s)), to_ms(tolerance_s))
    return frame.with_columns(pl.int_range(pl.len(), dtype=pl.Int64).over("group").alias("word_index")).drop("group")


def held(words: pl.DataFrame, spans: Spans, tolerance_s: float = 0.25) -> list[tuple[Any, ...]]:
    speech = activity({("d", "model"): spans, ("d", "user"): [(0.0, 60.0)]})
    frame = hold(words, speech, tolerance_s, 0.0)
    return frame.select("text", "start_s", "end_s", "timing_source", "dropped").rows()


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ((10.2, 10.6), (10.2, 10.6, "given", None)),
        ((6.0, 10.6), (10.0, 10.6, "snapped", None)),
        ((9.9, 10.3), (10.0, 10.3, "snapped", None)),
        ((9.7, 9.9), (10.0, 10.2, "snapped", None)),
        ((11.9, 12.4), (11.9, 12.4, "given", None)),
        ((12.2, 12.5), (12.2, 12.5, "given", None)),
        ((11.95, 14.5), (14.0, 14.5, "snapped", None)),
        ((12.5, 13.5), (12.5, 13.5, "given", "no_own_speech")),
        ((9.0, 9.7), (9.0, 9.7, "given", "no_own_speech")),
        ((30.0, 31.0), (30.0, 31.0, "given", "no_own_speech")),
        ((10.5, 10.5), (10.5, 10.5, "given", None)),
    ],
)
def test_a_word_is_held_by_own_speech_or_dropped(word: tuple[float, float], expected: tuple[Any, ...]) -> None:
    assert held(heard(("w", *word)), [(10.0, 12.0), (14.0, 15.0)]) == [("w", *expected)]


def test_words_of_a_silent_channel_are_all_dropped() -> None:
    rows = held(heard(("a", 1.0, 1.2), ("b", 2.0, 2.2)), [])

    assert [row[-1] for row in rows] == ["no_own_speech"] * 2


def test_the_other_channels_speech_holds_nothing() -> None:
    words = pl.concat([heard(("m", 1.0, 1.2)), heard(("u", 1.0, 1.2), channel="user")])
    frame = hold(words, activity({("d", "user"): [(0.9, 1.5)], ("d", "model"): []}), 0.25, 0.0)

    assert dict(frame.select("channel", "dropped").rows()) == {"model": "no_own_speech", "user": None}


def test_many_dialogues_at_once_are_as_one_by_one() -> None:
    speech = {("a", "model"): [(1.0, 2.0)], ("b", "model"): [(3.0, 4.0)], ("c", "user"): [(5.0, 6.0)]}
    parts = [heard(("x", 0.9, 1.5), ("y", 3.5, 3.6), name=name, channel=side) for name, side in speech]

    together = hold(pl.concat(parts), activity(speech), 0.25, 0.0)

    alone = [hold(part, activity({key: speech[key]}), 0.25, 0.0) for part, key in zip(parts, speech, strict=True)]
    assert together.equals(pl.concat(alone))


SPANS = st.lists(st.integers(1, 400), max_size=16, unique=True).map(
    lambda cuts: [(a / 10, b / 10) for a, b in zip(*[iter(sorted(cuts))] * 2, strict=False)]
)


@settings(max_examples=150, deadline=None)
@given(
    spans=SPANS,
    words=st.lists(st.tuples(st.integers(0, 45_000), st.integers(0, 3000)), max_size=12),
    tolerance_s=st.sampled_from([0.0, 0.1, 0.25]),
)
def test_what_holds_of_every_word(spans: Spans, words: list[tuple[int, int]], tolerance_s: float) -> None:
    given_words = [(str(i), start / 1000, (start + length) / 1000) for i, (start, length) in enumerate(words)]

    frame = hold(heard(*given_words), activity({("d", "model"): spans}), tolerance_s, 0.0)

    WORDS.conform(frame.with_columns(pl.lit("given").alias("asr")))
    assert frame["start_s"].is_sorted()
    assert sorted(frame["text"]) == sorted(word[0] for word in given_words)
    before = {word[0]: word[1:] for word in given_words}
    for text, start, end, source, dropped in frame.select(
        "text", "start_s", "end_s", "timing_source", "dropped"
    ).rows():
        apart = min((max(a - before[text][1], before[text][0] - b, 0.0) for a, b in spans), default=99.0)
        if dropped:
            assert apart > tolerance_s
            assert (start, end) == before[text]
        else:
            assert apart <= tolerance_s + 1e-9
            assert any(a - 1e-9 <= start <= b + tolerance_s + 1e-9 for a, b in spans)
            assert start >= before[text][0]
            assert (source == "snapped") == (start != before[text][0])


def test_short_gaps_of_the_speech_do_not_part_it() -> None:
    speech = activity({("d", "model"): [(10.0, 10.5), (10.6, 11.0)]})

    parted, bridged = (hold(heard(("w", 10.3, 10.9)), speech, 0.25, gap) for gap in (0.1, 0.2))

    assert (parted["start_s"].item(), bridged["start_s"].item()) == (10.6, 10.3)


def test_a_guess_stays_a_guess_wherever_it_is_held() -> None:
    words = heard(("w", 9.9, 10.3), source="interpolated")

    assert held(words, [(10.0, 12.0)]) == [("w", 10.0, 10.3, "interpolated", None)]
