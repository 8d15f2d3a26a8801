"""The text of a whole channel: segments with times, text without any, and an aligner that answers by rule."""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio.align import Alignment, failed, open_aligner, placed
from audio.align.channel import KNOWN, ChannelConfig, align_channel, split_segments
from audio.align.reader import BlockReader
from audio.asr import HEARD
from audio.frames import Samples

BENCH = Path(__file__).resolve().parents[2] / "bench"
SENTENCES = [
    "There is a table for six at the Italian place.",
    "Frogs have smooth skin and long legs.",
    "How do I reset my router?",
    "Hold the small button on the back for ten seconds.",
    "Air scatters blue light more than red light.",
    "Could you set a timer for pasta?",
    "The next one leaves in twelve minutes from stop B.",
    "Between eight and ten hours a night.",
    "Yeast eats sugar and gives off gas.",
    "Ride the old tram and watch the sunset from the castle.",
]


def heard(*rows: tuple[str, float | None, float | None]) -> pl.DataFrame:
    texts, starts, ends = zip(*rows, strict=True)
    columns = {"channel": "model", "text": texts, "start_s": starts, "end_s": ends, "timing_source": "given"}
    return pl.DataFrame({**columns, "confidence": None}, schema=HEARD)


@pytest.fixture(scope="module")
def talk():
    """Ten sentences with silence between: samples, speech (ms), segments (text, start, end), true word starts (ms)."""
    sys.path.insert(0, str(BENCH))
    try:
        import timed_voices
        from voices import VOICES

        takes = [timed_voices.speak(VOICES["espeak"][0], sentence) for sentence in SENTENCES]
    finally:
        sys.path.remove(str(BENCH))
    sound: list[Samples] = []
    speech, segments, starts, t = [], [], [], 0
    for index, take in enumerate(takes):
        sound.append(np.zeros(16_000 * (1 + index % 3), dtype=np.float32))
        t += len(sound[-1]) // 16
        loud = np.flatnonzero(np.abs(take.samples) > 0.02 * np.abs(take.samples).max()) // 16
        speech.append((t + int(loud[0]), t + int(loud[-1]) + 1))
        segments.append((SENTENCES[index], speech[-1][0] / 1000, speech[-1][1] / 1000))
        starts += [t + 1000 * start for start in take.start_s]
        whole = len(take.samples) // 16 * 16
        sound.append(take.samples[:whole])
        t += whole // 16
    return np.concatenate(sound), np.array(speech, dtype=np.int64), segments, np.array(starts)


@pytest.mark.slow
@pytest.mark.parametrize("timed", [True, False])
def test_words_get_their_times_with_and_without_times_of_segments(talk, timed):
    samples, speech, segments, truth = talk
    rows = [(text, start if timed else None, end if timed else None) for text, start, end in segments]
    blocks = (samples[first : first + 40_000, None] for first in range(0, len(samples), 40_000))
    found = align_channel(
        BlockReader(blocks), speech, split_segments(heard(*rows)), open_aligner("pocketsphinx"), language="en"
    )
    assert found.failures.is_empty()
    assert found.words["text"].to_list() == " ".join(SENTENCES).split()
    error = np.abs(found.words["start_s"].to_numpy() * 1000 - truth)
    assert np.nanmedian(error) <= 40
    assert np.nanmax(error) <= 400
    assert (found.words["timing_source"] == "aligned").mean() >= 0.95


@pytest.mark.slow
def test_speech_that_the_text_lacks_does_not_carry_it_off(talk):
    samples, speech, segments, truth = talk
    said = [text for text, _, _ in segments[:3]]
    known = split_segments(heard((" ".join(said), None, None)))
    read = lambda start, stop: samples[start:stop]  # noqa: E731
    found = align_channel(read, speech[:7], known, open_aligner("pocketsphinx"), language="en")
    error = np.abs(found.words["start_s"].to_numpy() * 1000 - truth[: len(known)])
    assert np.nanmedian(error) <= 40


class Even:
    """Says that words of 300 ms follow each other from the first sample on, and refuses the word `no`."""

    name = "ctc"

    def __init__(self) -> None:
        self.asked: list[tuple[int, list[str], bool]] = []

    def align(self, samples: Samples, words: Sequence[str], *, language: str | None, open_end: bool = False):
        duration = len(samples) // 16
        self.asked.append((duration, list(words), open_end))
        if "no" in words:
            return failed(words, duration, "text_does_not_fit")
        start = np.arange(len(words)) * 300
        inside = start + 300 <= duration
        return placed(words, start, start + 300, np.zeros(len(words)), inside, duration)


def silence(start: int, stop: int) -> Samples:
    return np.zeros(max(stop - start, 0), dtype=np.float32)


def test_words_that_came_with_times_are_left_alone():
    known = split_segments(heard(("one", 1.0, 1.2), ("two", 1.3, 1.5)))
    aligner = Even()
    found = align_channel(silence, np.array([[900, 2000]]), known, aligner, language=None)
    assert aligner.asked == []
    assert found.words.equals(known.select(HEARD.names()))


def test_a_segment_is_aligned_inside_its_own_speech_only():
    known = split_segments(
        heard(("well", 1.0, 1.2), ("two words", 5.0, 6.0), ("no way", 8.0, 9.0), ("a b", 20.0, 21.0))
    )
    speech = np.array([[900, 1300], [5100, 5800], [8000, 9000]])
    aligner = Even()
    found = align_channel(silence, speech, known, aligner, language=None, config=ChannelConfig(pad_ms=0, slack_ms=200))
    assert found.words["timing_source"].to_list() == ["given", *["aligned"] * 2, *["interpolated"] * 4]
    assert found.words["start_s"].to_list()[:3] == [1.0, 5.1, 5.4]
    assert aligner.asked[0] == (700, ["two", "words"], False)
    assert found.failures.rows() == [(2, "text_does_not_fit"), (3, "no_own_speech")]
    assert found.words.filter(pl.col("text") == "b").row(0)[2:4] == (20.5, 21.0)


def test_text_left_over_when_speech_ends_is_said_to_be():
    known = split_segments(heard(("a b c d", None, None), ("e f g h i j", None, None)))
    found = align_channel(
        silence, np.array([[0, 1200]]), known, Even(), language=None, config=ChannelConfig(pad_ms=0, held_back=0)
    )
    assert found.words["timing_source"].to_list()[:4] == ["aligned"] * 4
    assert found.words["start_s"].to_list()[:4] == [0.0, 0.3, 0.6, 0.9]
    assert found.failures["reason"].to_list() == ["not_reached"]
    assert found.words["end_s"].max() <= 1.2


def test_a_long_channel_is_read_in_windows():
    speech = np.array([[start, start + 3000] for start in range(0, 3_600_000, 4000)])
    known = split_segments(heard((" ".join(["word"] * 9000), None, None)))
    aligner = Even()
    found = align_channel(silence, speech, known, aligner, language=None)
    assert max(duration for duration, _, _ in aligner.asked) <= 40_000
    assert max(len(words) for _, words, _ in aligner.asked) <= 200
    assert (found.words["timing_source"] == "aligned").mean() > 0.9
    starts = found.words["start_s"].to_numpy()
    assert np.all(np.diff(starts) >= 0)


spans = st.lists(st.tuples(st.integers(1, 3000), st.integers(1, 9000)), max_size=12)


@given(spans, st.lists(st.sampled_from(["a", "bb", "no", "ccc dd", "e f g h"]), min_size=1, max_size=20), st.booleans())
def test_every_word_gets_an_orderly_time_whatever_comes(pairs, texts, timed):
    speech, t = [], 0
    for gap, length in pairs:
        speech.append((t + gap, t + gap + length))
        t += gap + length
    rows = [(text, index * 1.0 if timed else None, index + 1.0 if timed else None) for index, text in enumerate(texts)]
    known = split_segments(heard(*rows))
    config = ChannelConfig(window_ms=2000)
    found = align_channel(silence, np.array(speech, dtype=np.int64), known, Even(), language=None, config=config)
    assert found.words.schema == HEARD
    assert found.words["text"].to_list() == known["text"].to_list()
    assert (found.words["end_s"] >= found.words["start_s"]).all()
    assert found.words["start_s"].min() >= 0
    assert found.words["timing_source"].is_in(["given", "aligned", "interpolated"]).all()


def test_split_segments_shares_the_time_by_letters():
    known = split_segments(
        heard(("Hi, everybody!", 1.0, 2.1), ("  ", 3.0, 4.0), ("yes", 5.0, 5.5), ("a b", None, None))
    )
    assert known.schema == KNOWN
    assert known["text"].to_list() == ["Hi,", "everybody!", "yes", "a", "b"]
    assert known["segment"].to_list() == [0, 0, 2, 3, 3]
    assert known["start_s"].to_list() == [1.0, 1.2, 5.0, None, None]
    assert known["end_s"].to_list() == [1.2, 2.1, 5.5, None, None]
    assert known["timing_source"].to_list() == ["interpolated", "interpolated", "given", "interpolated", "interpolated"]


def test_a_block_reader_gives_what_the_blocks_hold_and_lets_go():
    samples = np.arange(100_000, dtype=np.float32)
    blocks = (samples[first : first + 7000, None] for first in range(0, 100_000, 7000))
    read = BlockReader(blocks, keep_s=1)
    np.testing.assert_array_equal(read(10, 20_000), samples[10:20_000])
    np.testing.assert_array_equal(read(15_000, 60_000), samples[15_000:60_000])
    np.testing.assert_array_equal(read(90_000, 120_000), samples[90_000:])
    with pytest.raises(ValueError, match="let go"):
        read(0, 10)


def test_placed_words_fill_the_gaps():
    words = ["a", "bb", "c", "d"]
    aligned = np.array([False, True, False, False])
    times = np.array([0, 300, 0, 0]), np.array([0, 600, 0, 0])
    result: Alignment = placed(words, *times, np.zeros(4), aligned, 1000)
    assert result.start_ms.tolist() == [0, 300, 600, 800]
    assert result.end_ms.tolist() == [300, 600, 800, 1000]
