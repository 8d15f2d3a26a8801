"""Parts: Parquet files with the rows of some dialogues, each row marked with the unit that made it."""

from __future__ import annotations

import io

import polars as pl
import xxhash

from schemas.table import Table
from store.layout import Store

UNIT = "_unit"
"""Column that ties a row to the unit of work that made it; never shown to stages or users."""

EMPTY_CONTENT = xxhash.xxh3_64_hexdigest(b"")


def part_path(table: str, variant: str, bucket: int, task_id: str) -> str:
    """Path of a part, relative to the store."""
    return f"tables/{table}/{variant}/b{bucket:04d}-{task_id}.parquet"


def content_hashes(table: Table, rows: pl.DataFrame) -> pl.DataFrame:
    """Hash what a table says of each dialogue: columns ``dialogue_id, output_hash`` for dialogues with rows.

    ``rows`` must conform to the table (which fixes their order). Lineage columns take no part.
    """
    texts = (
        rows.select("dialogue_id", text=pl.struct(table.content_columns).struct.json_encode())
        .group_by("dialogue_id", maintain_order=True)
        .agg(pl.col("text").str.join("\n"))
    )
    hashes = [xxhash.xxh3_64_hexdigest(text.encode()) for text in texts["text"]]
    return texts.select("dialogue_id", output_hash=pl.Series(hashes, dtype=pl.String))


def write_frame(store: Store, relative: str, frame: pl.DataFrame) -> None:
    """Write a frame as one Parquet file."""
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd", compression_level=1, statistics=True)
    store.write(relative, buffer.getvalue())


def scan_rows(store: Store, table: Table, units: pl.DataFrame) -> pl.LazyFrame:
    """Rows of the given units (columns ``part, unit``) in no order, to be narrowed before they are read."""
    stored = units.filter(pl.col("part").is_not_null())
    parts = stored["part"].unique().sort().to_list()
    if not parts:
        return table.empty().lazy()
    if store.is_local:
        rows = pl.scan_parquet([store.path(part) for part in parts], glob=False, hive_partitioning=False)
    else:
        rows = pl.concat([pl.read_parquet(io.BytesIO(store.read(part))).lazy() for part in parts])
    wanted = stored.lazy().select(pl.col("unit").alias(UNIT))
    return rows.join(wanted, on=UNIT, how="semi").select(table.schema.names())


def read_rows(store: Store, table: Table, units: pl.DataFrame) -> pl.DataFrame:
    """Rows of the given units (columns ``part, unit``) in table order, without the unit column."""
    return scan_rows(store, table, units).collect().sort("dialogue_id", *table.key)


def read_part(store: Store, part: str, units: pl.Series) -> pl.DataFrame:
    """Rows of one part that belong to ``units``, the unit column kept."""
    source = store.path(part) if store.is_local else io.BytesIO(store.read(part))
    wanted = pl.col(UNIT).is_in(units.unique().implode())
    return pl.read_parquet(source, glob=False, hive_partitioning=False).filter(wanted)
