"""Three toy stages, from a listing to a sum, with every behaviour the store must handle."""

from __future__ import annotations

import os
import signal

import polars as pl
from pydantic import Field

from schemas.reasons import Reason
from schemas.table import Column, Table
from store.engines.base import Engine
from store.engines.local import InlineEngine
from store.layout import Store
from store.parts import read_rows
from store.resolve import Flow, Resolver
from store.runner import Runner, StageReport
from store.runs import activate, open_run
from store.stage import Batch, Quarantined, Stage, StageConfig, StageOutput
from store.work import TaskResult

LETTERS = Table(
    "letters",
    "One row per toy log.",
    "letters",
    (
        Column("dialogue_id", pl.String(), "Dialogue"),
        Column("text", pl.String(), "Its text"),
        Column("audio_hash", pl.String(), "Its hash"),
    ),
    key=(),
)
CODES = Table(
    "codes",
    "One row per letter.",
    "codes",
    (
        Column("dialogue_id", pl.String(), "Dialogue"),
        Column("index", pl.Int64(), "Position"),
        Column("code", pl.Int64(), "Code point, rounded"),
        Column("made_by", pl.String(), "Config", lineage=True),
    ),
    key=("index",),
)
SUMS = Table(
    "sums",
    "One row per dialogue.",
    "sums",
    (Column("dialogue_id", pl.String(), "Dialogue"), Column("total", pl.Int64(), "Sum of codes")),
    key=(),
)


class NoConfig(StageConfig):
    pass


class RoundConfig(StageConfig):
    to: int = Field(default=1)


class Letters(Stage):
    name = "letters"
    version = 1
    reads = ()
    writes = LETTERS
    batch_size = 3

    def process(self, batch: Batch) -> StageOutput:
        refs = batch.tables["refs"]
        bad = refs.filter(pl.col("problem_reason").is_not_null())
        quarantined = [Quarantined(r["dialogue_id"], Reason(r["problem_reason"]), "") for r in bad.to_dicts()]
        good = refs.filter(pl.col("problem_reason").is_null())
        return StageOutput(good.select("dialogue_id", "text", audio_hash="text"), quarantined)


class Codes(Stage):
    name = "codes"
    version = 1
    reads = (LETTERS,)
    writes = CODES
    batch_size = 3

    def process(self, batch: Batch) -> StageOutput:
        assert isinstance(self.config, RoundConfig)
        rows = []
        for row in batch[LETTERS].to_dicts():
            if row["text"] == "raise":
                raise ValueError("cannot read this")
            if row["text"] == "die":
                os.kill(os.getpid(), signal.SIGKILL)
            if row["text"] == "bad":
                continue
            rows += [
                {
                    "dialogue_id": row["dialogue_id"],
                    "index": i,
                    "code": ord(c) // self.config.to,
                    "made_by": self.variant,
                }
                for i, c in enumerate(row["text"])
            ]
        bad = batch[LETTERS].filter(pl.col("text") == "bad")["dialogue_id"]
        return StageOutput(pl.DataFrame(rows, schema=CODES.schema), [Quarantined(i, Reason.MONO, "why") for i in bad])


class Sums(Stage):
    name = "sums"
    version = 1
    reads = (LETTERS,)
    optional_reads = (CODES,)
    writes = SUMS

    def process(self, batch: Batch) -> StageOutput:
        totals = batch[CODES].group_by("dialogue_id").agg(total=pl.col("code").sum())
        frame = batch[LETTERS].select("dialogue_id").join(totals, on="dialogue_id", how="left")
        return StageOutput(frame.with_columns(pl.col("total").fill_null(-1)))


FLOW = Flow.of([Letters, Codes, Sums])


class Quiet:
    def __init__(self) -> None:
        self.results: list[TaskResult] = []

    def start(self, stage: str, total: int, done_before: int) -> None:
        del stage, total, done_before

    def advance(self, result: TaskResult) -> None:
        self.results.append(result)

    def finish(self, report: StageReport) -> None:
        del report


def refs(texts: dict[str, str], bad: dict[str, str] | None = None) -> pl.DataFrame:
    bad = bad or {}
    return pl.DataFrame(
        {
            "dialogue_id": list(texts),
            "fingerprint": list(texts.values()),
            "text": list(texts.values()),
            "problem_reason": [bad.get(i) for i in texts],
            "problem_detail": [None for _ in texts],
        },
        schema_overrides={"problem_reason": pl.String, "problem_detail": pl.String},
    )


def mine(
    store: Store,
    texts: dict[str, str],
    *,
    run: str | None = None,
    to: int = 1,
    engine: Engine | None = None,
    bad: dict[str, str] | None = None,
    owner: str = "toy",
    retry: bool = False,
) -> dict[str, StageReport]:
    opened = open_run(store, run)
    runner = Runner(store, opened, FLOW, engine or InlineEngine(), Quiet(), retry_quarantined=retry)
    reports = {
        "letters": runner.run_source(Letters(NoConfig()), [refs(texts, bad)], owner),
        "codes": runner.run_stage(Codes(RoundConfig(to=to))),
        "sums": runner.run_stage(Sums(NoConfig())),
    }
    activate(store, opened.name)
    return reports


def table(store: Store, which: Table, run: str | None = None) -> pl.DataFrame:
    resolver = Resolver(store, FLOW, open_run(store, run).tables)
    return read_rows(store, which, resolver.done(which.name))


def snapshot(store: Store, run: str | None = None) -> dict[str, pl.DataFrame]:
    return {t.name: table(store, t, run) for t in (LETTERS, CODES, SUMS)}
