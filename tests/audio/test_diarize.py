"""Speakers of one channel: words to speakers, and windows stitched together, on made-up voices."""

from types import ModuleType

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audio.backends import MissingBackendError
from audio.diarize import SPEAKER_TURNS, DiarizeOptions, open_diarizer
from audio.diarize.assign import assign_speakers
from audio.diarize.stitch import Stitcher, Turns, Window, own_speech, windows
from audio.frames import RATE_HZ
from schemas.clock import array_to_ms

Span = tuple[int, int]
ms_spans = st.tuples(st.integers(0, 5000), st.integers(0, 800)).map(lambda pair: (pair[0], pair[0] + pair[1]))
long_spans = st.tuples(st.integers(0, 5000), st.integers(1, 2000)).map(lambda pair: (pair[0], pair[0] + pair[1]))
ANN, BOB = np.array([1.0, 0.0, 0.1]), np.array([0.0, 1.0, 0.1])
WHOLE = np.array([[0.0, 10_000.0]])


def words_of(spans: list[Span]) -> pl.DataFrame:
    times = np.array(spans, dtype=np.float64).reshape(-1, 2) / 1000
    return pl.DataFrame({"text": [str(n) for n in range(len(spans))], "start_s": times[:, 0], "end_s": times[:, 1]})


def turns_of(turns: list[tuple[int, int, str]]) -> pl.DataFrame:
    rows = [(start / 1000, end / 1000, speaker) for start, end, speaker in turns]
    return pl.DataFrame(rows, schema=SPEAKER_TURNS, orient="row")


def heard(*turns: tuple[float, float, int], voices: list[np.ndarray]) -> Turns:
    """Turns in seconds on the channel's clock."""
    times = array_to_ms(np.array([turn[:2] for turn in turns], dtype=np.float64).reshape(-1, 2))
    said_by = np.array([turn[2] for turn in turns], dtype=np.int64)
    return Turns(times[:, 0], times[:, 1], said_by, np.array(voices).reshape(-1, 3))


def millisecond_by_millisecond(word: Span, turns: list[tuple[int, int, str]]) -> str:
    """The definition: most milliseconds in common, else the shortest way; of equals the first name."""
    said = {name: set[int]() for name in sorted({turn[2] for turn in turns})}
    for start, end, name in turns:
        said[name] |= set(range(start, end))
    shared = {name: len(said[name] & set(range(*word))) for name in said}
    if max(shared.values()) > 0:
        return max(shared, key=lambda name: shared[name])
    away = {name: min(max(min(one) - word[1], word[0] - max(one) - 1, 0) for one in _runs(said[name])) for name in said}
    return min(away, key=lambda name: away[name])


def _runs(instants: set[int]) -> list[list[int]]:
    runs: list[list[int]] = []
    for instant in sorted(instants):
        if runs and runs[-1][-1] == instant - 1:
            runs[-1].append(instant)
        else:
            runs.append([instant])
    return runs


@settings(deadline=None)
@given(
    st.lists(ms_spans, min_size=1, max_size=6),
    st.lists(
        st.tuples(long_spans, st.sampled_from(["S1", "S2", "S3"])).map(lambda turn: (*turn[0], turn[1])),
        min_size=1,
        max_size=6,
    ),
)
def test_words_go_to_whom_they_share_most_with(spans: list[Span], turns: list[tuple[int, int, str]]) -> None:
    assigned = assign_speakers(words_of(spans), turns_of(turns))
    assert assigned["text"].to_list() == [str(n) for n in range(len(spans))]
    assert assigned["speaker"].to_list() == [millisecond_by_millisecond(span, turns) for span in spans]


def test_nobody_found_leaves_the_speaker_open() -> None:
    assigned = assign_speakers(words_of([(0, 10)]), SPEAKER_TURNS.to_frame())
    assert assigned["speaker"].to_list() == [None]
    assert assigned.schema["speaker"] == pl.String


@settings(deadline=None)
@given(st.lists(st.integers(0, 40_000), max_size=12), st.integers(1, 4), st.integers(1, 9))
def test_windows_hold_every_sample_in_its_place(sizes: list[int], window: int, tenths: int) -> None:
    channel = np.arange(sum(sizes), dtype=np.float32)
    blocks = np.split(channel, np.cumsum(sizes)[:-1]) if sizes else []
    overlap_s = window * tenths / 10
    found = list(windows(blocks, float(window), overlap_s))
    covered = 0
    for one in found:
        first = round(one.start_s * RATE_HZ)
        assert first == max(covered - round(overlap_s * RATE_HZ), 0)
        np.testing.assert_array_equal(one.samples, channel[first : first + len(one.samples)])
        assert len(one.samples) <= window * RATE_HZ
        covered = first + len(one.samples)
    assert covered == len(channel)


def test_what_is_not_own_speech_is_muted() -> None:
    samples = np.ones(3 * RATE_HZ, dtype=np.float32)
    muted = own_speech(Window(10.0, samples), np.array([[0.0, 9.0], [9.5, 10.5], [12.0, 20.0]]))
    assert muted is not None
    assert np.flatnonzero(np.diff(muted)).tolist() == [RATE_HZ // 2 - 1, 2 * RATE_HZ - 1]
    assert muted[0] == muted[-1] == 1
    assert own_speech(Window(10.0, samples), np.array([[0.0, 10.0], [13.0, 14.0]])) is None


def test_who_speaks_in_the_overlap_is_known_again_whatever_the_voice() -> None:
    stitcher = Stitcher(DiarizeOptions())
    stitcher.add(0.0, heard((0, 100, 0), (540, 570, 1), voices=[ANN, BOB]))
    stitcher.add(540.0, heard((540, 571, 0), (700, 710, 1), voices=[-BOB, ANN]))
    assert stitcher.turns(WHOLE).rows() == [(0.0, 100.0, "S1"), (540.0, 571.0, "S2"), (700.0, 710.0, "S1")]


def test_a_voice_without_a_match_is_somebody_new() -> None:
    stitcher = Stitcher(DiarizeOptions())
    stitcher.add(0.0, heard((0, 100, 0), voices=[ANN]))
    stitcher.add(540.0, heard((700, 710, 0), (720, 730, 1), voices=[BOB, ANN]))
    stitcher.add(1080.0, heard((1200, 1210, 0), (1220, 1230, 1), voices=[np.full(3, np.nan), BOB]))
    speakers = stitcher.turns(WHOLE)["speaker"].to_list()
    assert speakers == ["S1", "S2", "S1", "S3", "S2"]


def test_each_window_is_believed_to_the_middle_of_the_overlap() -> None:
    stitcher = Stitcher(DiarizeOptions(window_s=600, overlap_s=60))
    stitcher.add(0.0, heard((550, 600, 0), voices=[ANN]))
    stitcher.add(540.0, heard((545, 590, 0), voices=[ANN]))
    assert stitcher.turns(WHOLE).rows() == [(550.0, 590.0, "S1")]


@pytest.mark.parametrize("speech", [[[2.0, 3.0], [5.0, 6.5]], [[0.0, 10.0]], []])
def test_turns_lie_inside_the_speech(speech: list[list[float]]) -> None:
    stitcher = Stitcher(DiarizeOptions())
    stitcher.add(0.0, heard((1, 5.5, 0), (2.5, 8, 1), voices=[ANN, BOB]))
    spans = np.array(speech).reshape(-1, 2)
    expected = [
        (max(start, first), min(end, last), speaker)
        for start, end, speaker in ((1, 5.5, "S1"), (2.5, 8, "S2"))
        for first, last in speech
        if min(end, last) > max(start, first)
    ]
    assert stitcher.turns(spans).rows() == sorted(expected)


def test_nobody_ever_heard() -> None:
    stitcher = Stitcher(DiarizeOptions())
    assert stitcher.turns(WHOLE).equals(SPEAKER_TURNS.to_frame())
    stitcher.add(0.0, heard(voices=[]))
    assert stitcher.turns(WHOLE).is_empty()


@pytest.mark.parametrize(
    ("fault", "advice"),
    [
        (ModuleNotFoundError("No module named 'pyannote'"), r"pip install 'duplex-miner\[pyannote\]'"),
        (OSError("Could not load this library: _torchaudio.abi3.so"), "the same device as torch.*pip install"),
    ],
)
def test_a_backend_that_cannot_be_imported_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, fault: Exception, advice: str
) -> None:
    def failing(name: str) -> ModuleType:
        raise fault

    monkeypatch.setattr("audio.diarize.import_module", failing)
    with pytest.raises(MissingBackendError, match=advice):
        open_diarizer()
