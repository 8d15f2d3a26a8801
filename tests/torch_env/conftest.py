"""Tiny models with random weights, in the formats of the real ones, and no way out to the network."""

import os

# Before the libraries are imported. One thread: more only fight each other over models this small.
os.environ |= {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}

import socket
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

import lightning
import numpy as np
import pytest
import torch
import yaml
from pyannote.audio.core.model import Model
from pyannote.audio.core.task import Problem, Resolution, Specifications
from pyannote.audio.models.embedding import XVectorSincNet
from pyannote.audio.models.segmentation import PyanNet
from whisper.model import ModelDimensions, Whisper

from audio.decode import load_channels
from audio.frames import RATE_HZ, Samples

DATA = Path(__file__).resolve().parents[1] / "data"
EMBEDDING, PLDA = 16, 8


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any look at the network fails the test that tries it."""

    def refused(*_: Any, **__: Any) -> NoReturn:
        pytest.fail("the network was asked for")

    monkeypatch.setattr(socket, "getaddrinfo", refused)
    monkeypatch.setattr(socket.socket, "connect", refused)


@pytest.fixture(scope="session")
def two_voices() -> Samples:
    """21 s of two real people on one channel."""
    path = str(DATA / "clean_overlap.flac")
    model, user = load_channels(path, 0, path, 1, rate_hz=RATE_HZ)
    return model + user


@pytest.fixture(scope="session")
def whisper_pt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A multilingual Whisper of OpenAI's format with 1.7 M random weights. Large ones, so that it says many words."""
    torch.manual_seed(0)
    width = {"n_audio_state": 32, "n_audio_head": 2, "n_audio_layer": 1}
    text = {"n_vocab": 51865, "n_text_ctx": 16, "n_text_state": 32, "n_text_head": 2, "n_text_layer": 2}
    dimensions = ModelDimensions(n_mels=80, n_audio_ctx=1500, **width, **text)
    model = Whisper(dimensions)
    torch.nn.init.normal_(model.decoder.token_embedding.weight, std=0.5)
    torch.nn.init.normal_(model.decoder.positional_embedding, std=1.0)
    path = tmp_path_factory.mktemp("whisper") / "tiny-random.pt"
    torch.save({"dims": asdict(dimensions), "model_state_dict": model.state_dict()}, path)
    return path


@pytest.fixture(scope="session")
def diarization_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SpeakerDiarization pipeline in the layout of pyannote's community-1: segmentation, embedding, plda."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("diarization")
    small = {"hidden_size": 16, "num_layers": 1}
    segmentation = PyanNet(sincnet={"stride": 10}, lstm=small, linear=small)
    segmentation.specifications = Specifications(
        problem=Problem.MONO_LABEL_CLASSIFICATION,
        resolution=Resolution.FRAME,
        duration=10.0,
        classes=["one", "two", "three"],
        powerset_max_classes=2,
        permutation_invariant=True,
    )
    segmentation.build()
    with torch.no_grad():
        for weights in segmentation.lstm.parameters():
            weights.mul_(8)
        segmentation.classifier.weight.mul_(20)
    embedding = XVectorSincNet(dimension=EMBEDDING)
    embedding.specifications = Specifications(
        problem=Problem.REPRESENTATION, resolution=Resolution.CHUNK, duration=5.0, classes=["one", "two"]
    )
    for name, model in (("segmentation", segmentation), ("embedding", embedding)):
        save(model, folder / name)
    plda = folder / "plda"
    plda.mkdir()
    lda = np.random.default_rng(0).standard_normal((EMBEDDING, PLDA))
    np.savez(plda / "xvec_transform.npz", mean1=np.zeros(EMBEDDING), mean2=np.zeros(PLDA), lda=lda)
    np.savez(plda / "plda.npz", mu=np.zeros(PLDA), tr=np.eye(PLDA), psi=np.linspace(4, 1, PLDA))
    parts = {name: f"$model/{name}" for name in ("segmentation", "embedding", "plda")}
    batches = {"segmentation_batch_size": 8, "embedding_batch_size": 8, "segmentation_step": 0.5}
    config = {
        "pipeline": {
            "name": "pyannote.audio.pipelines.SpeakerDiarization",
            "params": {**parts, **batches, "clustering": "VBxClustering"},
        },
        "params": {
            "segmentation": {"min_duration_off": 0.0},
            "clustering": {"threshold": 0.6, "Fa": 0.07, "Fb": 0.8},
        },
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return folder


def save(model: Model, folder: Path) -> None:
    """As Lightning's trainer saves it."""
    checkpoint = {
        "state_dict": model.state_dict(),
        "hyper_parameters": dict(model.hparams),
        "pytorch-lightning_version": lightning.__version__,
    }
    model.on_save_checkpoint(checkpoint)
    folder.mkdir()
    torch.save(checkpoint, folder / "pytorch_model.bin")
