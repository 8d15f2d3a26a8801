"""Full-Duplex-Bench folders: find the samples of each task, and measure every one.

A sample is a folder with ``output.wav`` and the words of it (``output.json``); which task it belongs to is told by what
lies beside them. Samples in one parent folder with one task make up a set, as the benchmark's scripts are run on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from pydantic import BaseModel, TypeAdapter, ValidationError

from audio.decode import DecodeError, blocks, probe
from audio.frames import RATE_HZ
from audio.vad.timestamps import silero_timestamps
from miner.ingest.refs import SourceError
from miner.ingest.tree import folders, join, open_binary
from timing.full_duplex_bench import (
    BenchRules,
    Times,
    Window,
    backchannels,
    backchannels_compat,
    latencies,
    latencies_compat,
    takeover,
    takeover_compat,
)

WORDS_FILE, MODEL_FILE, USER_FILE = "output.json", "output.wav", "input.wav"
REFERENCE_FILE = "icc_gt_distribution.json"
"""The benchmark's distribution of people's backchannels over time, by sample."""

TASKS = {
    "pause_handling": "pause.json",
    "smooth_turn_taking": "turn_taking.json",
    "user_interruption": "interrupt.json",
    "overlap": "metadata.json",
}
"""Tasks by the file that marks them; what has none is of the task `backchannel`. `overlap` is all of v1.5."""
BACKCHANNEL = "backchannel"


class _Chunk(BaseModel):
    timestamp: tuple[float | None, float | None]


class _Said(BaseModel):
    chunks: list[_Chunk]


class _Mark(BaseModel):
    timestamp: tuple[float, float]


class _Event(BaseModel):
    timestamps: tuple[float, float]


class _Tags(BaseModel):
    behaviour: list[str]


class _Rating(BaseModel):
    rating: float


@dataclass(frozen=True)
class Sample:
    """A folder of the benchmark: where it lies, its task, and the names of its files."""

    path: str
    set_name: str
    name: str
    task: str
    files: frozenset[str]


@dataclass(frozen=True)
class Measured:
    """A sample and its numbers; ``problem`` says why it has none."""

    sample: Sample
    numbers: Mapping[str, Any] = field(default_factory=dict)
    problem: str | None = None


def find_samples(root: str) -> Iterator[Sample]:
    """Every sample under a folder, by path. A folder with nothing of the model's is none."""
    for folder, entries in folders(root, Counter()):
        files = frozenset(entry.path.rpartition("/")[2] for entry in entries)
        if not files & {WORDS_FILE, MODEL_FILE}:
            continue
        parent, _, name = folder.rpartition("/")
        task = next((task for task, mark in TASKS.items() if mark in files), BACKCHANNEL)
        yield Sample(join(root, folder) if folder != "." else root, parent or ".", name, task, files)


def measure(root: str, reference: str | None, *, compat: bool, rules: BenchRules | None = None) -> list[Measured]:
    """Measure all samples under a folder. Raises SourceError where there are none, or the reference is not one."""
    samples = list(find_samples(root))
    if not samples:
        raise SourceError(f"no samples in {root}: a sample is a folder with {MODEL_FILE} or {WORDS_FILE}")
    bench = _Bench(rules or BenchRules(), compat, _people(reference) if reference else {})
    return [bench.measured(sample) for sample in samples]


def _people(path: str) -> dict[str, list[float]]:
    try:
        return TypeAdapter(dict[str, list[float]]).validate_json(_bytes(path))
    except (OSError, ValidationError) as error:
        raise SourceError(
            f"{path} is no distribution of backchannels ({type(error).__name__}): give the benchmark's "
            f"evaluation/{REFERENCE_FILE}"
        ) from None


@dataclass(frozen=True)
class _Bench:
    rules: BenchRules
    compat: bool
    people: Mapping[str, list[float]]

    def measured(self, sample: Sample) -> Measured:
        """One sample, or why it could not be measured."""
        by_task: Mapping[str, Callable[[Sample], dict[str, Any]]] = {
            "pause_handling": self._pause,
            "smooth_turn_taking": self._turn_taking,
            "user_interruption": self._interruption,
            "overlap": self._overlap,
            BACKCHANNEL: self._backchannel,
        }
        try:
            return Measured(sample, by_task[sample.task](sample))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            return Measured(sample, problem=f"{error.title.lstrip('_').lower()}: {where} {first['msg']}".strip())
        except (DecodeError, OSError, _UnusableError) as error:
            return Measured(sample, problem=str(error))

    def _pause(self, sample: Sample) -> dict[str, Any]:
        words = self._words(sample)
        if self.compat:
            return asdict(takeover_compat(words, self.rules, mark_s=None))
        heard = _segments(sample, USER_FILE) if USER_FILE in sample.files else np.zeros((0, 2))
        user_end = float(heard[-1, 1]) if len(heard) else np.inf
        return asdict(takeover(words, Window(starts_before_s=user_end), self.rules, mark_s=None))

    def _turn_taking(self, sample: Sample) -> dict[str, Any]:
        words, (mark, _) = self._words(sample), _mark(sample)
        if self.compat:
            return asdict(takeover_compat(words, self.rules, mark_s=mark))
        return asdict(takeover(words, Window(ends_after_s=mark), self.rules, mark_s=mark))

    def _interruption(self, sample: Sample) -> dict[str, Any]:
        words, (start, end) = self._words(sample), _mark(sample)
        if self.compat:
            numbers = asdict(takeover_compat(words, self.rules, mark_s=end))
        else:
            numbers = asdict(takeover(words, Window(starts_from_s=start), self.rules, mark_s=end))
        if "rating.json" in sample.files:
            numbers["rating"] = _Rating.model_validate_json(_bytes(join(sample.path, "rating.json"))).rating
        return numbers

    def _backchannel(self, sample: Sample) -> dict[str, Any]:
        if self.compat and not sample.name.isdigit():
            raise _UnusableError("the script passes over a folder whose name is no number")
        people = np.asarray(self.people[sample.name]) if sample.name in self.people else None
        path = join(sample.path, MODEL_FILE)
        info = probe(path)
        heard = _segments(sample, MODEL_FILE, as_recorded=self.compat)
        has_words = self.compat or WORDS_FILE in sample.files
        words = self._words(sample) if has_words else np.zeros((0, 2))
        duration_s = info.duration_s or sum(len(block) for block in blocks(path)) / info.rate_hz
        found = (backchannels_compat if self.compat else backchannels)(heard, words, duration_s, people, self.rules)
        return {"taken": found.taken, "backchannels_per_s": found.per_s, "jsd": found.jsd}

    def _overlap(self, sample: Sample) -> dict[str, Any]:
        model = _segments(sample, MODEL_FILE)
        if self.compat:
            found = latencies_compat(_segments(sample, USER_FILE), model, self.rules)
        else:
            event = _Event.model_validate_json(_bytes(join(sample.path, TASKS["overlap"]))).timestamps
            found = latencies(model, event, self.rules)
        numbers: dict[str, Any] = {"stop_s": found.stop_s.tolist(), "response_s": found.response_s.tolist()}
        if "content_tag.json" in sample.files:
            tags = _Tags.model_validate_json(_bytes(join(sample.path, "content_tag.json")))
            numbers["behaviour"] = tags.behaviour
        return numbers

    def _words(self, sample: Sample) -> Times:
        """Times of the model's words, from ``output.json``; without it (but for compat) speech in ``output.wav``."""
        if WORDS_FILE in sample.files:
            said = _Said.model_validate_json(_bytes(join(sample.path, WORDS_FILE)))
            return np.array([chunk.timestamp for chunk in said.chunks], dtype=np.float64).reshape(-1, 2)
        if self.compat:
            raise _UnusableError(f"no {WORDS_FILE}")
        return _segments(sample, MODEL_FILE)


class _UnusableError(ValueError):
    """The sample lacks what its task needs."""


def _mark(sample: Sample) -> tuple[float, float]:
    marks = TypeAdapter(list[_Mark]).validate_json(_bytes(join(sample.path, TASKS[sample.task])))
    if not marks:
        raise _UnusableError(f"no mark in {TASKS[sample.task]}")
    return marks[0].timestamp


def _segments(sample: Sample, name: str, *, as_recorded: bool = False) -> Times:
    """Speech in a file. ``as_recorded``: samples of any rate are taken for 16 kHz, as the backchannel script does."""
    if name not in sample.files:
        raise _UnusableError(f"no {name}")
    parts = blocks(join(sample.path, name), channels=(0,), rate_hz=None if as_recorded else RATE_HZ)
    return silero_timestamps(np.concatenate([part[:, 0] for part in parts]))


def _bytes(path: str) -> bytes:
    with open_binary(path) as file:
        return file.read()
