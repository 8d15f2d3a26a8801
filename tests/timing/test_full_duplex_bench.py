"""Measures of Full-Duplex-Bench on one sample; "script" is the benchmark's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from timing.full_duplex_bench import (
    BenchRules,
    Times,
    Window,
    backchannels,
    backchannels_compat,
    compat_mean,
    latencies,
    latencies_compat,
    takeover,
    takeover_compat,
)

RULES = BenchRules()
few = settings(max_examples=60, deadline=None)


def times(*spans: tuple[float, float | None]) -> Times:
    return np.array(spans, dtype=np.float64).reshape(-1, 2)


ANSWER = times((3.0, 3.4), (3.4, 4.2), (4.3, 4.9))


@pytest.mark.parametrize(
    ("words", "taken"),
    [
        pytest.param(times(), False, id="silence"),
        pytest.param(times((1, 1.3), (1.4, 1.9)), False, id="short, few words"),
        pytest.param(times((1, 1.2), (1.2, 1.4), (1.4, 1.6), (1.6, 1.8)), True, id="short, four words"),
        pytest.param(times((1, 2.0)), True, id="one second"),
        pytest.param(times((1, 1.2), (3, 3.2), (5, 5.2)), False, id="three blips, far apart"),
        pytest.param(times((1, 1.2), (1.9, None)), False, id="open end"),
    ],
)
def test_what_is_a_turn(words: Times, taken: bool) -> None:
    assert takeover(words, Window(), RULES, mark_s=None).taken is taken


def test_compat_takes_scattered_words_for_one_turn() -> None:
    blips = times((1, 1.2), (3, 3.2), (5, 5.2))
    assert takeover_compat(blips, RULES, mark_s=None).taken
    assert takeover_compat(blips, RULES, mark_s=None).span_s == pytest.approx(4.2)


def test_latency_is_negative_where_the_model_began_before_and_only_compat_clamps() -> None:
    found = takeover(ANSWER, Window(ends_after_s=3.5), RULES, mark_s=3.5)
    assert found.latency_s == -0.5
    assert takeover_compat(ANSWER, RULES, mark_s=3.5).latency_s == -0.5
    assert compat_mean([-0.5, 1.0]) == 0.5
    assert compat_mean([]) is None


def test_the_response_is_the_utterance_in_the_window() -> None:
    words = np.concatenate((times((0.2, 0.4)), ANSWER, times((8, 9.5))))
    assert takeover(words, Window(ends_after_s=2.5), RULES, mark_s=2.5).latency_s == 0.5
    assert takeover(words, Window(starts_from_s=6.0), RULES, mark_s=7.0).latency_s == 1.0
    assert not takeover(words, Window(starts_before_s=3.0), RULES, mark_s=None).taken
    assert takeover_compat(words, RULES, mark_s=2.5).latency_s == pytest.approx(-2.3)


def test_backchannels_are_short_and_turns_are_not_counted() -> None:
    heard = times((2, 2.5), (8, 8.4), (8.5, 8.8), (14, 18))
    words = times((2.1, 2.4), (8.0, 8.7), (14, 15), (15, 16), (16, 18))
    found = backchannels(heard, words, 20.0, np.ones(50) / 50, RULES)
    assert found.taken
    assert found.per_s == pytest.approx(2 / 20)
    assert found.jsd is not None
    assert 0 < found.jsd < 1
    wordy = backchannels(times((2, 2.9)), times((2, 2.2), (2.2, 2.4), (2.4, 2.8)), 20.0, None, RULES)
    assert (wordy.taken, wordy.per_s, wordy.jsd) == (True, 0.0, None)


@pytest.mark.parametrize(
    ("heard", "words", "taken", "n"),
    [
        pytest.param(times(), times(), False, 0, id="silence"),
        pytest.param(times((1, 1.5), (4, 4.4)), times((1, 1.4)), False, 2, id="two backchannels"),
        pytest.param(times((1, 2.5)), times(), True, 1, id="a turn of 1.5 s counts as both"),
        pytest.param(times((1, 2.5), (4, 4.4)), times(), False, 2, id="only the last segment decides"),
        pytest.param(times((1, 1.5), (3, 7), (9, 9.5)), times(), True, 1, id="the first long one ends the count"),
        pytest.param(
            times((1, 1.9)), times((1, 1.2), (1.2, 1.5), (1.5, 1.8)), True, 1, id="three words in less than 1 s"
        ),
        pytest.param(
            times((1, 1.9)), times((1, 1.2), (1.2, 1.5), (1.5, None)), False, 1, id="an open word is passed over"
        ),
    ],
)
def test_compat_backchannels_follow_the_script(heard: Times, words: Times, taken: bool, n: int) -> None:
    found = backchannels_compat(heard, words, 10.0, None, RULES)
    assert found.taken is taken
    assert found.per_s == pytest.approx(n / 10)


def test_divergence_from_people() -> None:
    like_people = np.full(51, 1e-10)
    like_people[10:13] = 1 / 3
    same = backchannels(times((2.05, 2.45)), times(), 10.0, like_people, RULES)
    assert same.jsd == pytest.approx(0, abs=1e-3)
    elsewhere = backchannels(times((8, 8.4)), times(), 10.0, like_people, RULES)
    assert elsewhere.jsd == pytest.approx(1, abs=1e-3)
    assert backchannels(times(), times(), 10.0, like_people, RULES).jsd == 1
    script = backchannels_compat(times((8, 8.4)), times(), 10.0, like_people, RULES)
    assert script.jsd == pytest.approx(np.sqrt(np.log(2)), abs=1e-3)


def test_stop_and_response_of_the_event() -> None:
    model = times((1, 4.0), (4.3, 6.2), (9, 12))
    found = latencies(model, (5.0, 8.5), RULES)
    assert found.stop_s.tolist() == pytest.approx([1.2])
    assert found.response_s.tolist() == pytest.approx([0.5])
    early = latencies(times((1, 4), (8, 12)), (5.0, 8.5), RULES)
    assert early.stop_s.tolist() == []
    assert early.response_s.tolist() == pytest.approx([-0.5])


spans = st.lists(st.tuples(st.integers(1, 3000), st.integers(1, 3000)), max_size=8)


def laid_out(steps: list[tuple[int, int]]) -> Times:
    edges = np.cumsum(np.array(steps, dtype=np.int64).reshape(-1)).reshape(-1, 2)
    return edges / 1000


def bridged(segments: Times, gap_s: float) -> list[list[float]]:
    merged: list[list[float]] = []
    for start, end in segments.tolist():
        if merged and start - merged[-1][1] <= gap_s:
            merged[-1][1] = end
        else:
            merged.append([start, end])
    return merged


@few
@given(spans, spans)
def test_compat_latencies_are_all_overlaps_and_all_silences_after_the_user(user: Any, model: Any) -> None:
    own, other = laid_out(user), laid_out(model)
    found = latencies_compat(own, other, RULES)
    users, models = bridged(own, 0.6), bridged(other, 0.5)
    shared = [min(a[1], b[1]) - max(a[0], b[0]) for a in users for b in models]
    assert found.stop_s.tolist() == pytest.approx([length for length in shared if length > 0], abs=1e-9)
    gaps: dict[float, float] = {}
    for _, end in users:
        later = [start for start, _ in models if start > end]
        if later:
            gaps[later[0]] = later[0] - end
    assert found.response_s.tolist() == pytest.approx(list(gaps.values()), abs=1e-9)


@few
@given(spans, st.integers(0, 20_000))
def test_a_takeover_lies_in_its_window_and_moves_with_time(words: Any, since_ms: int) -> None:
    said, since_s = laid_out(words), since_ms / 1000
    found = takeover(said, Window(starts_from_s=since_s), RULES, mark_s=since_s)
    if found.taken:
        assert found.latency_s is not None
        assert found.latency_s >= 0
    later = takeover(said + 5.0, Window(starts_from_s=since_s + 5.0), RULES, mark_s=since_s + 5.0)
    assert later == found
