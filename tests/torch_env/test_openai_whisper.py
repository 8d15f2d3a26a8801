"""OpenAI's Whisper behind the Protocol, with a model of random weights."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from audio.asr import CLIP_WORDS, Recogniser, open_recogniser
from audio.backends import ModelMissingError
from audio.frames import RATE_HZ, Samples

GREEDY = {"temperatures": (0.0,), "beam_size": 1, "device": "cpu", "no_speech_threshold": 1.0}


@pytest.fixture(scope="module")
def recogniser(whisper_pt: Path) -> Recogniser:
    return open_recogniser("openai-whisper", str(whisper_pt), GREEDY)


@pytest.fixture(scope="module")
def clips(two_voices: Samples) -> list[Samples]:
    """Six tenths of a second of speech, silence, a snippet, and nothing at all."""
    return [
        two_voices[RATE_HZ : RATE_HZ + 6 * RATE_HZ // 10],
        np.zeros(RATE_HZ, dtype=np.float32),
        two_voices[RATE_HZ : RATE_HZ + RATE_HZ // 8],
        np.zeros(0, dtype=np.float32),
    ]


def test_words_come_in_order_inside_their_clips(recogniser: Recogniser, clips: list[Samples]) -> None:
    words = recogniser.words(clips, "en-US")
    assert words.schema == CLIP_WORDS
    assert {0, 2} <= set(words["clip"]) <= {0, 1, 2}
    lengths = pl.DataFrame({"clip": range(len(clips)), "length_s": [len(clip) / RATE_HZ for clip in clips]})
    placed = words.join(lengths, on="clip")
    assert placed.select(((pl.col("start_s") >= 0) & (pl.col("end_s") <= pl.col("length_s"))).all()).item()
    assert placed.select((pl.col("start_s") <= pl.col("end_s")).all()).item()
    assert placed.select((pl.col("start_s").diff() >= 0).over("clip").fill_null(value=True).all()).item()
    assert words["clip"].is_sorted()
    assert words["confidence"].is_between(0, 1).all()
    assert (words["text"] == words["text"].str.strip_chars()).all()
    assert words.filter(pl.col("clip") == 0)["end_s"].max() > 0.2


def test_a_clip_is_heard_the_same_whatever_stands_beside_it(whisper_pt: Path, clips: list[Samples]) -> None:
    """Also where tokens are drawn at random."""
    drawing = open_recogniser("openai-whisper", str(whisper_pt), {**GREEDY, "temperatures": (0.8,)})
    together = drawing.words([clips[2], clips[0]], "en").filter(pl.col("clip") == 1)
    assert not together.is_empty()
    assert together.drop("clip").equals(drawing.words([clips[0]], "en-GB").drop("clip"))


def test_the_language_of_the_log_is_told_to_the_model(recogniser: Recogniser, clips: list[Samples]) -> None:
    english, french = (recogniser.words(clips[:1], language) for language in ("en-US", "fr-CA"))
    assert not english["text"].equals(french["text"]) or not english["confidence"].equals(french["confidence"])
    assert recogniser.words(clips[:1], "FR").equals(french)
    assert recogniser.words(clips[:1], "tlh").equals(recogniser.words(clips[:1], None))


@pytest.mark.parametrize(
    ("language", "known"), [(None, True), ("en", True), ("fil-PH", True), ("zh-Hant-TW", True), ("tlh", False)]
)
def test_languages_it_knows(recogniser: Recogniser, language: str | None, known: bool) -> None:
    assert recogniser.knows(language) is known


def test_what_it_runs_with_can_be_read(recogniser: Recogniser, whisper_pt: Path) -> None:
    expected = {
        "model": str(whisper_pt),
        "multilingual": True,
        "device": "cpu",
        "fp16": False,
        "beam_size": 1,
        "temperature": (0.0,),
        "condition_on_previous_text": False,
        "word_timestamps": True,
    }
    assert expected.items() <= recogniser.effective.items()
    assert recogniser.name == "openai-whisper"
    assert recogniser.max_clip_s == 30


def test_options_of_other_backends_are_left_alone(whisper_pt: Path) -> None:
    """As the stage hands them over: those of all backends at once."""
    everything = {**GREEDY, "mode": "batched", "language_weight": 2.0, "threads": 1}
    assert open_recogniser("openai-whisper", str(whisper_pt), everything).effective["beam_size"] == 1


def test_a_model_that_is_not_there_is_not_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(
        ModelMissingError, match=r"no .*base\.en\.pt\. Fetch it with --set execution\.asr\.download=true"
    ):
        open_recogniser("openai-whisper", "base.en")
    with pytest.raises(ModelMissingError, match="neither a file nor one of"):
        open_recogniser("openai-whisper", str(tmp_path / "none.pt"))


def test_a_broken_download_is_not_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "whisper").mkdir()
    (tmp_path / "whisper" / "base.pt").write_bytes(b"half a model")
    with pytest.raises(ModelMissingError, match="no Whisper model in OpenAI's format"):
        open_recogniser("openai-whisper", "base")
