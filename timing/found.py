"""What a rule found, as columns, and how it becomes rows of ``timing_events``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl
import xxhash

from schemas.clock import FRAME_MS, IntMs, array_to_s
from schemas.ids import unit_draw
from schemas.timing_events import ISSUE_EVENTS, TIMING_EVENTS, Event
from timing.intervals import NONE, Index


@dataclass(frozen=True)
class Found:
    """Events of one kind in all dialogues of a batch. Arrays of equal length, times in ms.

    ``evidence`` maps a name that ends in its unit to numbers: ms under a name in ``_s`` (written as seconds), others
    as they are. ``other`` may be NONE.
    """

    event: Event
    dialogue: Index
    t: IntMs
    end: IntMs
    turn: Index
    other: Index
    evidence: Mapping[str, IntMs] = field(default_factory=dict)
    subtype: str = ""

    def frame(self) -> pl.DataFrame:
        """The same as a frame, evidence as JSON."""
        numbers = pl.DataFrame(
            {name: array_to_s(value) if name.endswith("_s") else value for name, value in self.evidence.items()}
        )
        return pl.DataFrame({"dialogue": self.dialogue, "t": self.t, "end": self.end, "turn_index": self.turn}).select(
            "dialogue",
            "t",
            "end",
            "turn_index",
            pl.Series("other_turn_index", self.other, dtype=pl.Int64).replace(NONE, None),
            pl.lit(self.event.value).alias("event"),
            pl.lit(self.subtype).alias("subtype"),
            numbers.select(pl.struct(pl.all()).struct.json_encode()).to_series().alias("evidence"),
        )


def ledger(found: Sequence[Found], dialogue_ids: Sequence[str]) -> pl.DataFrame:
    """Rows of the table ``timing_events``, with ids and, for issues, ranks."""
    frames = [one.frame() for one in found if len(one.t)]
    if not frames:
        return TIMING_EVENTS.empty()
    rows = pl.concat(frames)
    issues = [event.value for event in ISSUE_EVENTS]
    rows = rows.with_columns(
        pl.Series("dialogue_id", dialogue_ids, dtype=pl.String).gather(rows["dialogue"]),
        pl.when(pl.col("event").is_in(issues)).then("event").alias("issue_type"),
        pl.Series("t_s", array_to_s(rows["t"].to_numpy())),
        pl.Series("end_s", array_to_s(rows["end"].to_numpy())),
    )
    rows = rows.with_columns(event_ids(rows))
    return ranked(rows).select(TIMING_EVENTS.schema.names())


def event_ids(rows: pl.DataFrame) -> pl.Series:
    """``schemas.ids.issue_id`` of every row (dialogue_id, event, t in ms): its text is put together by column."""
    text = rows.select(
        pl.concat_str(pl.lit("issue"), "dialogue_id", "event", pl.col("t") // FRAME_MS, separator="\x1f")
    ).to_series()
    digest = xxhash.xxh3_64_hexdigest
    return pl.Series("event_id", [digest(one) for one in text.cast(pl.Binary).to_list()], dtype=pl.String)


def ranked(rows: pl.DataFrame) -> pl.DataFrame:
    """Add ``rank``: 0 for a dialogue's first issue in time, then the others in the order of a draw from their ids."""
    rows = rows.with_row_index("row")
    issues = rows.filter(pl.col("issue_type").is_not_null()).select("row", "dialogue", "t", "event_id")
    draws = [unit_draw("rank", identity) for identity in issues["event_id"].to_list()]
    issues = (
        issues.with_columns(pl.Series("draw", draws, dtype=pl.Float64))
        .sort("dialogue", "t", "event_id")
        .with_columns((pl.int_range(pl.len()).over("dialogue") > 0).alias("later"))
        .sort("dialogue", "later", "draw")
        .select("row", pl.int_range(pl.len()).over("dialogue").alias("rank"))
    )
    return rows.join(issues, on="row", how="left")
