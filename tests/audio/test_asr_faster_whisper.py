"""faster-whisper's real code on a tiny model with random weights, in both modes."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from audio.asr import CLIP_WORDS, Recogniser, open_recogniser
from audio.backends import ModelMissingError
from audio.frames import RATE_HZ, Samples
from tests.audio.tiny_whisper import make_tiny_whisper

MODES = ("sequential", "batched")
SECONDS = (3.0, 0.4, 20.0, 29.0)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_whisper(tmp_path_factory.mktemp("whisper") / "tiny")


@pytest.fixture(scope="module")
def clips() -> list[Samples]:
    draw = np.random.default_rng(3)
    return [(0.1 * draw.standard_normal(round(s * RATE_HZ))).astype(np.float32) for s in SECONDS]


def opened(model: Path, mode: str) -> Recogniser:
    return open_recogniser("faster-whisper", str(model), {"mode": mode, "temperatures": (0.0,), "batch_size": 2})


@pytest.mark.parametrize("mode", MODES)
def test_words_of_every_clip_are_in_order_and_inside_it(model: Path, clips: list[Samples], mode: str) -> None:
    words = opened(model, mode).words(clips, "en")

    assert words.schema == CLIP_WORDS
    assert set(words["clip"]) == set(range(len(SECONDS)))
    lengths = pl.Series(SECONDS).gather(words["clip"])
    assert (words["start_s"] >= 0).all()
    assert (words["start_s"] <= words["end_s"]).all()
    assert (words["end_s"] <= lengths).all()
    assert words["confidence"].is_between(0, 1).all()
    assert not (words["text"].str.strip_chars() == "").any()
    for _, own in words.group_by("clip"):
        assert own["start_s"].is_sorted()


@pytest.mark.parametrize("mode", MODES)
def test_a_clip_is_read_alike_whatever_lies_beside_it(model: Path, clips: list[Samples], mode: str) -> None:
    recogniser = opened(model, mode)

    together = recogniser.words(clips, None)
    alone = [recogniser.words([clip], None).with_columns(clip=pl.lit(i)) for i, clip in enumerate(clips)]

    assert (
        together.select("clip", "text").rows() == pl.concat(alone, how="vertical_relaxed").select("clip", "text").rows()
    )
    assert together["start_s"].to_list() == pytest.approx(
        pl.concat(alone, how="vertical_relaxed")["start_s"].to_list(), abs=0.011
    )
    assert recogniser.words([], None).is_empty()


def test_what_it_really_ran_with_is_kept_and_logged(
    model: Path, clips: list[Samples], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="audio.asr.faster_whisper")
    effective = {}
    for mode in MODES:
        recogniser = opened(model, mode)
        recogniser.words(clips[:1], "en")
        effective[mode] = recogniser.effective

    assert effective["sequential"]["without_timestamps"] is False
    assert effective["batched"]["without_timestamps"] is True
    assert effective["batched"]["max_initial_timestamp"] == 0.0
    for options in effective.values():
        assert options["condition_on_previous_text"] is False
        assert options["word_timestamps"] is True
        assert options["device"] == "cpu"
    assert "'mode': 'batched'" in caplog.text
    assert "'without_timestamps': True" in caplog.text


def test_languages(model: Path) -> None:
    recogniser = opened(model, "sequential")

    assert recogniser.knows(None)
    assert recogniser.knows("en-GB")
    assert not recogniser.knows("ja")


def test_no_model_there(tmp_path: Path) -> None:
    with pytest.raises(ModelMissingError, match=r"execution\.asr\.download=true"):
        open_recogniser("faster-whisper", str(tmp_path / "none"), {})
