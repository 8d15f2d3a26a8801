"""PocketSphinx on a sample log: what was said, when each utterance begins, and that the other channel is not heard."""

from __future__ import annotations

import difflib
import json
import statistics
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from audio.asr import CLIP_WORDS, Recogniser, open_recogniser
from audio.asr.clips import ClipConfig
from audio.asr.listening import hear_words
from audio.backends import ModelMissingError
from audio.decode import load_channels
from audio.frames import RATE_HZ, Samples
from schemas.clock import Seconds

SAMPLES = Path(__file__).parents[2] / "data_samples"


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    return open_recogniser("pocketsphinx")


@pytest.fixture(scope="module")
def log() -> tuple[Samples, Samples]:
    path = str(SAMPLES / "late-answer.ogg")
    return load_channels(path, 0, path, 1)


@pytest.fixture(scope="module")
def truth() -> pl.DataFrame:
    return pl.DataFrame(json.loads((SAMPLES / "truth" / "late-answer.json").read_text())["segments"]).sort("start")


@pytest.fixture(scope="module")
def heard(recogniser: Recogniser, log: tuple[Samples, Samples], truth: pl.DataFrame) -> pl.DataFrame:
    return hear_words([log], speech(truth), recogniser, "en-US", ClipConfig())


def speech(truth: pl.DataFrame) -> dict[str, Seconds]:
    return {
        who: truth.filter(pl.col("who") == who).select("start", "end").to_numpy().astype(np.float64)
        for who in ("model", "user")
    }


def spoken(truth: pl.DataFrame, who: str) -> list[str]:
    text = " ".join(truth.filter(pl.col("who") == who)["text"]).lower()
    return "".join(c if c.isalpha() or c in "' " else " " for c in text).split()


@pytest.mark.parametrize("who", ["model", "user"])
def test_most_words_are_right_and_are_on_their_channel(heard: pl.DataFrame, truth: pl.DataFrame, who: str) -> None:
    own = heard.filter(pl.col("channel") == who)["text"].to_list()
    other = set(spoken(truth, "user" if who == "model" else "model")) - set(spoken(truth, who))

    right = sum(block.size for block in difflib.SequenceMatcher(None, spoken(truth, who), own).get_matching_blocks())

    assert right >= 0.8 * len(spoken(truth, who))
    assert len(own) <= 1.2 * len(spoken(truth, who))
    assert len(other & set(own)) <= 1


def test_utterances_begin_where_they_begin(heard: pl.DataFrame, truth: pl.DataFrame) -> None:
    errors = []
    for who, start_s in truth.select("who", "start").iter_rows():
        starts = heard.filter(pl.col("channel") == who)["start_s"]
        errors.append(float((starts - start_s).abs().min()))  # type: ignore[arg-type]
    assert statistics.median(errors) <= 0.05
    assert heard["timing_source"].unique().to_list() == ["asr"]
    assert heard["confidence"].is_between(0, 1).all()


def test_level_does_not_matter(recogniser: Recogniser, log: tuple[Samples, Samples], truth: pl.DataFrame) -> None:
    start, end = truth.filter(pl.col("who") == "user").row(0)[1:3]
    clip = log[1][round((start - 0.1) * RATE_HZ) : round((end + 0.1) * RATE_HZ)]

    texts = [recogniser.words([clip * np.float32(gain)], None)["text"].to_list() for gain in (1.0, 0.02)]

    assert texts[0] == texts[1] != []


def test_nothing_said_and_nothing_to_hear(recogniser: Recogniser) -> None:
    silence = np.zeros(RATE_HZ // 2, dtype=np.float32)

    assert recogniser.words([], "en").schema == CLIP_WORDS
    assert recogniser.words([silence, silence[:10]], "en").schema == CLIP_WORDS


def test_english_alone(recogniser: Recogniser) -> None:
    assert recogniser.knows("en-GB")
    assert recogniser.knows(None)
    assert not recogniser.knows("fr")
    with pytest.raises(ModelMissingError, match="own model only"):
        open_recogniser("pocketsphinx", "small")
