"""Seconds, milliseconds, samples and frames agree with each other everywhere."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from schemas.clock import (
    array_to_ms,
    array_to_s,
    frame_to_seconds,
    frames_that_cover,
    frames_to_ms,
    ms_expr,
    round_s,
    samples_to_seconds,
    seconds_to_frame,
    seconds_to_samples,
    to_ms,
    window_start_frame,
)

MILLISECONDS = st.integers(0, 24 * 3600 * 1000)
RATES = st.sampled_from([8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000])


@given(MILLISECONDS)
def test_a_time_on_the_grid_survives_every_way_of_writing_it(ms: int) -> None:
    seconds = ms / 1000
    assert to_ms(seconds) == ms
    assert array_to_ms([seconds])[0] == ms
    assert array_to_s([ms])[0] == seconds
    assert pl.DataFrame({"t_s": [seconds]}).select(ms_expr("t_s")).item() == ms
    assert round_s(seconds) == seconds


@given(MILLISECONDS, RATES)
def test_samples_come_back_to_the_same_millisecond(ms: int, rate_hz: int) -> None:
    assert to_ms(samples_to_seconds(seconds_to_samples(ms / 1000, rate_hz), rate_hz)) == ms


@given(st.lists(st.floats(-1e5, 1e5), min_size=1))
def test_scalars_arrays_and_columns_round_alike(seconds: list[float]) -> None:
    scalars = [to_ms(value) for value in seconds]
    assert array_to_ms(seconds).tolist() == scalars
    assert np.array_equal(array_to_s(scalars), np.array([ms / 1000 for ms in scalars]))


@given(MILLISECONDS)
def test_a_frame_holds_its_time(ms: int) -> None:
    frame = seconds_to_frame(ms / 1000)
    assert to_ms(frame_to_seconds(frame)) <= ms < to_ms(frame_to_seconds(frame + 1))
    assert window_start_frame(ms / 1000) == max(0, frame - 1)


def test_halves_go_away_from_zero_as_people_expect_of_a_clock() -> None:
    assert [to_ms(x) for x in (0.0005, -0.0005, 0.0015, 0.00049)] == [1, -1, 2, 0]


@given(MILLISECONDS, st.sampled_from([12.5, 25.0, 50.0, 10.0, 8.0]))
def test_frames_of_any_rate_cover_a_stretch_with_none_to_spare(ms: int, rate_hz: float) -> None:
    n = frames_that_cover(ms / 1000, rate_hz)
    assert frames_to_ms(n, rate_hz) >= ms
    assert n == 0 or frames_to_ms(n - 1, rate_hz) < ms


def test_moshi_frames_are_80_ms() -> None:
    assert frames_to_ms([0, 1, 25], 12.5).tolist() == [0, 80, 2000]
    assert frames_to_ms([3, 3], [12.5, 30.0]).tolist() == [240, 100]
    assert frames_that_cover(0.081, 12.5) == 2
