"""Forced alignment against the synthesisers' own word times: espeak-ng's word events, Flite's segments.

    python bench/score_align.py [--sentences 6] [--seed 1] [--aligner pocketsphinx] [--model FOLDER]

Every voice speaks ``--sentences`` lines of ``dialogue_lines.toml``, drawn by the seed. Three tasks: each line
with its own text (``utterance``), each line with the text of another (``wrong text``: it should fail), and all lines of
a family as one channel with silences of 0.5-4 s and no times at all (``channel``). Prints per family: utterances,
failures, words aligned, error of word starts and ends in ms (espeak gives no ends), and the real-time factor of the
alignment alone.
"""

from __future__ import annotations

import argparse
import random
import time
import tomllib
from pathlib import Path

import numpy as np
import polars as pl
from timed_voices import RATE_HZ, Take, available, speak

from audio.align import Aligner, open_aligner
from audio.align.channel import align_channel, split_segments
from audio.asr import HEARD

LINES = Path(__file__).parent / "dialogue_lines.toml"
LEAST_WORDS = 5


def takes_of(n: int, seed: int) -> dict[str, list[Take]]:
    """Family to its takes, ``n`` per voice."""
    lines = [line.replace("| ", "") for pair in tomllib.loads(LINES.read_text())["exchanges"] for line in pair]
    lines = [line for line in lines if len(line.split()) >= LEAST_WORDS]
    draw = random.Random(seed)
    takes: dict[str, list[Take]] = {}
    for family, voice in available():
        takes.setdefault(family, []).extend(speak(voice, line) for line in draw.sample(lines, n))
    return takes


def errors_ms(found: np.ndarray, true_s: tuple[float, ...], aligned: np.ndarray) -> list[float]:
    """Absolute errors of the aligned words whose time is known."""
    gaps = np.abs(found - 1000 * np.array(true_s))[aligned]
    return [float(gap) for gap in gaps[~np.isnan(gaps)]]


def quantiles(errors: list[float]) -> str:
    """Median, p90 and p95."""
    if not errors:
        return f"{'-':>16}"
    return "".join(f"{value:>5.0f} " for value in np.percentile(errors, (50, 90, 95)))


def score_utterances(aligner: Aligner, takes: list[Take], shift: int) -> str:
    """One row: every take with the text of the take ``shift`` places on."""
    failures, n_words, n_aligned, spent, spoken = 0, 0, 0, 0.0, 0.0
    starts: list[float] = []
    ends: list[float] = []
    for index, take in enumerate(takes):
        text = takes[(index + shift) % len(takes)]
        begun = time.perf_counter()
        found = aligner.align(take.samples, text.words, language="en")
        spent += time.perf_counter() - begun
        spoken += len(take.samples) / RATE_HZ
        failures += found.failure is not None
        n_words += len(text.words)
        n_aligned += int(found.aligned.sum())
        if shift == 0:
            starts += errors_ms(found.start_ms, text.start_s, found.aligned)
            ends += errors_ms(found.end_ms, text.end_s, found.aligned)
    share = n_aligned / n_words
    return f"{len(takes):>6}{failures:>9}{share:>9.1%}  {quantiles(starts)}  {quantiles(ends)}{spent / spoken:>7.3f}"


def score_channel(aligner: Aligner, takes: list[Take], seed: int) -> str:
    """One row: all takes in a row, their text without any times."""
    draw = random.Random(seed)
    parts: list[np.ndarray] = []
    speech, true_s, t = [], [], 0
    for take in takes:
        gap = draw.randrange(RATE_HZ // 2, 4 * RATE_HZ)
        loud = np.flatnonzero(np.abs(take.samples) > 0.01 * np.abs(take.samples).max())
        speech.append([(t + gap + loud[0]) * 1000 // RATE_HZ, (t + gap + loud[-1]) * 1000 // RATE_HZ])
        true_s += [(t + gap) / RATE_HZ + start for start in take.start_s]
        parts += [np.zeros(gap, dtype=np.float32), take.samples]
        t += gap + len(take.samples)
    samples = np.concatenate(parts)
    texts = [" ".join(take.words) for take in takes]
    columns = {"channel": "model", "text": texts, "start_s": None, "end_s": None, "timing_source": "given"}
    known = split_segments(pl.DataFrame({**columns, "confidence": None}, schema=HEARD))
    begun = time.perf_counter()
    found = align_channel(lambda a, b: samples[a:b], np.array(speech), known, aligner, language="en")
    spent = time.perf_counter() - begun
    aligned = (found.words["timing_source"] == "aligned").to_numpy()
    starts = errors_ms(1000 * found.words["start_s"].to_numpy(), tuple(true_s), aligned)
    spoken = sum(end - start for start, end in speech) / 1000
    row = f"{len(takes):>6}{len(found.failures):>9}{aligned.mean():>9.1%}  {quantiles(starts)}"
    return f"{row}  {quantiles([])}{spent / spoken:>7.3f}"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sentences", type=int, default=6, help="lines per voice (default 6)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--aligner", default="pocketsphinx", help="pocketsphinx or ctc")
    parser.add_argument("--model", help="folder of a CTC model")
    options = parser.parse_args()
    aligner = open_aligner(options.aligner, model=options.model)
    print(f"{'':22}{'texts':>6}{'failures':>9}{'aligned':>9}  {'start 50/90/95':>18}  {'end 50/90/95':>18}{'RTF':>7}")
    for family, takes in takes_of(options.sentences, options.seed).items():
        print(f"{family + ' utterance':22}{score_utterances(aligner, takes, 0)}", flush=True)
        print(f"{family + ' wrong text':22}{score_utterances(aligner, takes, len(takes) // 2 + 1)}", flush=True)
        print(f"{family + ' channel':22}{score_channel(aligner, takes, options.seed)}", flush=True)


if __name__ == "__main__":
    main()
