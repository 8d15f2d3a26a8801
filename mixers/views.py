"""DuckDB views over a run: one per table, and the ones people ask for by name.

The rows are read where they lie. A row counts when its unit is the run's current one, which a semi join on the unit
column decides, so that two runs, an upstream change and a half-finished stage never mix.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import duckdb
import polars as pl

from schemas.table import Table
from store import ledger
from store.layout import Store
from store.parts import UNIT
from store.resolve import Flow, Resolver
from store.runs import Run

DERIVED_VIEWS: Mapping[str, tuple[str, str]] = {
    "timing_issues": (
        "Timing faults: rows of timing_events with an issue_type (B or C)",
        "SELECT event_id AS issue_id, * EXCLUDE (event_id, event) FROM timing_events WHERE issue_type IS NOT NULL",
    ),
    "issues": (
        "All faults of the run, whoever found them",
        "SELECT issue_id, dialogue_id, issue_type, subtype, t_s, end_s, turn_index, other_turn_index, rank, evidence "
        "FROM timing_issues UNION ALL "
        "SELECT issue_id, dialogue_id, issue_type, subtype, t_s, end_s, turn_index, other_turn_index, rank, evidence "
        "FROM content_issues",
    ),
    "events": (
        "Timing events that are no faults",
        "SELECT * EXCLUDE (issue_type, rank) FROM timing_events WHERE issue_type IS NULL",
    ),
}
UNITS_DOC = "One row per dialogue and table of the run: done (rows, zero included) or quarantined with its reason"
QUARANTINE_DOC = "Dialogues that could not be processed: the table they are missing from, reason code and detail"


def open_views(store: Store, run: Run, flow: Flow, tables: Iterable[Table]) -> duckdb.DuckDBPyConnection:
    """A DuckDB connection (in memory) with the views of a run. Nothing of the store is copied."""
    connection = duckdb.connect()
    if not store.is_local:
        connection.register_filesystem(store.fs)
    resolver = Resolver(store, flow, run.tables)
    states = []
    for table in tables:
        units = resolver.units(table.name)
        state = units.select("dialogue_id", "status", "n_rows", "reason", "detail")
        states.append(state.select(pl.lit(table.name).alias("table_name"), pl.all()))
        _table_view(connection, store, table, units.filter(pl.col("status") == ledger.DONE))
    _load(connection, "units", pl.concat(states))
    connection.execute(
        "CREATE VIEW quarantine AS "
        "SELECT dialogue_id, table_name, reason, detail FROM units WHERE status = 'quarantined'"
    )
    for name, (_, query) in DERIVED_VIEWS.items():
        connection.execute(f"CREATE VIEW {name} AS {query}")
    return connection


def _table_view(connection: duckdb.DuckDBPyConnection, store: Store, table: Table, units: pl.DataFrame) -> None:
    parts = units["part"].drop_nulls().unique().sort().to_list()
    if not parts:
        _load(connection, table.name, table.empty())
        return
    _load(connection, f"_units_{table.name}", units.filter(pl.col("part").is_not_null()).select("unit"))
    files = ", ".join(_literal(location(store, part)) for part in parts)
    columns = ", ".join(f'"{name}"' for name in table.schema.names())
    connection.execute(
        f"CREATE VIEW {table.name} AS SELECT {columns} FROM read_parquet([{files}]) "  # noqa: S608
        f"SEMI JOIN _units_{table.name} ON {UNIT} = unit"
    )


def _load(connection: duckdb.DuckDBPyConnection, name: str, frame: pl.DataFrame) -> None:
    connection.register("incoming", frame.to_arrow())
    connection.execute(f"CREATE TABLE {name} AS SELECT * FROM incoming")  # noqa: S608 - our own table names
    connection.unregister("incoming")


def location(store: Store, relative: str) -> str:
    """Where DuckDB finds something of the store."""
    path = store.path(relative)
    return path if store.is_local else str(store.fs.unstrip_protocol(path))


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
