import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from audio.decode import load_channels
from audio.frames import RATE_HZ, Samples
from audio.hear import ChannelActivity, hear
from audio.vad import Vad, open_vad

DATA = Path(__file__).resolve().parents[1] / "data"

Spans = NDArray[np.float64]


@dataclass(frozen=True)
class Excerpt:
    model: Samples
    user: Samples
    spans: dict[str, Spans]


def spans_of(activity: ChannelActivity) -> Spans:
    return np.stack([activity.speech.start_s, activity.speech.end_s], axis=1)


def turns_of(activity: ChannelActivity, gap_s: float = 0.35) -> Spans:
    """Speech with the pauses inside an utterance bridged, to be held against planted turns."""
    spans = spans_of(activity)
    parted = spans[1:, 0] - spans[:-1, 1] > gap_s
    return np.stack([spans[np.r_[True, parted], 0], spans[np.r_[parted, True], 1]], axis=1)


def make_noise(n: int, level_dbfs: float, seed: int = 1) -> Samples:
    noise = np.random.default_rng(seed).standard_normal(n)
    return (noise * 10 ** (level_dbfs / 20)).astype(np.float32)


def make_room(rt60_s: float, delay_ms: float, seed: int = 2) -> Samples:
    """Direct sound after ``delay_ms`` and an exponentially decaying tail, energy 1."""
    n, delay = int(rt60_s * RATE_HZ), int(delay_ms * RATE_HZ / 1000)
    tail = np.random.default_rng(seed).standard_normal(n) * 10 ** (-3 * np.arange(n) / n)
    tail *= 0.5 / np.linalg.norm(tail)
    tail[0] += 1
    return np.concatenate([np.zeros(delay), tail / np.linalg.norm(tail)]).astype(np.float32)


@pytest.fixture(scope="session")
def silero() -> Vad:
    return open_vad("silero")


@pytest.fixture(scope="session")
def excerpt() -> Callable[[str], Excerpt]:
    def load(name: str) -> Excerpt:
        path = str(DATA / f"{name}.flac")
        model, user = load_channels(path, 0, path, 1, rate_hz=RATE_HZ)
        segments = json.loads((DATA / f"{name}.json").read_text())["segments"]
        spans = {
            who: np.array([[s["start"], s["end"]] for s in segments if s["who"] == who]) for who in ("model", "user")
        }
        return Excerpt(model, user, spans)

    return load


@pytest.fixture(scope="session")
def clean(excerpt: Callable[[str], Excerpt]) -> Excerpt:
    return excerpt("clean_overlap")


@pytest.fixture(scope="session")
def clean_heard(clean: Excerpt, silero: Vad) -> tuple[ChannelActivity, ChannelActivity]:
    return hear(clean.model, clean.user, silero)
