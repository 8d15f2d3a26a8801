"""Word error rate and word-time error of each installed recogniser, on logs whose words are known.

    python bench/score_asr.py LOGS [--backend pocketsphinx ...] [--heard OTHER_LOGS] [--set KEY=VALUE ...] [--json]

LOGS is any folder or manifest that `ingest` knows; the words that came with its logs are the reference. Each backend
runs as stage `transcribe`, after `ingest` and `listen`, one worker. ``--heard`` scores the words beside another copy of
the same logs instead: those of a recogniser outside the toolkit.

Only channels with reference words count. Words are compared without capitals, punctuation and hyphens. Times: of words
that are equal in the alignment of least edits (jiwer), the absolute difference of their starts, and of their ends.
References whose times are interpolated say little about times. RTF: wall time of `transcribe`, loading the model
included, over the length of the logs.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

sys.path.insert(0, str(Path(__file__).parents[1]))

import jiwer
import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table as RichTable

from audio.asr import HEARD, RecogniserName, open_recogniser
from audio.asr.given import given_words
from miner.ingest.detect import open_source
from miner.ingest.refs import Source
from miner.ingest.tree import join
from miner.mine import FLOW, STEPS, mine
from miner.settings import Settings
from schemas.dialogues import DIALOGUES
from schemas.words import WORDS
from store.console import StageProgress
from store.layout import Store
from store.parts import read_rows
from store.resolve import Resolver
from store.runner import StageReport
from store.settings import load_settings
from store.sources import source_roots

CHANNEL = ["dialogue_id", "channel"]


@dataclass(frozen=True)
class Score:
    """A backend's figures; times in milliseconds. None where nothing was counted."""

    backend: str
    model: str
    hours: float
    words: int
    wer: float
    substituted: int
    deleted: int
    inserted: int
    start_ms_median: float | None
    start_ms_p95: float | None
    end_ms_median: float | None
    end_ms_p95: float | None
    rtf: float | None
    dropped: int
    quarantined: int
    """Logs without a result, taken in, listened to or transcribed: their words count as deleted."""


@dataclass
class Bench:
    """A store of its own with the logs taken in and listened to."""

    store: Store
    settings: list[str]
    quarantined: int = 0

    def take_in(self, logs: str) -> None:
        """`ingest` and `listen`, with one worker."""
        with StageProgress(quiet=True) as progress:
            source = open_source(logs)
            reports, _ = self._mine({"ingest", "listen"}, self._settings([]), progress, source)
        self.quarantined = sum(sum(report.quarantined.values()) for report in reports)

    def transcribe(self, backend: str) -> tuple[pl.DataFrame, float, int]:
        """Rows of `words` by a backend, the seconds it took, and how many logs are quarantined by now."""
        # The log's own words are the reference, so a recogniser must not be given them.
        own_words = "true" if backend == "given" else "false"
        settings = self._settings([f"transcribe.asr={backend}", f"transcribe.use_given={own_words}"])
        began = time.perf_counter()
        with StageProgress(quiet=True) as progress:
            reports, tables = self._mine({"transcribe"}, settings, progress)
        seconds = time.perf_counter() - began
        quarantined = self.quarantined + sum(sum(report.quarantined.values()) for report in reports)
        return read_rows(self.store, WORDS, tables.done(WORDS.name)), seconds, quarantined

    def dialogues(self) -> pl.DataFrame:
        """Rows of `dialogues`."""
        with StageProgress(quiet=True) as progress:
            _, tables = self._mine(set(), self._settings([]), progress)
        return read_rows(self.store, DIALOGUES, tables.done(DIALOGUES.name))

    def given(self) -> pl.DataFrame:
        """The words that came with the logs, as they came."""
        roots = source_roots(self.store)
        words = [HEARD.to_frame().with_columns(pl.lit("").alias("dialogue_id"))]
        for row in self.dialogues().filter(pl.col("words_path").is_not_null()).iter_rows(named=True):
            path = join(roots[row["source_id"]], row["words_path"])
            words.append(given_words(path).with_columns(pl.lit(row["dialogue_id"]).alias("dialogue_id")))
        return pl.concat(words)

    def _mine(
        self, stages: set[str], settings: Settings, progress: StageProgress, source: Source | None = None
    ) -> tuple[list[StageReport], Resolver]:
        steps = [step for step in STEPS if step.stage.name in stages]
        return mine(self.store, settings, steps, flow=FLOW, run_name=None, source=source, progress=progress)

    def _settings(self, more: Sequence[str]) -> Settings:
        return load_settings(Settings, None, ["execution.workers=1", *self.settings, *more])


def normalised(words: pl.DataFrame) -> pl.DataFrame:
    """One list of words, starts and ends per channel: without capitals and punctuation, hyphened words taken apart.

    A part that does not begin or end its word has no start or end (NaN).
    """
    parts = (
        words.sort(*CHANNEL, "start_s", "end_s", maintain_order=True)
        .with_row_index("word")
        .with_columns(pl.col("text").str.normalize("NFKC").str.to_lowercase().str.split("-"))
        .explode("text")
        .with_columns(pl.col("text").str.replace_all("’", "'").str.replace_all(r"[^\w']|^'+|'+$", ""))
        .filter(pl.col("text") != "")
        .with_columns(
            pl.when(pl.col("word").is_first_distinct()).then("start_s").otherwise(float("nan")).alias("start_s"),
            pl.when(pl.col("word").is_last_distinct()).then("end_s").otherwise(float("nan")).alias("end_s"),
        )
    )
    return parts.group_by(CHANNEL, maintain_order=True).agg("text", "start_s", "end_s")


def compare(
    reference: pl.DataFrame, heard: pl.DataFrame
) -> tuple[jiwer.WordOutput, np.ndarray[Any, np.dtype[np.float64]], np.ndarray[Any, np.dtype[np.float64]]]:
    """Alignment of heard words with the reference, and the start and end errors of matched words in milliseconds.

    Both: ``dialogue_id, channel, text, start_s, end_s``. Raises ValueError when the reference holds no word.
    """
    both = normalised(reference).join(normalised(heard), on=CHANNEL, how="left", maintain_order="left")
    if both.is_empty():
        raise ValueError("no log came with words: nothing to compare with")
    texts = both.select(pl.col("text").list.join(" "), pl.col("text_right").list.join(" ").fill_null(""))
    output = jiwer.process_words(texts["text"].to_list(), texts["text_right"].to_list())
    errors: dict[str, list[np.ndarray[Any, np.dtype[np.float64]]]] = {"start_s": [np.empty(0)], "end_s": [np.empty(0)]}
    for row, chunks in zip(both.iter_rows(named=True), output.alignments, strict=True):
        for chunk in chunks:
            if chunk.type == "equal":
                for name, found in errors.items():
                    was = np.array(row[name][chunk.ref_start_idx : chunk.ref_end_idx])
                    found.append(np.array(row[f"{name}_right"][chunk.hyp_start_idx : chunk.hyp_end_idx]) - was)
    start, end = (np.abs(np.concatenate(found)) * 1000 for found in errors.values())
    return output, start[np.isfinite(start)], end[np.isfinite(end)]


def scored(
    backend: str,
    model: str,
    reference: pl.DataFrame,
    words: pl.DataFrame,
    log_s: float,
    seconds: float | None,
    quarantined: int = 0,
) -> Score:
    """A backend's figures. ``words``: rows of the table; dropped ones are counted, not compared."""
    output, start, end = compare(reference, words.filter(pl.col("dropped").is_null()))

    def quantile(errors: np.ndarray[Any, np.dtype[np.float64]], q: float) -> float | None:
        return round(float(np.quantile(errors, q)), 1) if len(errors) else None

    return Score(
        backend=backend,
        model=model,
        hours=round(log_s / 3600, 3),
        words=output.hits + output.substitutions + output.deletions,
        wer=round(output.wer, 4),
        substituted=output.substitutions,
        deleted=output.deletions,
        inserted=output.insertions,
        start_ms_median=quantile(start, 0.5),
        start_ms_p95=quantile(start, 0.95),
        end_ms_median=quantile(end, 0.5),
        end_ms_p95=quantile(end, 0.95),
        rtf=None if seconds is None else round(seconds / log_s, 4),
        dropped=words["dropped"].is_not_null().sum(),
        quarantined=quarantined,
    )


def run(
    logs: str, backends: Sequence[str], heard: str | None, settings: list[str]
) -> tuple[list[Score], dict[str, str]]:
    """Scores of every backend that works here, and why the others do not."""
    scores, missing = [], {}
    with TemporaryDirectory() as folder:
        bench = Bench(Store.create(f"{folder}/store", n_buckets=4), settings)
        bench.take_in(logs)
        reference = bench.given()
        dialogues = bench.dialogues().join(reference.select("dialogue_id").unique(), on="dialogue_id", how="semi")
        log_s = float(dialogues["duration_s"].sum())
        for backend in backends:
            try:
                model = "-" if backend == "given" else str(open_recogniser(backend).effective.get("model", "-"))  # type: ignore[arg-type]
                words, seconds, quarantined = bench.transcribe(backend)
            except Exception as error:
                missing[backend] = " ".join(str(error).split())
                continue
            scores.append(scored(backend, model, reference, words, log_s, seconds, quarantined))
        if heard is not None:
            other = Bench(Store.create(f"{folder}/heard", n_buckets=4), settings)
            other.take_in(heard)
            words, _, quarantined = other.transcribe("given")
            scores.append(scored("--heard", Path(heard).name, reference, words, log_s, None, quarantined))
    return scores, missing


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("logs", help="folder or manifest of logs with words")
    parser.add_argument("--backend", action="append", help="backend to score (default: each recogniser; also: given)")
    parser.add_argument("--heard", help="the same logs with the words of another recogniser beside them")
    parser.add_argument("--set", action="append", default=[], dest="settings", help="a setting, as in duplex-miner")
    parser.add_argument("--json", action="store_true", help="JSON instead of the table")
    options = parser.parse_args(arguments)
    backends = options.backend or ([] if options.heard else list(get_args(RecogniserName)))
    try:
        scores, missing = run(options.logs, backends, options.heard, options.settings)
    except ValueError as error:
        parser.error(str(error))
    if options.json:
        print(json.dumps({"scores": [asdict(score) for score in scores], "not_run": missing}, indent=2))
        return
    table = RichTable(
        "backend", "model", "hours", "words", "WER", "start ms, median / p95", "end ms, median / p95", "RTF", "dropped",
        "quarantined",         box=None,
    )  # fmt: skip
    for score in scores:
        row = (score.backend, score.model, score.hours, score.words, f"{score.wer:.1%}")
        times = (f"{score.start_ms_median} / {score.start_ms_p95}", f"{score.end_ms_median} / {score.end_ms_p95}")
        table.add_row(
            *map(str, (*row, *times, "-" if score.rtf is None else score.rtf, score.dropped, score.quarantined))
        )
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(table)
    for backend, why in missing.items():
        console.print(f"{backend} was not run: {why}", markup=False)


if __name__ == "__main__":
    main()
