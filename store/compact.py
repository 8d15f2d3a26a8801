"""Compaction: many small parts of a bucket become one. Rows and units stay what they are."""

from __future__ import annotations

import uuid
from collections import Counter

import polars as pl

from schemas.table import Table
from store import ledger, parts
from store.layout import Store

COMMITS_PER_BUCKET = 8
"""A bucket with more commits than this is compacted when its stage ends."""


def compact_variant(store: Store, table: Table, variant: str, *, above: int = COMMITS_PER_BUCKET) -> int:
    """Compact every bucket of a variant that has more than ``above`` commits. Returns how many were."""
    counts = Counter(int(name[1:5]) for name in ledger.commit_names(store, table.name, variant))
    crowded = [bucket for bucket, commits in counts.items() if commits > above]
    for bucket in crowded:
        rewrite_bucket(store, table, variant, bucket)
    return len(crowded)


def rewrite_bucket(
    store: Store, table: Table, variant: str, bucket: int, *, without: frozenset[str] = frozenset()
) -> None:
    """Write one part and one commit that hold the bucket's units, then remove what they replace.

    A kill in between leaves both, which hold the same units: the later commit counts. ``without`` leaves out the units
    of some dialogues for good.
    """
    old_commits = ledger.commit_names(store, table.name, variant, [bucket])
    units = ledger.load(store, table.name, variant, [bucket])
    old_parts = _parts_of(store, table.name, variant, bucket)
    kept = units.filter(~pl.col("dialogue_id").is_in(list(without)))
    if not kept.is_empty():
        _write(store, table, variant, bucket, kept)
    for name in old_commits:
        store.remove(f"{ledger.ledger_folder(table.name, variant)}/{name}")
    for part in old_parts:
        store.remove(part)


def _write(store: Store, table: Table, variant: str, bucket: int, units: pl.DataFrame) -> None:
    task_id = uuid.uuid4().hex[:16]
    part = parts.part_path(table.name, variant, bucket, task_id)
    stored = units.filter(pl.col("part").is_not_null())
    frames = [parts.read_part(store, str(old), group["unit"]) for (old,), group in stored.group_by("part")]
    if frames:
        parts.write_frame(store, part, pl.concat(frames).sort("dialogue_id", parts.UNIT, *table.key))
    moved = units.with_columns(part=pl.when(pl.col("part").is_not_null()).then(pl.lit(part)))
    ledger.commit(store, table.name, variant, bucket, task_id, moved)


def _parts_of(store: Store, table: str, variant: str, bucket: int) -> list[str]:
    folder = f"tables/{table}/{variant}"
    return [f"{folder}/{name}" for name in store.list(folder) if name.startswith(f"b{bucket:04d}-")]
