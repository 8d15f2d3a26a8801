"""Make ``data_samples/``: short logs that each show one thing, from the scenes of the scripted dialogues.

    python bench/make_data_samples.py OUT        # needs Flite: apt-get install flite

Prints the table of planted faults for the README.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import scenes
from dialogue_script import Dialogue
from generate_dialogues import generator, make_dialogue, write_dialogue
from rooms import Condition
from voices import VOICES, Studio, available_engines

SLT, SLT_SLOW, RMS, RMS_SLOW, AWB, AWB_SLOW, KAL, KAL_SLOW = VOICES["flite"]
CLEAN = Condition("clean")


@dataclass(frozen=True)
class Sample:
    """One log: its file, the scenes in it, who speaks and how it sounds. ``seed`` picks the lines and the gaps."""

    file: str
    plot: tuple[scenes.Scene, ...]
    voices: tuple[Any, Any]
    condition: Condition = CLEAN
    words: bool = False
    seed: int = 1


SAMPLES = (
    Sample(
        "clean.flac",
        (
            scenes.greeting,
            scenes.plain_answer,
            scenes.terminal_overlap,
            scenes.slow_2s,
            scenes.user_pause,
            scenes.slow_response,
            scenes.answered_goodbye,
        ),
        (SLT, RMS),
    ),
    Sample("cut-in.flac", (scenes.plain_answer, scenes.overlap, scenes.terminal_overlap, scenes.yield_), (AWB, SLT)),
    Sample("pause-takeover.ogg", (scenes.user_pause, scenes.pause, scenes.plain_answer), (SLT, AWB), seed=6),
    Sample(
        "cut-off.ogg",
        (scenes.terminal_overlap, scenes.cut_off, scenes.plain_answer),
        (RMS, SLT_SLOW),
        words=True,
        seed=2,
    ),
    Sample("no-answer-at-end.flac", (scenes.plain_answer, scenes.slow_2s, scenes.end), (SLT_SLOW, RMS)),
    Sample("reprompt.ogg", (scenes.plain_answer, scenes.reprompt, scenes.plain_answer), (RMS_SLOW, AWB)),
    Sample("late-answer.ogg", (scenes.slow_response, scenes.late, scenes.plain_answer), (SLT, RMS_SLOW), seed=2),
    Sample("silent-after-yes.flac", (scenes.short_answer, scenes.after_short_answer), (SLT, AWB_SLOW)),
    Sample("backchannels.ogg", (scenes.model_backchannel, scenes.user_backchannel, scenes.plain_answer), (RMS, SLT)),
    Sample(
        "barge-in.ogg", (scenes.plain_answer, scenes.user_bargein_yield, scenes.plain_answer), (AWB_SLOW, SLT), seed=4
    ),
    Sample("off-topic.ogg", (scenes.plain_answer, scenes.off_topic, scenes.goodbye), (SLT, KAL), words=True),
    Sample(
        "leak-and-noise.ogg",
        (scenes.plain_answer, scenes.overlap, scenes.user_backchannel, scenes.reprompt),
        (SLT, RMS),
        Condition(
            "noisy", -8.0, 20.0, -24.0, "fan", echo_delay_ms=80.0, echo_rt60_s=0.3, user_rt60_s=0.3, model_floor_db=-70
        ),
        seed=6,
    ),
    Sample(
        "telephone-8k.flac",
        (scenes.greeting, scenes.plain_answer, scenes.pause, scenes.late),
        (SLT_SLOW, RMS),
        Condition("noisy", -6.0, 24.0, noise="hum", sample_rate_hz=8_000),
    ),
)


def make_samples(out: Path) -> Iterator[dict[str, Any]]:
    """Write every sample and the manifest under ``out``; yields the truths."""
    studio = Studio()
    rows = []
    for sample in SAMPLES:
        name = Path(sample.file).stem
        voices = dict(zip(("model", "user"), sample.voices, strict=True))
        d = Dialogue(name, voices, studio, generator(sample.seed, name))
        log, truth, words = make_dialogue(d, list(sample.plot), sample.condition, ())
        rows.append(write_dialogue(out, sample.file, log, truth, words if sample.words else None))
        yield truth
    (out / "manifest.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def main(out: Path) -> None:
    """Write the samples and print what is planted where."""
    if "flite" not in available_engines():
        raise SystemExit("the samples are spoken by Flite, which is not installed; run: apt-get install flite")
    for truth in make_samples(out):
        for event in truth["events"]:
            print(f"| {truth['id']} | {event['t']:.2f} | {event['type']} {event['subtype']} |")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
