"""Make scripted two-channel dialogues with planted timing faults and the exact truth.

    python bench/generate_dialogues.py OUT --n 40 --seed 7 --voices espeak,flite --condition mixed
    python bench/generate_dialogues.py OUT --hours 2 --seed 7            # for the speed bench

Writes ``OUT/manifest.jsonl``, ``OUT/logs/ID.flac`` (stereo, left model, right user) and ``OUT/truth/ID.json``; with
``--words`` also ``OUT/logs/ID.words.json``. The same arguments give the same audio. Score with ``score_timing.py``.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile as sf
from dialogue_script import LINES, Dialogue, plain, play, truth_of, words_of
from rooms import BABBLE_VOICES, Condition, babble_of, draw_condition, record, write_ogg
from scenes import Scene, draw_plot
from voices import Samples, Studio, Voice, available_engines, voices_of

from schemas.clock import samples_to_seconds
from schemas.ids import stable_hash

CONDITIONS = ("clean", "noisy", "mixed")


def generator(seed: int, *identity: object) -> np.random.Generator:
    """Random numbers fixed by the seed and what they are for."""
    return np.random.default_rng(int(stable_hash("dialogue", seed, *identity), 16))


def bystanders(studio: Studio, voices: tuple[Voice, ...], rng: np.random.Generator) -> list[Samples]:
    """Takes of other people for the babble: a few lines each."""
    people = [voices[int(i)] for i in rng.choice(len(voices), min(BABBLE_VOICES, len(voices)), replace=False)]
    lines = LINES["long_turns"][:4]
    return [studio.speak(person, plain(line)) for person in people for line in lines]


def make_dialogue(
    d: Dialogue, plot: list[Scene], condition: Condition, others: tuple[Voice, ...]
) -> tuple[npt.NDArray[np.float32], dict[str, Any], dict[str, Any]]:
    """Play an empty dialogue's plot: the log of shape (n, 2), its truth and its words. ``others`` may babble."""
    model, user = play(d, plot)
    babbles = condition.noise == "babble"
    babble = babble_of(bystanders(d.studio, others, d.rng), len(user), d.rng) if babbles else user[:0]
    log = record(model, user, condition, babble, d.rng)
    duration_s = samples_to_seconds(len(log), condition.sample_rate_hz)
    return log, truth_of(d, duration_s, condition.as_dict()), words_of(d)


def dialogues(
    seed: int, engines: list[str], condition: str
) -> Iterator[tuple[npt.NDArray[np.float32], dict[str, Any], dict[str, Any]]]:
    """Endless dialogues of one seed; the i-th is the same however many are taken."""
    studio = Studio()
    voices = voices_of(engines)
    for i in itertools.count():
        rng = generator(seed, i)
        chosen = rng.choice(len(voices), 2, replace=False)
        pair = {"model": voices[int(chosen[0])], "user": voices[int(chosen[1])]}
        others = tuple(voice for voice in voices if voice not in pair.values())
        noisy = condition == "noisy" or (condition == "mixed" and i % 2 == 1)
        acoustics = draw_condition(rng, noisy=noisy)
        d = Dialogue(f"g{stable_hash(seed, condition, *engines, i)[:10]}", pair, studio, rng)
        yield make_dialogue(d, draw_plot(rng), acoustics, others)


def write_dialogue(
    out: Path, path: str, log: npt.NDArray[np.float32], truth: dict[str, Any], words: dict[str, Any] | None
) -> dict[str, Any]:
    """Write one dialogue's log to ``out / path`` (FLAC, or Opus for ``.ogg``), its truth and words; returns its row."""
    dialogue_id, rate_hz = truth["id"], truth["condition"]["sample_rate_hz"]
    (out / path).parent.mkdir(parents=True, exist_ok=True)
    (out / "truth").mkdir(exist_ok=True)
    if path.endswith(".ogg"):
        with (out / path).open("wb") as file:
            write_ogg(file, log, rate_hz, "OPUS", quality_loss=0.93)
    else:
        sf.write(out / path, log, rate_hz, subtype="PCM_16")
    (out / "truth" / f"{dialogue_id}.json").write_text(json.dumps(truth, indent=1) + "\n")
    row = {"id": dialogue_id, "path": path, "duration": truth["duration"], "model_channel": 0, "user_channel": 1}
    row |= {"model_id": "scripted", "voice": truth["voices"]["model"], "language": "en"}
    if words is not None:
        row["words"] = str(Path(path).with_suffix(".words.json"))
        (out / row["words"]).write_text(json.dumps(words) + "\n")
    return row


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder to write; must not hold a manifest yet")
    parser.add_argument("--n", type=int, default=40, help="how many dialogues (default 40)")
    parser.add_argument("--hours", type=float, help="instead of --n: as many as fill this many hours")
    parser.add_argument("--seed", type=int, default=7, help="same seed, same dialogues (default 7)")
    parser.add_argument("--voices", help=f"engines, comma-separated; here: {','.join(available_engines())} (default)")
    parser.add_argument("--condition", choices=CONDITIONS, default="mixed", help="mixed: every second one noisy")
    parser.add_argument("--words", action="store_true", help="write word times beside the logs")
    options = parser.parse_args(arguments)
    engines = options.voices.split(",") if options.voices else list(available_engines())
    if missing := set(engines) - set(available_engines()):
        parser.error(f"no engine for {', '.join(sorted(missing))}; for Flite: apt-get install flite")
    if (options.out / "manifest.jsonl").exists():
        parser.error(f"{options.out} holds a manifest already; give another folder or remove it")
    options.out.mkdir(parents=True, exist_ok=True)

    seconds, planted = 0.0, 0
    with (options.out / "manifest.jsonl").open("w") as manifest:
        for i, (log, truth, words) in enumerate(dialogues(options.seed, engines, options.condition)):
            if seconds >= options.hours * 3600 if options.hours else i >= options.n:
                break
            row = write_dialogue(options.out, f"logs/{truth['id']}.flac", log, truth, words if options.words else None)
            manifest.write(json.dumps(row) + "\n")
            seconds += truth["duration"]
            planted += sum(event["type"] != "neg" for event in truth["events"])
    print(f"{i} dialogues, {seconds / 3600:.2f} hours, {planted} faults planted: {options.out / 'manifest.jsonl'}")


if __name__ == "__main__":
    main()
