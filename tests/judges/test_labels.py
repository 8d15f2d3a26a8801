"""Files of labels: every format gives the same labels, and what is wrong with one is said in one line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import polars as pl
import pytest

from judges.labels import LABELS, labels_of, read_labels
from store.layout import StoreError

GOOD: Mapping[str, list[object]] = {
    "dialogue_id": ["007", "b"],
    "turn_index": [1, 3],
    "axis": ["tone", "Factual accuracy"],
    "score": [4, -1],
    "rater": ["ann", None],
}


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_every_format_gives_the_same_labels(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"labels.{suffix}"
    frame = pl.DataFrame(GOOD)
    {"jsonl": frame.write_ndjson, "csv": frame.write_csv, "parquet": frame.write_parquet}[suffix](path)
    found = read_labels(path)
    assert found.schema == LABELS
    assert found.rows() == [
        (1, "007", 1, None, "tone", 4, None, "ann"),
        (2, "b", 3, None, "factual_accuracy", -1, None, ""),
    ]


def test_other_names_of_columns_and_other_columns_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("dialogue,start_s,axis,score,problematic,mood\na,2.5,tone,3,yes,fine\na,7,tone,,,\n")
    assert read_labels(path).rows() == [
        (1, "a", None, 2.5, "tone", 3, True, ""),
        (2, "a", None, 7.0, "tone", None, None, ""),
    ]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"score": None}, "has no column score (it has dialogue_id, turn_index, axis, rater)"),
        ({"turn_index": None}, "has no column turn_index or t_s"),
        ({"score": [4, 5]}, "row 2: score is '5', not a whole number from -1 (does not apply) to 4 (1 such)"),
        ({"score": [2.5, 3.5]}, "row 1: score is '2.5', not a whole number"),
        ({"score": ["good", "3"]}, "row 1: score is 'good'"),
        ({"axis": ["tone", "mood"]}, "row 2: axis is 'mood', not one of helpfulness, safety"),
        ({"axis": ["tone", None]}, "row 2: no axis"),
        ({"dialogue_id": [" ", "b"]}, "row 1: no dialogue_id"),
        ({"turn_index": [None, 3]}, "row 1: neither turn_index nor t_s"),
        ({"turn_index": [1.5, 3]}, "row 1: turn_index is '1.5'"),
        ({"problematic": ["maybe", "no"]}, "row 1: problematic is 'maybe', not true or false"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_in_one_line(changes: dict[str, list[object] | None], says: str) -> None:
    columns = {name: values for name, values in {**GOOD, **changes}.items() if values is not None}
    with pytest.raises(StoreError) as raised:
        labels_of(pl.DataFrame(columns, strict=False), "labels.csv")
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("labels.xlsx", b"x", "are read from .jsonl, .ndjson, .csv, .parquet"),
        ("labels.parquet", b"no parquet", "cannot be read as .parquet"),
        ("labels.jsonl", b"{not json\n", "cannot be read as .jsonl"),
        ("labels.csv", b"", "cannot be read as .csv"),
    ],
)
def test_a_file_that_cannot_be_read_is_told(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(StoreError) as raised:
        read_labels(tmp_path / name)
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["none.csv", "none.jsonl", "none.parquet"])
def test_a_file_that_is_not_there_is_told(tmp_path: Path, name: str) -> None:
    with pytest.raises(StoreError, match="check the path"):
        read_labels(tmp_path / name)
