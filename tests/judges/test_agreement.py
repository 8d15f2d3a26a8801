"""Statistics of agreement, against values worked out by hand, scipy's, and what must hold of any labels."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from judges.agreement import (
    BLOCKS,
    ITEMS,
    LEVELS,
    Agreement,
    Cells,
    Counts,
    compare,
    exact,
    is_flagged,
    precision,
    quadratic_kappa,
    recall,
    resampled,
    spearman,
    within_one,
)

SCORES = st.integers(-1, 4)
ROWS = st.lists(
    st.tuples(st.sampled_from("abcde"), st.sampled_from(["safety", "tone"]), SCORES, SCORES), min_size=1, max_size=40
)


def table(first: list[int], second: list[int], levels: int = LEVELS) -> Counts:
    counts = np.zeros((levels, levels))
    np.add.at(counts, (first, second), 1)
    return counts


def items(rows: list[tuple[str, str, int, int]], group: str = "") -> pl.DataFrame:
    frame = pl.DataFrame(rows, schema=["dialogue_id", "axis", "first", "second"], orient="row")
    return frame.with_columns(
        group=pl.lit(group), first_flag=pl.col("first").is_in([0, 1]), second_flag=pl.col("second").is_in([0, 1])
    ).select(pl.col(column).cast(dtype) for column, dtype in ITEMS.items())


def only(found: list[Agreement]) -> Agreement:
    assert len(found) == 1
    return found[0]


def test_kappa_has_the_values_worked_out_by_hand() -> None:
    yes_no = np.array([[20.0, 5.0], [10.0, 15.0]])
    assert quadratic_kappa(yes_no) == pytest.approx(0.4)  # observed 0.7, by chance 0.5
    # Weights 0, 1, 4: observed sum 4; by chance (1*1 + 4*1 + 1*2 + 1*1 + 4*4 + 1*2) / 4 = 6.5.
    assert quadratic_kappa(table([0, 1, 2, 2], [0, 1, 2, 0], 3)) == pytest.approx(1 - 4 / 6.5)
    assert quadratic_kappa(table([0, 4], [4, 0])) == pytest.approx(-1)


def test_kappa_punishes_far_misses_more_than_near_ones() -> None:
    near = quadratic_kappa(table([0, 1, 2, 3, 4], [0, 1, 2, 3, 3]))
    far = quadratic_kappa(table([0, 1, 2, 3, 4], [0, 1, 2, 3, 0]))
    assert far < near < 1


def test_parts_of_rows_and_flags_have_the_values_worked_out_by_hand() -> None:
    counts = table([0, 1, 2, 3], [0, 2, 4, 3])
    assert exact(counts) == pytest.approx(0.5)
    assert within_one(counts) == pytest.approx(0.75)
    flags = np.array([[90.0, 2.0], [4.0, 6.0]])  # the first flags 10, the second 8, both 6
    assert precision(flags) == pytest.approx(0.6)
    assert recall(flags) == pytest.approx(0.75)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=60))
def test_spearman_of_counts_is_scipys_of_the_rows(pairs: list[tuple[int, int]]) -> None:
    first, second = (list(side) for side in zip(*pairs, strict=True))
    found = float(spearman(table(first, second)))
    if len(set(first)) == 1 or len(set(second)) == 1:
        assert np.isnan(found)
    else:
        assert found == pytest.approx(float(spearmanr(first, second).statistic))


@settings(deadline=None)
@given(st.lists(st.integers(0, 4), min_size=2, max_size=60))
def test_equal_labels_agree_fully_or_not_at_all_by_chance(scores: list[int]) -> None:
    found = only(compare(items([("a", "tone", score, score) for score in scores]), samples=0))
    assert found.exact.value == 1
    if len(set(scores)) > 1:
        assert found.kappa.value == pytest.approx(1)
        assert found.spearman.value == pytest.approx(1)
    else:
        assert found.kappa.value is None, "one grade throughout agrees by chance"


@settings(deadline=None, max_examples=30)
@given(ROWS, st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(rows: list[tuple[str, str, int, int]], random: object) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert compare(items(rows), samples=20) == compare(items(shuffled), samples=20)


@settings(deadline=None, max_examples=30)
@given(ROWS)
def test_the_sides_may_change_places(rows: list[tuple[str, str, int, int]]) -> None:
    turned = [(dialogue, axis, second, first) for dialogue, axis, first, second in rows]
    for one, other in zip(compare(items(rows), samples=0), compare(items(turned), samples=0), strict=True):
        for name in ("exact", "within_one", "kappa", "spearman", "spearman_within"):
            assert getattr(one, name).value == pytest.approx(getattr(other, name).value)
        assert one.precision == other.recall


@settings(deadline=None, max_examples=30)
@given(ROWS)
def test_without_a_first_side_both_orders_give_the_same(rows: list[tuple[str, str, int, int]]) -> None:
    turned = [(dialogue, axis, second, first) for dialogue, axis, first, second in rows]
    ways = (compare(items(side), samples=0, symmetric=True) for side in (rows, turned))
    for one, other in zip(*ways, strict=True):
        for name in ("kappa", "spearman", "precision", "recall"):
            assert getattr(one, name).value == pytest.approx(getattr(other, name).value)
        assert one.n == other.n


def test_does_not_apply_is_in_no_score_and_is_no_flag() -> None:
    rows = [("a", "tone", 4, 4), ("a", "tone", -1, 4), ("b", "tone", 0, -1), ("b", "tone", -1, -1), ("b", "tone", 0, 0)]
    found = only(compare(items(rows)))
    assert found.n == 2
    assert found.exact.value == 1
    assert found.applies == Cells(both=2, first_only=1, second_only=1, neither=1)
    assert found.flags == Cells(both=1, first_only=1, second_only=0, neither=3)
    assert found.precision.value == 0.5


def test_within_a_dialogue_levels_between_dialogues_do_not_count() -> None:
    # In each dialogue the orders are opposite; over all of them the levels of the dialogues hide it.
    rows = [("a", "tone", 0, 1), ("a", "tone", 1, 0), ("b", "tone", 3, 4), ("b", "tone", 4, 3), ("c", "tone", 2, 2)]
    found = only(compare(items(rows)))
    assert found.spearman.value == pytest.approx(0.8)
    assert found.spearman_within.value == pytest.approx(-1)
    assert found.within == 2, "a dialogue with one reply has no order"


def test_within_dialogues_are_weighted_by_their_rows() -> None:
    longer = [("a", "tone", score, score) for score in (0, 1, 2)]
    shorter = [("b", "tone", 0, 1), ("b", "tone", 1, 0)]
    assert only(compare(items(longer + shorter))).spearman_within.value == pytest.approx((3 - 2) / 5)


def test_rows_of_two_raters_are_not_ranked_together() -> None:
    rows = [("a", "tone", 0, 2), ("a", "tone", 1, 3)], [("a", "tone", 0, 0), ("a", "tone", 1, 1)]
    both = pl.concat([items(rows[0], "ann"), items(rows[1], "bob")])
    found = only(compare(both))
    assert found.within == 2
    assert found.spearman_within.value == pytest.approx(1)


def test_intervals_hold_the_value_are_fixed_and_narrow_with_more_dialogues() -> None:
    generator = np.random.default_rng(3)
    first = generator.integers(0, 5, 2000)
    second = np.clip(first + generator.integers(-1, 2, 2000), 0, 4)
    rows = [(f"d{i // 5:03d}", "tone", int(a), int(b)) for i, (a, b) in enumerate(zip(first, second, strict=True))]
    many, few = only(compare(items(rows))), only(compare(items(rows[:100])))
    for one in (many, few):
        assert one.kappa.low < one.kappa.value < one.kappa.high  # type: ignore[operator]
    assert many.kappa.high - many.kappa.low < few.kappa.high - few.kappa.low  # type: ignore[operator]
    assert many == only(compare(items(rows)))
    # The normal interval of a part of rows, 1.96 * sqrt(p (1 - p) / n), holds here: rows do not depend on dialogues.
    part = float(many.exact.value or 0)
    assert many.exact.high - part == pytest.approx(1.96 * np.sqrt(part * (1 - part) / 2000), rel=0.15)  # type: ignore[operator]


def test_dialogues_are_drawn_not_rows() -> None:
    # Ten copies of a row within a dialogue say no more than one.
    single = [(f"d{i:02d}", "tone", i % 5, (i + i % 3) % 5) for i in range(20)]
    one, copies = (only(compare(items(rows))) for rows in (single, single * 10))
    assert (one.exact.low, one.exact.high) == (copies.exact.low, copies.exact.high)


def test_blocks_of_very_many_dialogues_give_the_same_interval() -> None:
    generator = np.random.default_rng(5)
    n = 3 * BLOCKS + 7
    counts = np.eye(4)[generator.integers(0, 4, n)]
    drawn = resampled(counts, 2000, seed=0)
    assert drawn.mean(0) == pytest.approx(counts.sum(0), rel=0.01)
    assert drawn.std(0) == pytest.approx(np.sqrt(n * counts.mean(0) * (1 - counts.mean(0))), rel=0.1)


def test_one_dialogue_has_no_interval_and_nothing_gives_nothing() -> None:
    found = only(compare(items([("a", "tone", 1, 2), ("a", "tone", 3, 3)])))
    assert found.exact.value == 0.5
    assert found.exact.low is None
    assert compare(items([])) == []


def test_several_axes_come_in_the_rubrics_order_and_then_all() -> None:
    rows = [("a", "tone", 1, 2), ("a", "safety", 3, 3), ("b", "tone", 3, 3)]
    found = compare(items(rows))
    assert [(one.axis, one.n) for one in found] == [("safety", 1), ("tone", 2), ("all", 3)]


@pytest.mark.parametrize(
    ("score", "problematic", "flagged"),
    [(1, False, True), (2, False, False), (4, True, True), (2, None, False), (-1, False, False), (-1, True, False)],
)
def test_what_is_flagged(score: int, problematic: bool | None, flagged: bool) -> None:
    grade = pl.DataFrame({"s": [score], "p": [problematic]}, schema={"s": pl.Int64, "p": pl.Boolean})
    assert grade.select(is_flagged("s", "p", 1)).item() is flagged
