"""Forced alignment by pocketsphinx: words spoken by espeak, whose own word events are the reference."""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from audio.align import Aligner, AlignerError, Alignment, open_aligner

BENCH = Path(__file__).resolve().parents[2] / "bench"
SENTENCE = "Okay, there is a table for six at the Italian place."


@pytest.fixture(scope="module")
def aligner() -> Aligner:
    return open_aligner("pocketsphinx")


@pytest.fixture(scope="module")
def say() -> Iterator[object]:
    sys.path.insert(0, str(BENCH))
    try:
        import timed_voices
        from voices import VOICES

        yield lambda text, voice=0: timed_voices.speak(VOICES["espeak"][voice], text)
    finally:
        sys.path.remove(str(BENCH))


def words_of(text: str) -> list[str]:
    return text.split()


def in_order(result: Alignment, duration_ms: int) -> bool:
    times = np.stack([result.start_ms, result.end_ms], axis=1).ravel()
    return bool(np.all(np.diff(times) >= 0) and times[0] >= 0 and times[-1] <= duration_ms)


@pytest.mark.parametrize("voice", [0, 3, 5, 8, 10])
def test_word_starts_are_where_the_synthesiser_put_them(aligner, say, voice):
    take = say(SENTENCE, voice)
    result = aligner.align(take.samples, take.words, language="en")
    assert result.failure is None
    error = np.abs(result.start_ms - 1000 * np.array(take.start_s))
    assert np.nanmedian(error) <= 40
    assert in_order(result, len(take.samples) // 16)


def test_the_same_audio_gives_the_same_times_whatever_came_before(aligner, say):
    take = say(SENTENCE)
    first = aligner.align(take.samples, take.words, language="en-US")
    other = say("Frogs have smooth skin and Zarbenheim has none.", 4)
    aligner.align(other.samples, other.words, language="en")
    second = aligner.align(take.samples, take.words, language="en-US")
    np.testing.assert_array_equal(first.start_ms, second.start_ms)
    np.testing.assert_array_equal(first.score, second.score)


@pytest.mark.parametrize("gain", [0.01, 0.1, 3.0])
def test_level_does_not_matter(aligner, say, gain):
    take = say(SENTENCE)
    plain = aligner.align(take.samples, take.words, language="en")
    scaled = aligner.align(take.samples * np.float32(gain), take.words, language="en")
    assert np.median(np.abs(plain.start_ms - scaled.start_ms)) <= 20


def test_numbers_contractions_and_unknown_words_keep_their_place(aligner, say):
    take = say("It's 42 miles to Zarbenheim, isn't it? I'm paying $15.")
    result = aligner.align(take.samples, take.words, language="en")
    assert result.failure is None
    assert result.aligned.all()
    assert np.nanmedian(np.abs(result.start_ms - 1000 * np.array(take.start_s))) <= 40


def test_marks_without_a_sound_lie_between_their_neighbours(aligner, say):
    take = say(SENTENCE)
    words = [*take.words[:3], "-", "[laughter]", *take.words[3:]]
    result = aligner.align(take.samples, words, language="en")
    assert result.failure is None
    assert not result.aligned[3:5].any()
    assert np.isnan(result.score[3:5]).all()
    assert result.aligned[[0, 1, 2, 5, 6]].all()
    assert result.end_ms[2] <= result.start_ms[3] <= result.end_ms[4] <= result.start_ms[5]


def test_a_text_that_was_not_said_is_refused(aligner, say):
    take = say("Do turtles ever leave their shells in the summer?")
    result = aligner.align(take.samples, words_of("Sure I have set a timer for nine minutes"), language="en")
    assert result.failure == "text_does_not_fit"
    assert not result.aligned.any()
    assert in_order(result, len(take.samples) // 16)


def test_words_that_were_not_said_are_passed_over(aligner, say):
    take = say(SENTENCE)
    words = [*take.words, "because", "everybody", "wanted", "pizza"]
    result = aligner.align(take.samples, words, language="en")
    assert result.failure is None
    assert result.aligned[: len(take.words)].mean() >= 0.8
    assert not result.aligned[-3:].any()


def test_an_open_end_leaves_over_what_comes_later(aligner, say):
    take = say(SENTENCE)
    later = words_of("At half past seven we can walk along the river and look at the boats")
    result = aligner.align(take.samples, [*take.words, *later], language="en", open_end=True)
    assert result.failure is None
    assert result.aligned[: len(take.words) - 1].all()
    assert not result.aligned[len(take.words) + 1 :].any()


@pytest.mark.parametrize(
    ("words", "language", "failure"),
    [
        (["こんにちは"], "ja", "language"),
        (["こんにちは"], None, "no_speakable_words"),
        (["...", "-"], "en", "no_speakable_words"),
        ([], "en", "no_speakable_words"),
        (["incomprehensibilities"] * 40, "en", "too_short"),
    ],
)
def test_what_cannot_be_aligned_says_why(aligner, say, words, language, failure):
    result = aligner.align(say("Hello there.").samples, words, language=language)
    assert result.failure == failure
    assert len(result.start_ms) == len(words)


@pytest.mark.parametrize("n", [0, 1, 200])
def test_hardly_any_audio_is_too_short(aligner, n):
    result = aligner.align(np.zeros(n, dtype=np.float32), ["hello"], language="en")
    assert result.failure == "too_short"


def test_silence_is_no_speech(aligner):
    result = aligner.align(np.zeros(32_000, dtype=np.float32), words_of("hello how are you today"), language="en")
    assert result.failure == "text_does_not_fit"


def test_a_wrong_name_or_model_says_what_to_do():
    with pytest.raises(AlignerError, match="pocketsphinx, ctc"):
        open_aligner("mfa")  # type: ignore[arg-type]
    with pytest.raises(AlignerError, match="choose 'ctc'"):
        open_aligner("pocketsphinx", model="somewhere")
