"""Clips of own speech: what is in them, how long they are, and how times go back to the log."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audio.asr import CLIP_WORDS
from audio.asr.clips import Clip, ClipConfig, Cutter, to_log
from audio.frames import RATE_HZ, Samples

Spans = list[tuple[float, float]]


def ramp(length_s: float) -> Samples:
    """Samples that say where they are."""
    n = round(length_s * RATE_HZ)
    return np.arange(1, n + 1, dtype=np.float32)


def cut(
    samples: Samples,
    speech: Spans,
    *,
    max_clip_s: float = 30.0,
    apart_s: float = np.inf,
    block: int = 7777,
    config: ClipConfig | None = None,
) -> list[Clip]:
    cutter = Cutter(np.array(speech).reshape(-1, 2), max_clip_s, apart_s, config or ClipConfig())
    clips = [clip for i in range(0, len(samples), block) for clip in cutter.add(samples[i : i + block])]
    return [*clips, *cutter.finish()]


def test_what_is_no_own_speech_is_in_no_clip() -> None:
    [clip] = cut(ramp(20), [(1.0, 2.0), (5.0, 6.0)])

    kept = clip.samples[clip.samples > 0] / RATE_HZ
    inside = ((kept > 0.88) & (kept <= 2.12 + 1e-3)) | ((kept > 4.88) & (kept <= 6.12 + 1e-3))
    assert inside.all()
    assert len(clip.samples) / RATE_HZ == pytest.approx(1.24 + 0.4 + 1.24)
    assert not clip.samples[round(1.24 * RATE_HZ) : round(1.64 * RATE_HZ)].any()


def test_silence_and_length_part_clips() -> None:
    speech = [(1.0, 2.0), (2.5, 3.0), (9.0, 10.0), (10.5, 15.0)]

    apart = cut(ramp(20), speech, apart_s=0.6)
    full = cut(np.ones(20 * RATE_HZ, dtype=np.float32), speech, max_clip_s=4.0)

    assert [clip.log_s.tolist() for clip in apart] == [[0.88, 2.12, 2.38, 3.12], [8.88, 10.12, 10.38, 15.12]]
    assert [clip.log_s[0] for clip in full] == pytest.approx([0.88, 8.88, 12.4], abs=0.01)
    assert all(len(clip.samples) <= 4.0 * RATE_HZ for clip in full)


def test_speech_that_nearly_touches_shares_the_silence_between() -> None:
    [clip] = cut(ramp(5), [(1.0, 2.0), (2.1, 3.0)])

    assert clip.log_s.tolist() == [0.88, 2.05, 2.05, 3.12]
    assert np.array_equal(clip.samples, ramp(5)[round(0.88 * RATE_HZ) : round(3.12 * RATE_HZ)])


def test_long_speech_is_cut_at_its_quietest_place() -> None:
    sound = np.random.default_rng(1).standard_normal(60 * RATE_HZ).astype(np.float32)
    sound[round(17.2 * RATE_HZ) : round(17.3 * RATE_HZ)] *= 0.01

    clips = cut(sound, [(0.0, 50.0)], max_clip_s=20.0)

    assert clips[0].log_s[-1] == pytest.approx(17.25, abs=0.03)
    assert all(len(clip.samples) <= 20 * RATE_HZ for clip in clips)
    assert np.array_equal(np.concatenate([clip.samples for clip in clips]), sound[: round(50.12 * RATE_HZ)])


def test_speech_past_the_end_of_the_audio_gives_what_there_is() -> None:
    [clip] = cut(ramp(2), [(1.5, 4.0)])

    assert clip.log_s.tolist() == [1.38, 2.0]
    assert cut(ramp(2), [(5.0, 6.0)]) == []
    assert cut(ramp(2), []) == []


SPEECH = st.lists(st.integers(1, 2000), max_size=12, unique=True).map(
    lambda cuts: [(a / 100, b / 100) for a, b in zip(*[iter(sorted(cuts))] * 2, strict=False)]
)


@settings(max_examples=25, deadline=None)
@given(
    speech=SPEECH,
    max_clip_s=st.sampled_from([2.0, 7.5, 30.0]),
    apart_s=st.sampled_from([0.3, 2.0, np.inf]),
    block=st.integers(500, 300_000),
)
def test_every_moment_of_speech_is_in_one_clip_and_comes_back_to_its_time(
    speech: Spans, max_clip_s: float, apart_s: float, block: int
) -> None:
    sound = ramp(21)

    clips = cut(sound, speech, max_clip_s=max_clip_s, apart_s=apart_s, block=block)

    kept = np.concatenate([np.zeros(0, dtype=np.float32), *(clip.samples[clip.samples > 0] for clip in clips)])
    assert (np.diff(kept) > 0).all()
    for start, end in speech:
        low, high = np.searchsorted(kept, [round(start * RATE_HZ) + 1, round(end * RATE_HZ) + 1])
        assert high - low == round((end - start) * RATE_HZ)
    assert all(len(clip.samples) <= max_clip_s * RATE_HZ for clip in clips)
    for number, clip in enumerate(clips):
        at = np.flatnonzero(clip.samples)[:: RATE_HZ // 50]
        times = at / RATE_HZ
        words = pl.DataFrame(
            {"clip": number, "text": "w", "start_s": times, "end_s": times, "confidence": 1.0}, schema=CLIP_WORDS
        )
        expected = (clip.samples[at].astype(np.float64) - 1) / RATE_HZ
        assert to_log(words, clips)["start_s"].to_numpy() == pytest.approx(expected, abs=1e-6)


def test_times_outside_a_clip_and_in_shortened_silence_stay_in_order() -> None:
    clips = cut(ramp(20), [(1.0, 2.0), (11.0, 12.0)])
    words = pl.DataFrame(
        {
            "clip": 0,
            "text": "w",
            "start_s": [-1.0, 1.24, 1.44, 1.64, 99.0],
            "end_s": [0.0, 1.24, 1.44, 1.64, 99.0],
            "confidence": 1.0,
        },
        schema=CLIP_WORDS,
    )

    moved = to_log(words, clips)["start_s"].to_list()

    assert moved == pytest.approx([0.88, 2.12, (2.12 + 10.88) / 2, 10.88, 12.12])
