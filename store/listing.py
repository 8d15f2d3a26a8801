"""What a source lists, on its way to the units of work: put aside by bucket, the forgotten and the duplicate marked."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import polars as pl

from schemas.ids import bucket_of, stable_hash
from schemas.reasons import Reason
from store.layout import Store
from store.ledger import QUARANTINED
from store.resolve import tombstone_key, tombstones


def spool(refs: Iterable[pl.DataFrame], folder: Path, n_buckets: int) -> int:
    """Put the listing on disk with its buckets, so that a million logs need no more memory than a thousand."""
    count = 0
    for number, frame in enumerate(refs):
        buckets = [bucket_of(dialogue_id, n_buckets) for dialogue_id in frame["dialogue_id"]]
        frame.with_columns(bucket=pl.Series(buckets, dtype=pl.Int64)).write_parquet(folder / f"{number:06d}.parquet")
        count += frame.height
    return count


def from_spool(folder: Path, group: list[int] | None) -> pl.DataFrame:
    """The listing of some buckets, or of all (None)."""
    files = sorted(folder.glob("*.parquet"))
    if not files:
        return pl.DataFrame()
    listing = pl.scan_parquet(files)
    return (listing if group is None else listing.filter(pl.col("bucket").is_in(group))).collect()


def without_forgotten(store: Store, found: pl.DataFrame) -> pl.DataFrame:
    """The listing without what was forgotten on request."""
    graves = tombstones(store)
    if not graves:
        return found
    forgotten = pl.Series([tombstone_key(i) in graves for i in found["dialogue_id"]], dtype=pl.Boolean)
    return found.filter(~forgotten)


def mark_taken_ids(found: pl.DataFrame, current: pl.DataFrame, owner: str) -> pl.DataFrame:
    """An id that another source holds goes to quarantine under a name of its own, so that the first one stays."""
    others = current.filter(
        (pl.col("status") != QUARANTINED) & ~pl.col("input_hash").str.starts_with(f"{owner}:")
    ).select("dialogue_id", holder=pl.col("input_hash").str.split(":").list.first())
    if others.is_empty():
        return found
    taken = found.join(others, on="dialogue_id", how="left", maintain_order="left")
    suffix = pl.Series([stable_hash(owner, i)[:8] for i in taken["dialogue_id"]], dtype=pl.String)
    is_taken = pl.col("holder").is_not_null()
    return taken.with_columns(
        dialogue_id=pl.when(is_taken).then(pl.col("dialogue_id") + "~" + suffix).otherwise("dialogue_id"),
        problem_reason=pl.when(is_taken).then(pl.lit(Reason.DUPLICATE_ID.value)).otherwise(pl.col("problem_reason")),
        problem_detail=pl.when(is_taken)
        .then(pl.format("id {} belongs to source {} already", "dialogue_id", "holder"))
        .otherwise(pl.col("problem_detail")),
    ).drop("holder")
