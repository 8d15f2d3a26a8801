"""The commit ledger: which units of work are done, with which outcome, and which part holds their rows.

A *unit* is one dialogue under one variant of a table for one state of its inputs. Its key is (variant, dialogue_id,
input_hash); it is done once. A commit is written after the part it names, so whatever a killed run leaves without a
commit is not there. Where two commits hold the same unit (compaction, two machines), the later one counts.
"""

from __future__ import annotations

import io
import time
import warnings
from collections.abc import Collection

import polars as pl
import xxhash

from store.layout import Store, StoreError

DONE = "done"
QUARANTINED = "quarantined"

LEDGER_SCHEMA = pl.Schema(
    {
        "dialogue_id": pl.String(),
        "input_hash": pl.String(),
        "output_hash": pl.String(),
        "status": pl.String(),
        "n_rows": pl.Int64(),
        "reason": pl.String(),
        "detail": pl.String(),
        "part": pl.String(),
        "unit": pl.UInt64(),
        "committed_ns": pl.Int64(),
    }
)
_ATTEMPTS = 5


def ledger_folder(table: str, variant: str) -> str:
    """Folder of a variant's commits, relative to the store."""
    return f"ledger/{table}/{variant}"


def commit(store: Store, table: str, variant: str, bucket: int, task_id: str, units: pl.DataFrame) -> str:
    """Make units visible. ``units`` has the columns of LEDGER_SCHEMA, but for the time. Returns the commit's path."""
    now_ns = time.time_ns()
    stamped = units.with_columns(committed_ns=pl.lit(now_ns, dtype=pl.Int64))
    buffer = io.BytesIO()
    stamped.select(pl.col(name).cast(dtype) for name, dtype in LEDGER_SCHEMA.items()).write_parquet(buffer)
    data = buffer.getvalue()
    name = f"b{bucket:04d}-{now_ns:020d}-{task_id}-{xxhash.xxh3_64_hexdigest(data)}.parquet"
    path = f"{ledger_folder(table, variant)}/{name}"
    store.write(path, data)
    return path


def commit_names(store: Store, table: str, variant: str, buckets: Collection[int] | None = None) -> list[str]:
    """File names of a variant's commits, oldest first within a bucket."""
    names = [name for name in store.list(ledger_folder(table, variant)) if name.endswith(".parquet")]
    if buckets is None:
        return names
    wanted = {f"b{bucket:04d}" for bucket in buckets}
    return [name for name in names if name[:5] in wanted]


def load(store: Store, table: str, variant: str, buckets: Collection[int] | None = None) -> pl.DataFrame:
    """Every unit of a variant, the latest commit of each, oldest first: columns of LEDGER_SCHEMA."""
    for attempt in range(_ATTEMPTS):
        names = commit_names(store, table, variant, buckets)
        try:
            commits = [data for name in names if (data := _read(store, table, variant, name)) is not None]
        except FileNotFoundError:  # a compaction took the file between listing and reading: list again
            if attempt == _ATTEMPTS - 1:
                raise
            continue
        break
    if not commits:
        return pl.DataFrame(schema=LEDGER_SCHEMA)
    units = pl.read_parquet(commits).sort("committed_ns", maintain_order=True)
    return units.unique(["dialogue_id", "input_hash"], keep="last", maintain_order=True)


def _read(store: Store, table: str, variant: str, name: str) -> bytes | None:
    data = store.read(f"{ledger_folder(table, variant)}/{name}")
    if xxhash.xxh3_64_hexdigest(data) != name.removesuffix(".parquet").rpartition("-")[2]:
        warnings.warn(f"commit {name} of {table} is incomplete and does not count", stacklevel=2)
        return None
    return data


def variants(store: Store, table: str) -> list[str]:
    """Every variant of a table that was ever begun."""
    return store.list(f"ledger/{table}")


def describe_variant(store: Store, table: str, variant: str) -> dict[str, object]:
    """Stage, version and config behind a variant."""
    found = store.read_json(f"{ledger_folder(table, variant)}/variant.json")
    if found is None:
        raise StoreError(f"table {table} has no variant {variant}: see `duplex-miner runs`")
    return found


def write_variant(store: Store, table: str, variant: str, description: dict[str, object]) -> None:
    """Record what a variant stands for, once."""
    path = f"{ledger_folder(table, variant)}/variant.json"
    if not store.exists(path):
        store.write_json(path, description)
