"""Which units make up a table in a run: the ones whose inputs are what the run's upstream tables hold now.

Resolution follows content, not time: turn a threshold back and the old rows are the current ones again, at no cost.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl
import xxhash

from schemas.table import Table
from store import ledger
from store.layout import Store
from store.ledger import DONE, LEDGER_SCHEMA
from store.stage import Stage

ABSENT = "-"
"""Stands in an input hash for an optional table that has nothing for the dialogue."""


@dataclass(frozen=True)
class Flow:
    """What each table is made from: table name to (required reads, optional reads)."""

    reads: Mapping[str, tuple[tuple[Table, ...], tuple[Table, ...]]]

    @classmethod
    def of(cls, stages: Iterable[type[Stage]]) -> Flow:
        """The flow that a set of stage classes makes up."""
        return cls({stage.writes.name: (stage.reads, stage.optional_reads) for stage in stages})


@dataclass
class Resolver:
    """Resolves tables of one run over some buckets, reading each ledger once."""

    store: Store
    flow: Flow
    tables: Mapping[str, str]
    buckets: Collection[int] | None = None
    _ledgers: dict[str, pl.DataFrame] = field(default_factory=dict)
    _units: dict[str, pl.DataFrame] = field(default_factory=dict)
    _tombstones: frozenset[str] | None = None

    def ledger(self, table: str) -> pl.DataFrame:
        """Every unit there is of the run's variant of a table, current or not: columns of LEDGER_SCHEMA."""
        variant = self.tables.get(table)
        if variant is None:
            return pl.DataFrame(schema=LEDGER_SCHEMA)
        if table not in self._ledgers:
            self._ledgers[table] = ledger.load(self.store, table, variant, self.buckets)
        return self._ledgers[table]

    def units(self, table: str) -> pl.DataFrame:
        """Current units of a table, done and quarantined: LEDGER_SCHEMA columns, one row per dialogue."""
        if table not in self._units:
            self._units[table] = self._resolve(table)
        return self._units[table]

    def done(self, table: str) -> pl.DataFrame:
        """Current units with an outcome (zero rows included)."""
        return self.units(table).filter(pl.col("status") == DONE)

    def forget_cached(self, table: str) -> None:
        """Read a table's ledger again at the next call: its stage has just run."""
        self._ledgers.pop(table, None)
        self._units.pop(table, None)

    def inputs(self, required: Sequence[Table], optional: Sequence[Table]) -> pl.DataFrame:
        """Dialogues whose required inputs are all done: columns ``dialogue_id, input_hash``."""
        first, *others = required
        frame = self.done(first.name).select("dialogue_id", pl.col("output_hash").alias(first.name))
        for table in others:
            right = self.done(table.name).select("dialogue_id", pl.col("output_hash").alias(table.name))
            frame = frame.join(right, on="dialogue_id", how="inner")
        for table in optional:
            right = self.done(table.name).select("dialogue_id", pl.col("output_hash").alias(table.name))
            frame = frame.join(right, on="dialogue_id", how="left")
        names = [table.name for table in (*required, *optional)]
        hashes = pl.concat_str([pl.col(name).fill_null(ABSENT) for name in names], separator="|")
        return frame.select("dialogue_id", input_hash=hashes)

    def _resolve(self, table: str) -> pl.DataFrame:
        units = self._without_forgotten(self.ledger(table))
        if table not in self.flow.reads:  # read where it is there, and nothing installed writes it
            return units.clear()
        required, optional = self.flow.reads[table]
        if not required:  # the source: what was taken in last is what there is
            return units.unique("dialogue_id", keep="last", maintain_order=True)
        return self.inputs(required, optional).join(units, on=["dialogue_id", "input_hash"], how="inner")

    def _without_forgotten(self, units: pl.DataFrame) -> pl.DataFrame:
        if self._tombstones is None:
            self._tombstones = tombstones(self.store)
        if not self._tombstones:
            return units
        forgotten = [tombstone_key(i) in self._tombstones for i in units["dialogue_id"]]
        return units.filter(~pl.Series(forgotten, dtype=pl.Boolean))


def tombstone_key(identity: str) -> str:
    """Name of the tombstone of a dialogue id or audio hash: a hash, so that it says nothing by itself."""
    return xxhash.xxh3_128_hexdigest(identity.encode())


def tombstones(store: Store) -> frozenset[str]:
    """Keys of everything that was forgotten."""
    return frozenset(name.removesuffix(".json") for name in store.list("tombstones"))
