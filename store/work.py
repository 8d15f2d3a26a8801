"""What a worker does with one task: read the inputs, run the stage, write a part, commit."""

from __future__ import annotations

import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import polars as pl

from schemas.ids import stable_hash
from schemas.reasons import Reason
from schemas.table import TableError
from store import ledger, parts
from store.layout import Store
from store.ledger import DONE, QUARANTINED
from store.stage import Batch, Quarantined, Stage, StageOutput, StopRunError


@dataclass(frozen=True)
class Task:
    """Some units: a whole number of buckets, or a piece of one.

    ``stage_key`` names this very stage object, options included, so that a worker opens it once. ``units``: columns
    ``dialogue_id, input_hash, bucket``. ``inputs``: for each table the stage reads, columns ``dialogue_id,
    part, unit``. ``variants``: the run's tables. ``given``: frames handed over as they are, for the source stage.
    """

    task_id: str
    store_url: str
    stage: Stage
    stage_key: str
    units: pl.DataFrame
    inputs: Mapping[str, pl.DataFrame]
    variants: Mapping[str, str]
    given: Mapping[str, pl.DataFrame] = field(default_factory=dict)

    def restricted_to(self, dialogue_ids: list[str], task_id: str) -> Task:
        """The same task for fewer dialogues."""
        keep = pl.col("dialogue_id").is_in(dialogue_ids)
        return replace(
            self,
            task_id=task_id,
            units=self.units.filter(keep),
            inputs={name: frame.filter(keep) for name, frame in self.inputs.items()},
            given={name: frame.filter(keep) for name, frame in self.given.items()},
        )


@dataclass(frozen=True)
class TaskResult:
    """What came of a task. ``seconds`` is the worker's wall time."""

    dialogues: int
    rows: int
    quarantined: dict[str, int]
    seconds: float


_open_stages: dict[str, Stage] = {}


def run_task(task: Task) -> TaskResult:
    """Run a task in this process and commit it."""
    began = time.perf_counter()
    store = Store.open(task.store_url)
    stage = _opened(task)
    tables = {table.name: table for table in (*stage.reads, *stage.optional_reads)}
    frames = {name: parts.read_rows(store, tables[name], units) for name, units in task.inputs.items()}
    batch = Batch(task.units["dialogue_id"].to_list(), {**frames, **task.given}, task.variants)
    output = _process(stage, batch)
    _commit(store, task, output)
    reasons = [quarantined.reason.value for quarantined in output.quarantined]
    return TaskResult(
        task.units.height,
        output.rows.height,
        {reason: reasons.count(reason) for reason in set(reasons)},
        time.perf_counter() - began,
    )


def commit_quarantine(task: Task, reason: Reason, detail: str) -> TaskResult:
    """Record that none of a task's dialogues could be processed."""
    failed = [Quarantined(dialogue_id, reason, detail) for dialogue_id in task.units["dialogue_id"]]
    _commit(Store.open(task.store_url), task, StageOutput(task.stage.writes.empty(), failed))
    return TaskResult(len(failed), 0, {reason.value: len(failed)}, 0.0)


def _opened(task: Task) -> Stage:
    """This process's own copy of the stage, opened once; what an earlier stage had open is let go."""
    if task.stage_key not in _open_stages:
        for stage in _open_stages.values():
            stage.close()
        _open_stages.clear()
        task.stage.open()
        _open_stages[task.stage_key] = task.stage
    return _open_stages[task.stage_key]


def _process(stage: Stage, batch: Batch) -> StageOutput:
    """Run the stage on the batch; when it raises, on each dialogue alone, so that only the culprit pays."""
    try:
        return _checked(stage, batch, stage.process(batch))
    except StopRunError:
        raise
    except Exception as error:
        if len(batch.dialogue_ids) == 1:
            failed = Quarantined(batch.dialogue_ids[0], Reason.INTERNAL_ERROR, _where(error))
            return StageOutput(stage.writes.empty(), [failed])
    outputs = [_process(stage, _alone(batch, dialogue_id)) for dialogue_id in batch.dialogue_ids]
    rows = pl.concat([output.rows for output in outputs])
    return StageOutput(rows, [failed for output in outputs for failed in output.quarantined])


def _checked(stage: Stage, batch: Batch, output: StageOutput) -> StageOutput:
    rows = stage.writes.conform(output.rows)
    strangers = set(rows["dialogue_id"].unique()) - set(batch.dialogue_ids)
    if strangers:
        raise TableError(f"{stage.name} made rows of dialogues it was not given: {sorted(strangers)[:3]}")
    return StageOutput(rows, output.quarantined)


def _alone(batch: Batch, dialogue_id: str) -> Batch:
    own = pl.col("dialogue_id") == dialogue_id
    return Batch([dialogue_id], {name: frame.filter(own) for name, frame in batch.tables.items()}, batch.variants)


def _where(error: Exception) -> str:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({Path(frame.filename).name}:{frame.lineno})"[:2000]


def _commit(store: Store, task: Task, output: StageOutput) -> None:
    """Write the rows, one part per bucket, and after each part its commit."""
    table, variant = task.stage.writes, task.stage.variant
    units, rows = _outcomes(task, output)
    marks = units.select("dialogue_id", "bucket", pl.col("unit").alias(parts.UNIT))
    by_bucket = rows.join(marks, on="dialogue_id", how="left", maintain_order="left").partition_by(
        "bucket", as_dict=True, include_key=False
    )
    for (key,), own in units.partition_by("bucket", as_dict=True, include_key=False).items():
        bucket = int(str(key))
        part = parts.part_path(table.name, variant, bucket, task.task_id)
        if (key,) in by_bucket:
            parts.write_frame(store, part, by_bucket[(key,)])
        placed = own.with_columns(part=pl.when(pl.col("n_rows") > 0).then(pl.lit(part)))
        ledger.commit(store, table.name, variant, bucket, task.task_id, placed)


def _outcomes(task: Task, output: StageOutput) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Ledger entries of every unit (without the part), and the rows that count: none of a quarantined dialogue."""
    failed = pl.DataFrame(
        [(q.dialogue_id, q.reason.value, q.detail[:2000]) for q in output.quarantined],
        schema={"dialogue_id": pl.String(), "reason": pl.String(), "detail": pl.String()},
        orient="row",
    ).unique("dialogue_id", keep="first", maintain_order=True)
    rows = output.rows.join(failed.select("dialogue_id"), on="dialogue_id", how="anti", maintain_order="left")
    counts = rows.group_by("dialogue_id").agg(n_rows=pl.len().cast(pl.Int64))
    units = (
        task.units.join(counts, on="dialogue_id", how="left")
        .join(parts.content_hashes(task.stage.writes, rows), on="dialogue_id", how="left")
        .join(failed, on="dialogue_id", how="left")
        .with_columns(
            pl.col("n_rows").fill_null(0),
            pl.col("output_hash").fill_null(parts.EMPTY_CONTENT),
            status=pl.when(pl.col("reason").is_null()).then(pl.lit(DONE)).otherwise(pl.lit(QUARANTINED)),
            unit=unit_ids(task.task_id, task.units.height),
        )
    )
    return units, rows


def unit_ids(task_id: str, n: int) -> pl.Series:
    """Numbers that mark the rows of ``n`` units made by one task; no other task has them (up to 2**-64 chance)."""
    base = int(stable_hash("unit", task_id), 16)
    return pl.Series("unit", [(base + i) % 2**64 for i in range(n)], dtype=pl.UInt64)
