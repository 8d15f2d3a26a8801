"""The stage runner: what is still to do, in which tasks, and what became of it."""

from __future__ import annotations

import math
import uuid
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import polars as pl

from schemas.ids import bucket_of
from schemas.reasons import Reason
from store import ledger
from store.compact import compact_variant
from store.engines.base import Engine, WorkerLost
from store.engines.local import InlineEngine
from store.layout import Store
from store.ledger import QUARANTINED
from store.listing import from_spool, mark_taken_ids, spool, without_forgotten
from store.resolve import Flow, Resolver
from store.runs import Run, save_run
from store.stage import Stage
from store.work import Task, TaskResult, commit_quarantine, run_task

_LOCATION = pl.Schema({"dialogue_id": pl.String(), "part": pl.String(), "unit": pl.UInt64()})
_ROUNDS = 3
"""How many more tasks each worker should see at least, until tasks are the smallest."""
_SMALLEST = 64
"""The smallest tasks are this fraction of the largest; a stage in one process has nobody to even out with."""
_DIALOGUES_AT_ONCE = 500_000
"""Above this many dialogues a stage looks at one group of buckets after another, so that memory stays flat."""


class Progress(Protocol):
    """Told what happens; draws bars, writes lines or nothing."""

    def start(self, stage: str, total: int, done_before: int) -> None:
        """A stage begins: ``total`` dialogues to do, ``done_before`` done by earlier runs."""
        ...

    def advance(self, result: TaskResult) -> None:
        """A task ended."""
        ...

    def finish(self, report: StageReport) -> None:
        """The stage ended."""
        ...


@dataclass
class StageReport:
    """What a stage did in this run and how things stand after it. All counts are dialogues, but for ``rows``."""

    stage: str
    variant: str
    computed: int = 0
    reused: int = 0
    blocked: int = 0
    forgotten: int = 0
    rows: int = 0
    quarantined: Counter[str] = field(default_factory=Counter)


@dataclass
class Runner:
    """Runs stages of one run over one store."""

    store: Store
    run: Run
    flow: Flow
    engine: Engine
    progress: Progress
    retry_quarantined: bool = False
    _resolver: Resolver | None = None

    def run_stage(self, stage: Stage) -> StageReport:
        """Bring a stage's table up to date with what it reads. Safe to interrupt and to run again."""
        report = self._begin(stage)
        groups = self._bucket_groups()
        for group in groups:
            resolver = self._resolve(group, keep=len(groups) == 1)
            wanted = resolver.inputs(stage.reads, stage.optional_reads)
            report.blocked += resolver.units(stage.reads[0].name).height - wanted.height
            todo = self._still_to_do(report, wanted, resolver.ledger(stage.writes.name))
            self._run_tasks(stage, report, todo.height, self._tasks(stage, resolver, todo))
        return self._end(stage, report)

    def run_source(self, stage: Stage, refs: Iterable[pl.DataFrame], owner: str) -> StageReport:
        """Take in what a source lists.

        ``refs``: frames with at least ``dialogue_id, fingerprint, problem_reason, problem_detail``, handed to the stage
        as the table ``refs``. ``owner`` is the source: an id that another source has taken is a duplicate, not an
        update.
        """
        report = self._begin(stage)
        with TemporaryDirectory(prefix="duplex-miner-") as folder:
            with self._reading_ahead():
                count = spool(refs, Path(folder), self.store.n_buckets)
            groups = self._groups_for(count)
            for group in groups:
                found = from_spool(Path(folder), group)
                if found.is_empty():
                    continue
                known = self._resolve(group, keep=len(groups) == 1).ledger(stage.writes.name)
                current = known.unique("dialogue_id", keep="last", maintain_order=True)
                kept = without_forgotten(self.store, found)
                report.forgotten += found.height - kept.height
                found = mark_taken_ids(kept, current, owner)
                wanted = found.with_columns(input_hash=pl.concat_str(pl.lit(f"{owner}:"), "fingerprint"))
                todo = self._still_to_do(report, wanted, current)
                self._run_tasks(stage, report, todo.height, self._source_tasks(stage, todo))
        return self._end(stage, report)

    def resolver(self) -> Resolver:
        """What the tables of the run hold now, over all buckets."""
        return self._resolver or Resolver(self.store, self.flow, self.run.tables)

    @contextmanager
    def _reading_ahead(self) -> Iterator[None]:
        """Read the run's ledgers on the side, since listing a long source keeps one core busy and leaves the rest."""
        if self._resolver is not None or self._groups_for(self._taken_in()) != [None]:
            yield
            return
        resolver = Resolver(self.store, self.flow, self.run.tables)
        with ThreadPoolExecutor(max_workers=1) as aside:
            reading = aside.submit(lambda: [resolver.ledger(table) for table in self.run.tables])
            yield
            reading.result()
        self._resolver = resolver

    def _begin(self, stage: Stage) -> StageReport:
        description = {
            "stage": stage.name,
            "version": stage.version,
            "config": stage.config.model_dump(mode="json"),
        }
        ledger.write_variant(self.store, stage.writes.name, stage.variant, description)
        if self.run.tables.get(stage.writes.name) != stage.variant:
            self.run.tables[stage.writes.name] = stage.variant
            save_run(self.store, self.run)
            self._resolver = None
        return StageReport(stage.name, stage.variant)

    def _end(self, stage: Stage, report: StageReport) -> StageReport:
        if report.computed:
            compact_variant(self.store, stage.writes, stage.variant)
        if report.computed and self._resolver is not None:
            self._resolver.forget_cached(stage.writes.name)
        self.progress.finish(report)
        return report

    def _still_to_do(self, report: StageReport, wanted: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
        key = ["dialogue_id", "input_hash"]
        failed = known.filter(pl.col("status") == QUARANTINED)
        settled = known.join(failed, on=key, how="anti") if self.retry_quarantined else known
        todo = wanted.join(settled, on=key, how="anti")
        report.reused += wanted.height - todo.height
        if not self.retry_quarantined:
            report.quarantined.update(failed.join(wanted, on=key, how="semi")["reason"].to_list())
        return todo

    def _run_tasks(self, stage: Stage, report: StageReport, total: int, tasks: Iterator[Task]) -> None:
        self.progress.start(stage.name, total, report.reused)
        for result in self._outcomes(self._engine_of(stage), tasks):
            report.computed += result.dialogues
            report.rows += result.rows
            report.quarantined.update(result.quarantined)
            self.progress.advance(result)

    def _engine_of(self, stage: Stage) -> Engine:
        return InlineEngine() if stage.in_one_process else self.engine

    def _outcomes(self, engine: Engine, tasks: Iterable[Task]) -> Iterator[TaskResult]:
        suspects: deque[Task] = deque()
        for task, outcome in engine.map(run_task, tasks):
            if isinstance(outcome, WorkerLost):
                suspects.append(task)
            else:
                yield outcome
        while suspects:  # one at a time, so that a second death names the task; halved until one dialogue is left
            task = suspects.popleft()
            for _, outcome in engine.map(run_task, [task]):
                if not isinstance(outcome, WorkerLost):
                    yield outcome
                elif task.units.height == 1:
                    yield commit_quarantine(task, Reason.WORKER_CRASHED, outcome.detail)
                else:
                    ids = task.units["dialogue_id"].to_list()
                    middle = len(ids) // 2
                    suspects.extend(task.restricted_to(half, _task_id()) for half in (ids[:middle], ids[middle:]))

    def _tasks(self, stage: Stage, resolver: Resolver, todo: pl.DataFrame) -> Iterator[Task]:
        reads = [table.name for table in (*stage.reads, *stage.optional_reads)]
        variants = {name: self.run.tables[name] for name in reads if name in self.run.tables}
        stage_key = uuid.uuid4().hex
        placed = self._in_buckets(todo)
        located = {
            name: resolver.done(name)
            .select("dialogue_id", "part", "unit")
            .join(placed.select("dialogue_id", "bucket"), on="dialogue_id", how="inner")
            .partition_by("bucket", as_dict=True, include_key=False)
            for name in reads
        }
        for chunk in _chunks(placed, stage, self.engine.workers):
            inputs = {}
            for name, by_bucket in located.items():
                near = [by_bucket[(key,)] for key in chunk["bucket"].unique() if (key,) in by_bucket]
                near.append(pl.DataFrame(schema=_LOCATION))
                inputs[name] = pl.concat(near).join(chunk, on="dialogue_id", how="semi")
            yield Task(_task_id(), self.store.address, stage, stage_key, chunk, inputs, variants)

    def _source_tasks(self, stage: Stage, todo: pl.DataFrame) -> Iterator[Task]:
        stage_key = uuid.uuid4().hex
        for chunk in _chunks(todo.sort("bucket", "dialogue_id"), stage, self.engine.workers):
            units = chunk.select("dialogue_id", "input_hash", "bucket")
            refs = chunk.drop("input_hash", "bucket")
            yield Task(_task_id(), self.store.address, stage, stage_key, units, {}, {}, {"refs": refs})

    def _in_buckets(self, todo: pl.DataFrame) -> pl.DataFrame:
        """The units with their bucket, in the order of buckets and ids."""
        buckets = [bucket_of(dialogue_id, self.store.n_buckets) for dialogue_id in todo["dialogue_id"]]
        return todo.with_columns(bucket=pl.Series(buckets, dtype=pl.Int64)).sort("bucket", "dialogue_id")

    def _resolve(self, group: list[int] | None, *, keep: bool) -> Resolver:
        if not keep:
            return Resolver(self.store, self.flow, self.run.tables, group)
        if self._resolver is None:
            self._resolver = Resolver(self.store, self.flow, self.run.tables)
        return self._resolver

    def _bucket_groups(self) -> list[list[int] | None]:
        if self._resolver is not None:
            return [None]
        return self._groups_for(self._taken_in())

    def _taken_in(self) -> int:
        """About how many dialogues the run holds, from one bucket of the table that a source fills."""
        first = Resolver(self.store, self.flow, self.run.tables, [0])
        source = next(table for table, (reads, _) in self.flow.reads.items() if not reads)
        return first.units(source).height * self.store.n_buckets

    def _groups_for(self, dialogues: int) -> list[list[int] | None]:
        if dialogues <= _DIALOGUES_AT_ONCE:
            return [None]
        size = max(1, self.store.n_buckets * _DIALOGUES_AT_ONCE // dialogues)
        buckets = list(range(self.store.n_buckets))
        return [buckets[i : i + size] for i in range(0, len(buckets), size)]


def _task_id() -> str:
    return uuid.uuid4().hex[:16]


def _chunks(placed: pl.DataFrame, stage: Stage, workers: int) -> Iterator[pl.DataFrame]:
    """Cut units into tasks of at most ``stage.batch_size``: several small buckets together, a large one in even pieces.

    Tasks shrink towards the end, so that no worker is left with a long one while the others wait. A bucket is not
    split without need, so that it stays one part and its readers open one file.
    """
    left, most = placed.height, stage.batch_size
    least = most if stage.in_one_process else max(1, most // _SMALLEST)
    waiting: list[pl.DataFrame] = []
    for bucket in placed.partition_by("bucket", maintain_order=True):
        size = max(least, min(most, left // (_ROUNDS * workers)))
        if waiting and sum(frame.height for frame in waiting) + bucket.height > size:
            yield pl.concat(waiting)
            left -= sum(frame.height for frame in waiting)
            waiting = []
        if bucket.height > size:
            pieces = math.ceil(bucket.height / size)
            yield from bucket.iter_slices(math.ceil(bucket.height / pieces))
            left -= bucket.height
        else:
            waiting.append(bucket)
    if waiting:
        yield pl.concat(waiting)
