import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from audio.frames import RATE_HZ, Mask, band_powers, bridge, drop_short, fill, frame_powers, runs, widen

masks = arrays(np.bool_, st.integers(0, 60))


@given(masks)
def test_runs_and_fill_are_inverse(mask: Mask) -> None:
    assert np.array_equal(fill(runs(mask), len(mask)), mask)


@given(masks, st.integers(0, 8), st.integers(0, 8))
def test_widen_reaches_just_as_far(mask: Mask, before: int, after: int) -> None:
    wide = widen(mask, before, after)
    for i in range(len(mask)):
        assert wide[i] == mask[max(i - after, 0) : i + before + 1].any()


@given(masks, st.integers(1, 10))
def test_bridge_leaves_no_short_gap_and_touches_nothing_else(mask: Mask, gap: int) -> None:
    bridged = bridge(mask, gap)
    assert (bridged | ~mask).all()
    inner = runs(~bridged)
    inner = inner[(inner[:, 0] > 0) & (inner[:, 1] < len(mask))]
    assert ((inner[:, 1] - inner[:, 0]) >= gap).all()
    added = runs(bridged & ~mask)
    assert ((added[:, 1] - added[:, 0]) < gap).all()


@given(masks, st.integers(1, 10))
def test_drop_short_keeps_the_long_runs_whole(mask: Mask, least: int) -> None:
    kept = runs(drop_short(mask, least)).tolist()
    assert kept == [run for run in runs(mask).tolist() if run[1] - run[0] >= least]


@given(st.integers(0, 5000))
def test_every_sample_has_a_frame(n: int) -> None:
    samples = np.ones(n, np.float32)
    powers = frame_powers(samples)
    assert len(powers) == -(-n * 100 // RATE_HZ) == len(band_powers(samples))
    assert np.allclose(powers, 1)


def test_a_tone_lies_in_its_band_and_frame() -> None:
    tone = np.zeros(RATE_HZ, np.float32)
    t = np.arange(1600) / RATE_HZ
    tone[8000:9600] = np.sin(2 * np.pi * 1100 * t)
    powers = band_powers(tone)
    assert powers.sum(axis=0).argmax() == 6, "1000-1270 Hz"
    sounding = np.flatnonzero(powers.sum(axis=1) > powers.sum(axis=1).max() / 4)
    assert (sounding[0], sounding[-1]) == (50, 59)
