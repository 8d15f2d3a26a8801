"""Forget a dialogue: remove everything derived from it, in every variant of every table, and keep it out."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import polars as pl

from schemas.ids import bucket_of
from schemas.table import Table
from store import ledger, parts
from store.cache import drop_cache
from store.compact import rewrite_bucket
from store.layout import Store
from store.resolve import tombstone_key


@dataclass
class Forgotten:
    """What was removed: rows and units per table, and files of the cache.

    ``known`` is False when the store held nothing of the dialogue.
    """

    dialogue_id: str
    known: bool = False
    rows: dict[str, int] = field(default_factory=dict)
    units: dict[str, int] = field(default_factory=dict)
    cached: int = 0


def forget(store: Store, dialogue_id: str, tables: Mapping[str, Table]) -> Forgotten:
    """Remove every row, ledger entry and cached answer of a dialogue and put up a tombstone.

    The tombstone comes first, so that a kill in between leaves the dialogue hidden and the same command finishes the
    work. The audio's hash gets a tombstone too: the same recording stays out under any name. The source log itself is
    the user's and is not touched.
    """
    report = Forgotten(dialogue_id)
    _entomb(store, dialogue_id)
    report.cached = drop_cache(store, dialogue_id)
    report.known = report.cached > 0
    bucket = bucket_of(dialogue_id, store.n_buckets)
    for name, table in tables.items():
        for variant in ledger.variants(store, name):
            units = ledger.load(store, name, variant, [bucket])
            own = units.filter(pl.col("dialogue_id") == dialogue_id)
            if own.is_empty():
                continue
            report.known = True
            for audio_hash in _audio_hashes(store, table, own):
                _entomb(store, audio_hash)
            rewrite_bucket(store, table, variant, bucket, without=frozenset([dialogue_id]))
            report.rows[name] = report.rows.get(name, 0) + int(own["n_rows"].sum())
            report.units[name] = report.units.get(name, 0) + own.height
    return report


def _audio_hashes(store: Store, table: Table, units: pl.DataFrame) -> Collection[str]:
    if "audio_hash" not in table.schema:
        return []
    return set(parts.read_rows(store, table, units)["audio_hash"])


def _entomb(store: Store, identity: str) -> None:
    path = f"tombstones/{tombstone_key(identity)}.json"
    if not store.exists(path):
        store.write_json(path, {"forgotten_at": datetime.now(UTC).isoformat(timespec="seconds")})
