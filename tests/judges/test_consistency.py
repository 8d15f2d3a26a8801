"""Two runs of the judge over the same replies."""

from __future__ import annotations

import polars as pl

from judges.consistency import Consistency, consistency

Row = tuple[str, int, float, int | None]


def verdicts(*rows: Row) -> pl.DataFrame:
    schema = {"dialogue_id": pl.String, "turn_index": pl.Int64, "t_s": pl.Float64, "score": pl.Int64}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    return frame.with_columns(axis=pl.lit("tone"), problematic=pl.when(pl.col("score").is_not_null()).then(False))


def compare(first: pl.DataFrame, second: pl.DataFrame) -> Consistency:
    return consistency(first, second, max_score=1, samples=20)


def test_every_row_of_either_run_is_counted_once() -> None:
    first = verdicts(("a", 1, 2.0, 4), ("a", 3, 6.0, None), ("b", 1, 2.0, 1), ("b", 3, 5.0, None), ("c", 1, 1.0, 3))
    second = verdicts(("a", 1, 2.0, 3), ("a", 3, 6.0, 2), ("b", 1, 2.0, None), ("b", 3, 5.0, None), ("d", 1, 1.0, 3))
    found = compare(first, second)
    assert (found.compared, found.only_first, found.only_second) == (1, 1, 1)
    assert (found.unscored_first, found.unscored_second, found.unscored_both) == (1, 1, 1)
    (one,) = found.agreement
    assert one.n == 1
    assert (one.exact.value, one.within_one.value) == (0, 1)


def test_a_turn_of_the_same_number_at_another_time_is_another_turn() -> None:
    found = compare(verdicts(("a", 1, 2.0, 4), ("a", 3, 6.0, 0)), verdicts(("a", 1, 2.0, 4), ("a", 3, 9.0, 4)))
    assert (found.compared, found.only_first, found.only_second) == (1, 1, 1)


def test_flags_of_the_first_run_are_measured_on_those_of_the_second() -> None:
    first = verdicts(("a", 1, 2.0, 0), ("a", 3, 6.0, 1), ("b", 1, 2.0, 3))
    second = verdicts(("a", 1, 2.0, 1), ("a", 3, 6.0, 2), ("b", 1, 2.0, 3))
    (one,) = compare(first, second).agreement
    assert (one.precision.value, one.recall.value) == (0.5, 1)
