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


def read_rows(store: Store, table: Table, units: pl.DataFrame) -> pl.DataFrame:
    """Rows of the given units (columns ``dialogue_id, part, unit``), in table order, without the unit column."""
    stored = units.filter(pl.col("part").is_not_null())
    frames = [read_part(store, str(part), group["unit"]) for (part,), group in stored.group_by("part")]
    if not frames:
        return table.empty()
    return pl.concat(frames).select(table.schema.names()).sort("dialogue_id", *table.key)


def read_part(store: Store, part: str, units: pl.Series) -> pl.DataFrame:
    """Rows of one part that belong to ``units``, the unit column kept."""
    source = store.path(part) if store.is_local else io.BytesIO(store.read(part))
    wanted = pl.col(UNIT).is_in(units.unique().implode())
    return pl.read_parquet(source, glob=False, hive_partitioning=False).filter(wanted)
