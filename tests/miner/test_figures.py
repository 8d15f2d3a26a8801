"""Stage `figures`: one row for every dialogue, and the same rows whatever the batch."""

from __future__ import annotations

import polars as pl

from miner.figures import Figures
from schemas.figures import FIGURES
from store.stage import Batch
from tests.timing.timelines import Log, activity_of, events_of, turns_of


def rows_of(logs: list[Log]) -> pl.DataFrame:
    tables = {"activity": activity_of(logs), "turns": turns_of(logs), "timing_events": events_of(logs)}
    return FIGURES.conform(Figures().process(Batch([log.name for log in logs], tables)).rows)


LOGS = [
    Log([(3.0, 5.0)], [(1.0, 2.5), (8.0, 9.0)], 20.0, "a"),
    Log([], [], 4.0, "b"),
    Log([(1.0, 4.0)], [(2.0, 6.0)], 9.0, "c"),
]


def test_every_dialogue_has_a_row_even_where_nobody_speaks() -> None:
    rows = rows_of(LOGS)
    assert rows["dialogue_id"].to_list() == ["a", "b", "c"]
    assert rows["duration_s"].to_list() == [20.0, 4.0, 9.0]
    assert rows["no_responses"].to_list() == [1, 0, 0]
    assert rows["barge_ins"].to_list() == [0, 0, 1]


def test_batches_make_no_difference() -> None:
    assert rows_of(LOGS).equals(pl.concat([rows_of([log]) for log in LOGS]))


def test_there_is_one_variant() -> None:
    assert Figures().variant == Figures().variant
