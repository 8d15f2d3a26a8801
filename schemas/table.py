"""What a table is: its columns with their meaning, its key, and what must hold of every row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl
import pyarrow as pa

SECONDS = pl.Float64()
SPAN = pl.Struct({"start_s": pl.Float64(), "end_s": pl.Float64()})
WORD = pl.Struct({"text": pl.String(), "start_s": pl.Float64(), "end_s": pl.Float64(), "timing_source": pl.String()})


class TableError(ValueError):
    """A stage made rows that break their table's contract."""


@dataclass(frozen=True)
class Column:
    """One column: name, polars type and what it means, with its unit.

    ``lineage`` columns say how a row was made. They take no part in its content hash, so that a new way to make the
    same row stops there instead of rerunning everything downstream.
    """

    name: str
    dtype: pl.DataType
    doc: str
    nullable: bool = False
    lineage: bool = False


@dataclass(frozen=True)
class Table:
    """A table of the store.

    ``key`` is unique within one dialogue and is the order of its rows. ``checks`` maps the name of an invariant to a
    boolean expression that must hold on every row.
    """

    name: str
    doc: str
    writer: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    checks: Mapping[str, pl.Expr] = field(default_factory=dict)

    @property
    def schema(self) -> pl.Schema:
        """Column names and polars types, in order."""
        return pl.Schema({column.name: column.dtype for column in self.columns})

    @property
    def arrow_schema(self) -> pa.Schema:
        """The same as an Arrow schema, with the column docs as field metadata."""
        plain = self.empty().to_arrow().schema
        return pa.schema(
            plain.field(column.name).with_nullable(column.nullable).with_metadata({"doc": column.doc})
            for column in self.columns
        )

    @property
    def content_columns(self) -> list[str]:
        """The columns that make up a row's content (all but lineage)."""
        return [column.name for column in self.columns if not column.lineage]

    def empty(self) -> pl.DataFrame:
        """A frame with no rows and the table's columns."""
        return pl.DataFrame(schema=self.schema)

    def conform(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Columns in order and type, seconds on the 1 ms grid, rows sorted by (dialogue_id, *key), invariants checked.

        Missing nullable columns are filled with null. Raises TableError naming the column or invariant and a row.
        """
        missing = [c for c in self.columns if c.name not in frame.columns]
        required = [c.name for c in missing if not c.nullable]
        extra = sorted(set(frame.columns) - set(self.schema))
        if required or extra:
            raise TableError(f"{self.name}: missing columns {required}, unknown columns {extra}")
        frame = frame.with_columns(pl.lit(None, dtype=c.dtype).alias(c.name) for c in missing)
        seconds = [c.name for c in self.columns if c.name.endswith("_s") and c.dtype == pl.Float64]
        frame = (
            frame.select(pl.col(c.name).cast(c.dtype) for c in self.columns)
            .with_columns(pl.col(seconds).round(3))
            .sort("dialogue_id", *self.key)
        )
        self._check(frame)
        return frame

    def _check(self, frame: pl.DataFrame) -> None:
        rules = {f"{c.name} is not null": pl.col(c.name).is_not_null() for c in self.columns if not c.nullable}
        rules |= self.checks
        identity = pl.struct("dialogue_id", *self.key) if self.key else pl.col("dialogue_id")
        rules[f"({', '.join(('dialogue_id', *self.key))}) is unique"] = identity.is_first_distinct()
        broken = frame.select((~rule.fill_null(True)).sum().alias(f"rule{i}") for i, rule in enumerate(rules.values()))
        for i, (name, rule) in enumerate(rules.items()):
            if broken.item(0, f"rule{i}"):
                row = frame.filter(~rule.fill_null(True)).row(0, named=True)
                raise TableError(f"{self.name}: {name} does not hold of {broken.item(0, f'rule{i}')} rows, first {row}")


def ordered_spans(column: str) -> pl.Expr:
    """Invariant: the spans of a list column are in order, never overlap and are never negative."""
    bounds = pl.col(column).list.eval(
        pl.concat_list(pl.element().struct.field("start_s"), pl.element().struct.field("end_s")).explode()
    )
    return bounds.list.eval((pl.element().diff().min() >= 0).fill_null(True)).list.all()
