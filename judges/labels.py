"""Labels that people gave: a file of scores of replies, read and checked as a whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import polars as pl

from schemas.verdicts import BEST, DOES_NOT_APPLY, Axis
from store.layout import StoreError

LABELS = pl.Schema(
    {
        "row": pl.Int64(),
        "dialogue_id": pl.String(),
        "turn_index": pl.Int64(),
        "t_s": pl.Float64(),
        "axis": pl.String(),
        "score": pl.Int64(),
        "problematic": pl.Boolean(),
        "rater": pl.String(),
    }
)
"""A label: ``row`` counts from 1; the reply is named by ``turn_index``, or by its start ``t_s`` where that is null.

``score``: 0..4, -1 the axis does not apply, null for a reply its rater left open. ``rater``: empty where not named.
"""

_READERS: Mapping[str, Callable[[Path], pl.DataFrame]] = {
    ".jsonl": partial(pl.read_ndjson, infer_schema_length=None),
    ".ndjson": partial(pl.read_ndjson, infer_schema_length=None),
    ".csv": partial(pl.read_csv, infer_schema=False),
    ".parquet": pl.read_parquet,
}
_OTHER_NAMES = {"dialogue": "dialogue_id", "turn": "turn_index", "start_s": "t_s"}
_YES_NO = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_EXPECTED = "labels have the columns dialogue_id, turn_index or t_s, axis, score, and if you like rater and problematic"


def read_labels(path: Path) -> pl.DataFrame:
    """Read a file of labels: columns of LABELS. Raises StoreError with the first thing that is wrong with it."""
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise StoreError(f"{path}: labels are read from {', '.join(_READERS)}: save it as one of these")
    try:
        frame = reader(path)
    except OSError as error:
        raise StoreError(f"cannot read {path} ({error.strerror or 'no such file'}): check the path") from None
    except pl.exceptions.PolarsError as error:
        why = str(error).splitlines()[0]
        raise StoreError(f"{path} cannot be read as {path.suffix} ({why}): mend or convert it") from None
    return labels_of(frame, str(path))


def labels_of(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    """A frame as somebody wrote it, checked, as LABELS. ``name`` says in messages what it is."""
    names = {old: new for old, new in _OTHER_NAMES.items() if old in frame.columns and new not in frame.columns}
    frame = frame.rename(names)
    lacking = [column for column in ("dialogue_id", "axis", "score") if column not in frame.columns]
    if "turn_index" not in frame.columns and "t_s" not in frame.columns:
        lacking.insert(1, "turn_index or t_s")
    if lacking:
        has = ", ".join(frame.columns) or "none"
        raise StoreError(f"{name} has no column {', '.join(lacking)} (it has {has}): {_EXPECTED}")
    raw = frame.select(
        pl.int_range(1, pl.len() + 1, dtype=pl.Int64).alias("row"),
        *(_text(frame, column) for column in LABELS if column != "row"),
    )
    axis = pl.col("axis").str.to_lowercase().str.replace_all(r"[\s-]+", "_")
    labels = raw.select(
        "row",
        "dialogue_id",
        pl.col("turn_index", "t_s", "score").cast(pl.Float64, strict=False),
        axis.replace_strict({one.value: one.value for one in Axis}, default=None, return_dtype=pl.String),
        pl.col("problematic").str.to_lowercase().replace_strict(_YES_NO, default=None, return_dtype=pl.Boolean),
        pl.col("rater").fill_null(""),
    )
    whole = labels.with_columns(
        pl.when(pl.col(column) == pl.col(column).round()).then(pl.col(column)).alias(column)
        for column in ("turn_index", "score")
    ).with_columns(score=pl.when(pl.col("score").is_between(DOES_NOT_APPLY, BEST)).then("score"))
    _check(raw, whole, name)
    return whole.select(pl.col(column).cast(dtype) for column, dtype in LABELS.items())


def _text(frame: pl.DataFrame, column: str) -> pl.Expr:
    """A column as text without blanks around it; null where it is not there or empty."""
    if column not in frame.columns:
        return pl.lit(None, dtype=pl.String).alias(column)
    text = pl.col(column).cast(pl.String).str.strip_chars()
    return pl.when(text != "").then(text).alias(column)


def _check(raw: pl.DataFrame, read: pl.DataFrame, name: str) -> None:
    """Raise StoreError for the first value that was written and could not be read, or is lacking."""
    expected = {
        "axis": f"one of {', '.join(Axis)}",
        "score": f"a whole number from {DOES_NOT_APPLY} (does not apply) to {BEST}",
        "turn_index": "the number of a turn",
        "t_s": "seconds",
        "problematic": "true or false",
    }
    for column, what in expected.items():
        bad = raw.filter(raw[column].is_not_null() & read[column].is_null())
        if bad.height:
            row, value = bad["row"][0], bad[column][0]
            raise StoreError(f"{name}, row {row}: {column} is {value!r}, not {what} ({bad.height:,} such): mend it")
    for column in ("dialogue_id", "axis"):
        if raw[column].null_count():
            raise StoreError(f"{name}, row {raw.filter(pl.col(column).is_null())['row'][0]}: no {column}: mend it")
    nowhere = raw.filter(pl.col("turn_index").is_null() & pl.col("t_s").is_null())
    if nowhere.height:
        raise StoreError(f"{name}, row {nowhere['row'][0]}: neither turn_index nor t_s says which reply: mend it")
