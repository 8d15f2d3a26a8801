"""Stages that stand in for ingest, listen and transcribe in benchmarks: their rows are given, not computed.

They carry the variant of the stage they stand in for, so that a later real `run` finds its work done.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from schemas.table import Table
from store.stage import Batch, Stage, StageConfig, StageOutput


class GivenConfig(StageConfig):
    """Nothing can change given rows."""


class Given(Stage):
    """Rows of a table from the Parquet files in ``folder``, one file per run of ids (see ``write_given``)."""

    version = 1
    batch_size = 4096

    def __init__(self, stand_in_for: Stage, folder: Path) -> None:
        super().__init__(GivenConfig())
        self.name = stand_in_for.name  # type: ignore[misc]
        self.reads = stand_in_for.reads  # type: ignore[misc]
        self.optional_reads = stand_in_for.optional_reads  # type: ignore[misc]
        self.writes = stand_in_for.writes  # type: ignore[misc]
        self._variant = stand_in_for.variant
        self._folder = folder

    @property
    def variant(self) -> str:
        """The variant of the stage it stands in for."""
        return self._variant

    def process(self, batch: Batch) -> StageOutput:
        """The given rows of the batch's dialogues."""
        rows = pl.scan_parquet(sorted(self._folder.glob(f"{self.writes.name}-*.parquet")))
        return StageOutput(rows.filter(pl.col("dialogue_id").is_in(list(batch.dialogue_ids))).collect())


def write_given(folder: Path, table: Table, number: int, rows: pl.DataFrame) -> None:
    """Put rows where ``Given`` finds them; sorted by id, so that statistics lead it to the right file."""
    folder.mkdir(parents=True, exist_ok=True)
    table.conform(rows).write_parquet(folder / f"{table.name}-{number:05d}.parquet", row_group_size=50_000)
