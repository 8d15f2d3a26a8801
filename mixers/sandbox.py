"""Run a person's SQL so that it can read the run and nothing else.

One parsed SELECT; no file outside the store's tables; no extension, setting or attachment can be changed.
"""

from __future__ import annotations

import tempfile
import uuid
from pathlib import Path

import duckdb

from mixers.views import location
from store.layout import Store, StoreError


class QueryError(StoreError):
    """A query that is refused or does not run; the message says why."""


def lock(connection: duckdb.DuckDBPyConnection, store: Store) -> None:
    """Close everything a SELECT could reach beyond the store's tables."""
    tables = location(store, "tables").replace("'", "''")
    # DuckDB adds its scratch folder to what may be read, so it gets one of its own
    scratch = str(Path(tempfile.gettempdir()) / f"duplex-miner-sql-{uuid.uuid4().hex}").replace("'", "''")
    connection.execute(f"SET temp_directory = '{scratch}'")
    connection.execute(f"SET allowed_directories = ['{tables}']")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def select(connection: duckdb.DuckDBPyConnection, query: str) -> duckdb.DuckDBPyRelation:
    """Run one SELECT on a locked connection. Raises QueryError for anything else, or what DuckDB says of it."""
    try:
        statements = connection.extract_statements(query)
    except duckdb.Error as error:
        raise QueryError(f"this is not SQL DuckDB can read: {error}") from None
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise QueryError("only one SELECT at a time: the store is read-only, and stages alone write to it")
    try:
        return connection.sql(query)
    except duckdb.Error as error:
        raise QueryError(str(error)) from None
