"""`duplex-miner sql`."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import polars as pl
import typer
from rich.table import Table as RichTable

from store.console import DEFAULT_STORE, Installation, RunOption, StoreOption, out
from store.layout import Store
from store.runs import active_run, load_run


class Format(StrEnum):
    """How a result is printed."""

    TABLE = "table"
    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"


def sql(
    context: typer.Context,
    query: Annotated[str, typer.Argument(help="One SELECT over the views of the run (docs/tables.md).")],
    store: StoreOption = DEFAULT_STORE,
    run: RunOption = None,
    format: Annotated[Format, typer.Option("--format", "-f", help="table, jsonl, csv or parquet.")] = Format.TABLE,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write to a file instead of stdout.")] = None,
) -> None:
    """Query the tables of a run with SQL (DuckDB, read-only)."""
    from mixers.sandbox import QueryError, lock, select  # DuckDB, which no other command needs
    from mixers.views import open_views

    installation: Installation = context.obj
    opened = Store.open(store)
    chosen = load_run(opened, run) if run else active_run(opened)
    connection = open_views(opened, chosen, installation.flow, installation.tables.values())
    lock(connection, opened)
    frame = select(connection, query).pl()
    if format is Format.TABLE and output is None:
        out().print(_as_table(frame))
        return
    target = output.open("wb") if output is not None else sys.stdout.buffer
    if format is Format.PARQUET:
        if output is None and sys.stdout.isatty():
            raise QueryError("Parquet is not for a terminal: name a file with --output, or pipe it")
        frame.write_parquet(target)
    elif format is Format.CSV:
        _flat(frame).write_csv(target)
    else:
        frame.write_ndjson(target)
    target.flush()


def _as_table(frame: pl.DataFrame) -> RichTable:
    table = RichTable(box=None, pad_edge=False, header_style="bold")
    for name, dtype in frame.schema.items():
        table.add_column(name, justify="right" if dtype.is_numeric() else "left", overflow="fold")
    for row in frame.iter_rows():
        table.add_row(*("" if value is None else str(value) for value in row))
    return table


def _flat(frame: pl.DataFrame) -> pl.DataFrame:
    """Nested columns as JSON text, which CSV can hold."""
    nested = [name for name, dtype in frame.schema.items() if dtype.is_nested()]
    return frame.with_columns(pl.struct(name).struct.json_encode().alias(name) for name in nested)
