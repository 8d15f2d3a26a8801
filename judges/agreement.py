"""How far two sets of grades of the same replies agree: counts, kappa, rank correlation, flags, each with an interval.

Everything but the correlation within a dialogue is a function of three small tables of counts per dialogue. The
bootstrap therefore draws dialogues, adds up their counts, and never touches a grade again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from schemas.ids import stable_hash
from schemas.verdicts import BEST, Axis

Counts = npt.NDArray[np.float64]

LEVELS = BEST + 1
OVERALL = "all"
SAMPLES = 1000
BLOCKS = 2000
"""The most that are drawn from at once: with more dialogues, each block is some of them."""
INTERVAL = (2.5, 97.5)
"""Percentiles of the bootstrap that bound an interval."""
ITEMS = pl.Schema(
    {
        "dialogue_id": pl.String(),
        "axis": pl.String(),
        "group": pl.String(),
        "first": pl.Int64(),
        "second": pl.Int64(),
        "first_flag": pl.Boolean(),
        "second_flag": pl.Boolean(),
    }
)
"""What is compared: one row per reply and axis that both sides scored (-1..4), and whether each side flags it.

``group`` parts rows of one dialogue and axis that are not to be ranked together, such as those of two raters.
"""
_SCORES = LEVELS * LEVELS
_AXES = pl.Enum([axis.value for axis in Axis])


@dataclass(frozen=True)
class Estimate:
    """A figure and its 95 % bootstrap interval. Null where the rows do not define it."""

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Cells:
    """Rows by what the first and the second side say of them, yes or no."""

    both: int
    first_only: int
    second_only: int
    neither: int


@dataclass(frozen=True)
class Agreement:
    """Agreement on one axis. ``n``: rows to which both sides gave 0..4; figures of scores are over these.

    ``applies``: rows by whether a side gave 0..4 rather than -1. ``flags``: all rows by whether a side flags them; -1
    is no flag. ``precision`` and ``recall``: of the first side's flags, taking the second side's for the truth.
    ``spearman_within``: mean over dialogues (and groups) where it is defined, weighted by their rows;
    ``within``: how many these are.
    """

    axis: str
    n: int
    dialogues: int
    exact: Estimate
    within_one: Estimate
    kappa: Estimate
    spearman: Estimate
    spearman_within: Estimate
    within: int
    applies: Cells
    flags: Cells
    precision: Estimate
    recall: Estimate


def is_flagged(score: str, problematic: str, max_score: int) -> pl.Expr:
    """Whether a grade makes a fault: it is called problematic, or its score is ``max_score`` or less; -1 never is."""
    low = (pl.col(score) <= max_score) | pl.col(problematic).fill_null(False)
    return (pl.col(score) >= 0) & low


def exact(table: Counts) -> Counts:
    """Part of the rows on the diagonal. ``table``: counts, shape (..., k, k), as for every figure here."""
    return _ratio(np.trace(table, axis1=-2, axis2=-1), table.sum((-2, -1)))


def within_one(table: Counts) -> Counts:
    """Part of the rows at most one level apart."""
    return _ratio((table * (_distances(table) <= 1)).sum((-2, -1)), table.sum((-2, -1)))


def quadratic_kappa(table: Counts) -> Counts:
    """Cohen's kappa with quadratic weights (Cohen 1968); with two levels, plain kappa.

    NaN where chance alone would agree fully: both sides gave one and the same grade throughout.
    """
    total = table.sum((-2, -1), keepdims=True)
    by_chance = _ratio(table.sum(-1, keepdims=True) * table.sum(-2, keepdims=True), total)
    weights = _distances(table) ** 2
    return 1 - _ratio((weights * table).sum((-2, -1)), (weights * by_chance).sum((-2, -1)))


def spearman(table: Counts) -> Counts:
    """Spearman's rank correlation with mid-ranks for ties. NaN where a side gave one grade throughout."""
    rows, columns = table.sum(-1), table.sum(-2)
    total = table.sum((-2, -1))
    middle = (total[..., None] + 1) / 2
    left, right = _mid_ranks(rows) - middle, _mid_ranks(columns) - middle
    covariance = np.einsum("...ij,...i,...j->...", table, left, right)
    return _ratio(covariance, np.sqrt((rows * left**2).sum(-1) * (columns * right**2).sum(-1)))


def precision(table: Counts) -> Counts:
    """Of what the first side flags, the part that the second flags too; shape (..., 2, 2), index 1 is flagged."""
    return _ratio(table[..., 1, 1], table[..., 1, :].sum(-1))


def recall(table: Counts) -> Counts:
    """Of what the second side flags, the part that the first flags too."""
    return _ratio(table[..., 1, 1], table[..., :, 1].sum(-1))


def compare(items: pl.DataFrame, *, samples: int = SAMPLES, seed: int = 0, symmetric: bool = False) -> list[Agreement]:
    """Agreement per axis, in the rubric's order, and over all of them where there are several.

    ``items``: columns of ITEMS. ``symmetric``: neither side comes first, so every row counts both ways round.
    ``samples``: bootstrap samples; the order of rows changes nothing.
    """
    # Numbers in the order of the names: sorting millions of names is slow.
    items = items.with_columns(pl.col("dialogue_id", "group").rank("dense"), pl.col("axis").cast(_AXES))
    axes = items["axis"].unique().sort().to_list()
    found = [_agreement(axis, items.filter(pl.col("axis") == axis), samples, seed, symmetric) for axis in axes]
    return found + ([_agreement(OVERALL, items, samples, seed, symmetric)] if len(axes) > 1 else [])


def per_dialogue(dialogues: pl.Series, cells: npt.NDArray[np.int64], n_cells: int) -> Counts:
    """Rows by dialogue (in order of their ids) and cell: shape (dialogues, n_cells). Cells below 0 are left out."""
    number = dialogues.rank("dense").to_numpy().astype(np.int64) - 1
    counted = cells >= 0
    n_dialogues = int(number.max(initial=-1)) + 1
    flat = np.bincount(number[counted] * n_cells + cells[counted], minlength=n_dialogues * n_cells)
    return flat.reshape(n_dialogues, n_cells).astype(np.float64)


def resampled(counts: Counts, samples: int, seed: int) -> Counts:
    """Sums of as many dialogues as there are, drawn with replacement: (dialogues, k) to (samples, k).

    Of more than BLOCKS dialogues, blocks of them are drawn; sums of independent dialogues vary as much either way.
    """
    counts = _in_blocks(counts)
    n = len(counts)
    generator = np.random.default_rng(int(stable_hash("bootstrap", seed), 16))
    draws = (np.bincount(generator.integers(0, n, n), minlength=n) for _ in range(samples))
    return np.array([draw @ counts for draw in draws]).reshape(samples, counts.shape[1])


def estimate(value: Counts, replicates: Counts, n_dialogues: int) -> Estimate:
    """A figure with its interval; without one for a single dialogue, or where most samples do not define the figure."""
    if np.isnan(value):
        return Estimate(None)
    defined = replicates[~np.isnan(replicates)]
    if n_dialogues < 2 or 2 * len(defined) <= len(replicates):
        return Estimate(float(value))
    low, high = np.percentile(defined, INTERVAL)
    return Estimate(float(value), float(low), float(high))


def cells(table: Counts) -> Cells:
    """A table of counts (2, 2), index 1 is yes, by name."""
    return Cells(int(table[1, 1]), int(table[1, 0]), int(table[0, 1]), int(table[0, 0]))


def _agreement(axis: str, items: pl.DataFrame, samples: int, seed: int, symmetric: bool) -> Agreement:
    dialogues = items["dialogue_id"]
    first, second = items["first"].to_numpy(), items["second"].to_numpy()
    both = (first >= 0) & (second >= 0)
    counts = np.hstack(
        [
            per_dialogue(dialogues, np.where(both, first * LEVELS + second, -1), _SCORES),
            per_dialogue(dialogues, _two_by_two(items["first_flag"].to_numpy(), items["second_flag"].to_numpy()), 4),
            per_dialogue(dialogues, _two_by_two(first >= 0, second >= 0), 4),
            _within(items),
        ]
    )
    total = counts.sum(0)
    values = _figures(total, symmetric)
    replicates = _figures(resampled(counts, samples, seed), symmetric)
    graded = int((counts[:, :_SCORES].sum(1) > 0).sum())
    return Agreement(
        axis=axis,
        n=int(both.sum()),
        dialogues=len(counts),
        within=int(total[-1]),
        flags=cells(total[_SCORES : _SCORES + 4].reshape(2, 2)),
        applies=cells(total[_SCORES + 4 : _SCORES + 8].reshape(2, 2)),
        **{name: estimate(value, replicates[name], graded) for name, value in values.items()},
    )


def _figures(counts: Counts, symmetric: bool) -> Mapping[str, Counts]:
    shape = counts.shape[:-1]
    scores = counts[..., :_SCORES].reshape(*shape, LEVELS, LEVELS)
    flags = counts[..., _SCORES : _SCORES + 4].reshape(*shape, 2, 2)
    if symmetric:
        scores, flags = scores + scores.swapaxes(-1, -2), flags + flags.swapaxes(-1, -2)
    return {
        "exact": exact(scores),
        "within_one": within_one(scores),
        "kappa": quadratic_kappa(scores),
        "spearman": spearman(scores),
        "spearman_within": _ratio(counts[..., -3], counts[..., -2]),
        "precision": precision(flags),
        "recall": recall(flags),
    }


def _within(items: pl.DataFrame) -> Counts:
    """Per dialogue: sum of rows times correlation, sum of rows, and number of groups, over groups that have one."""
    groups = ("dialogue_id", "axis", "group")
    found = (
        items.lazy()
        .filter((pl.col("first") >= 0) & (pl.col("second") >= 0))
        .sort(*groups, "first", "second")  # sums of floats are then the same whatever the order of the rows
        .with_columns(pl.col("first", "second").rank("average").over(groups))
        .group_by(groups, maintain_order=True)
        .agg(rows=pl.len().cast(pl.Float64), rho=pl.corr("first", "second"))
        .filter(pl.col("rho").is_not_nan() & pl.col("rho").is_not_null())
        .group_by("dialogue_id", maintain_order=True)
        .agg(
            pl.col("rows").dot("rho").alias("weighted"), pl.col("rows").sum(), pl.len().cast(pl.Float64).alias("groups")
        )
        .collect()
    )
    everyone = items.select(pl.col("dialogue_id").unique().sort())
    return (
        everyone.join(found, on="dialogue_id", how="left", maintain_order="left")
        .select(pl.col("weighted", "rows", "groups").fill_null(0.0))
        .to_numpy()
    )


def _in_blocks(counts: Counts) -> Counts:
    n, k = counts.shape
    if n <= BLOCKS:
        return counts
    rounds = -(-n // BLOCKS)
    filled = np.vstack([counts, np.zeros((rounds * BLOCKS - n, k))])
    return np.asarray(filled.reshape(rounds, BLOCKS, k).sum(0), dtype=np.float64)


def _two_by_two(first: npt.NDArray[np.bool_], second: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    return first.astype(np.int64) * 2 + second.astype(np.int64)


def _distances(table: Counts) -> Counts:
    level = np.arange(table.shape[-1], dtype=np.float64)
    return np.abs(level[:, None] - level[None, :])


def _mid_ranks(counts: Counts) -> Counts:
    return np.cumsum(counts, -1) - counts + (counts + 1) / 2


def _ratio(part: Counts, whole: Counts) -> Counts:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(whole != 0, part / whole, np.nan), dtype=np.float64)
