"""pyannote.audio's pipeline behind the Protocol, with random weights, on two people on one channel."""

import os
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from pyannote.audio.telemetry.metrics import is_metrics_enabled

from audio.backends import ModelMissingError
from audio.diarize import SPEAKER_TURNS, Diarizer, open_diarizer
from audio.diarize.assign import assign_speakers
from audio.frames import RATE_HZ, Samples

SPEECH = np.array([[0.5, 9.0], [10.0, 20.5]])


@pytest.fixture(scope="module")
def diarizer(diarization_folder: Path) -> Diarizer:
    return open_diarizer(str(diarization_folder), {"device": "cpu"})


def test_turns_of_more_than_one_speaker_inside_the_speech(diarizer: Diarizer, two_voices: Samples) -> None:
    turns = diarizer.speakers(np.array_split(two_voices, 7), SPEECH)
    assert turns.schema == SPEAKER_TURNS
    assert turns["start_s"].is_sorted()
    assert (turns["start_s"] < turns["end_s"]).all()
    inside = [
        ((turns["start_s"] >= start) & (turns["end_s"] <= end)).to_numpy(allow_copy=True) for start, end in SPEECH
    ]
    assert np.any(inside, axis=0).all()
    assert all(one.any() for one in inside)
    assert turns["speaker"].unique().sort().to_list() == ["S1", "S2"]
    assert turns["speaker"][0] == "S1"

    words = pl.DataFrame({"text": ["a", "b", "c"], "start_s": [0.6, 5.0, 30.0], "end_s": [0.9, 5.4, 30.2]})
    assigned = assign_speakers(words, turns)
    assert assigned["speaker"].is_in(["S1", "S2"]).all()
    assert assigned.drop("speaker").equals(words)


def test_a_long_channel_is_heard_in_windows(diarization_folder: Path, two_voices: Samples) -> None:
    """Twenty minutes in which somebody speaks at the start and near the end; what lies between is not looked at."""
    diarizer = open_diarizer(str(diarization_folder), {"device": "cpu", "window_s": 30, "overlap_s": 10})
    silence = np.zeros(20 * 60 * RATE_HZ, dtype=np.float32)
    late_s = (len(two_voices) + len(silence)) / RATE_HZ
    turns = diarizer.speakers([two_voices, silence, two_voices], np.concatenate([SPEECH, SPEECH + late_s]))
    early, late = turns.filter(pl.col("start_s") < 21), turns.filter(pl.col("start_s") >= late_s)
    assert len(early) + len(late) == len(turns)
    assert not early.is_empty()
    assert not late.is_empty()
    assert turns["end_s"].max() <= late_s + 20.5


def test_no_speech_no_turns(diarizer: Diarizer, two_voices: Samples) -> None:
    assert diarizer.speakers([two_voices], np.zeros((0, 2))).equals(SPEAKER_TURNS.to_frame())
    silent = np.zeros(20 * RATE_HZ, dtype=np.float32)
    assert diarizer.speakers([silent], np.array([[3.0, 3.2]])).schema == SPEAKER_TURNS


def test_at_most_as_many_speakers_as_told(diarization_folder: Path, two_voices: Samples) -> None:
    one = open_diarizer(str(diarization_folder), {"device": "cpu", "max_speakers": 1})
    assert one.speakers([two_voices], SPEECH)["speaker"].unique().to_list() == ["S1"]


def test_what_it_runs_with_can_be_read_and_nothing_is_reported(diarizer: Diarizer, diarization_folder: Path) -> None:
    expected = {"model": str(diarization_folder), "device": "cpu", "clustering": "VBxClustering", "window_s": 600.0}
    assert expected.items() <= diarizer.effective.items()
    assert os.environ["PYANNOTE_METRICS_ENABLED"] == "0"
    assert not is_metrics_enabled()


def test_a_model_of_the_hub_is_not_fetched_unless_allowed(tmp_path: Path) -> None:
    with pytest.raises(ModelMissingError, match=r"not on this machine.*download = true.*HF_TOKEN"):
        open_diarizer()
    with pytest.raises(ModelMissingError, match="holds no diarization pipeline"):
        open_diarizer(str(tmp_path))


def test_a_folder_that_names_parts_on_the_hub_stays_offline(diarization_folder: Path, tmp_path: Path) -> None:
    """A config without a PLDA means the one on the hub, also where the clustering has no use for it."""
    folder = tmp_path / "without-plda"
    shutil.copytree(diarization_folder, folder)
    config = folder / "config.yaml"
    config.write_text(config.read_text().replace("plda: $model/plda", ""))
    with pytest.raises(ModelMissingError, match=r"plda/xvec_transform\.npz.*It needs config\.yaml"):
        open_diarizer(str(folder))
