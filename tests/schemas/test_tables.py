"""What a table's contract refuses, and what every table promises about itself."""

from __future__ import annotations

import polars as pl
import pytest

from cli import CHAIN
from schemas.activity import ACTIVITY
from schemas.catalog import TABLES
from schemas.ids import bucket_of, issue_id, pair_id, stable_hash, unit_draw
from schemas.reasons import WHAT_TO_DO, Reason
from schemas.table import Table, TableError
from schemas.words import WORDS


def words(**changes: object) -> pl.DataFrame:
    row = {
        "dialogue_id": "a",
        "channel": "user",
        "word_index": 0,
        "text": "hi",
        "start_s": 0.1,
        "end_s": 0.2,
        "timing_source": "given",
        "asr": "given",
    }
    return pl.DataFrame([row | changes])


def test_conform_orders_rounds_and_fills_what_may_be_null() -> None:
    rows = pl.concat([words(word_index=1, start_s=0.30004, end_s=0.4), words()])
    conformed = WORDS.conform(rows)
    assert conformed.schema == WORDS.schema
    assert conformed["word_index"].to_list() == [0, 1]
    assert conformed["start_s"].to_list() == [0.1, 0.3]
    assert conformed["confidence"].to_list() == [None, None]


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (words().drop("text"), "missing columns \\['text'\\]"),
        (words().with_columns(new=1), "unknown columns \\['new'\\]"),
        (words(start_s=0.3), "start_s <= end_s does not hold of 1 rows"),
        (words(text=None), "text is not null"),
        (words(timing_source="guessed"), "timing_source is known"),
        (pl.concat([words(), words()]), "is unique"),
    ],
)
def test_conform_refuses_rows_that_break_the_contract(rows: pl.DataFrame, says: str) -> None:
    with pytest.raises(TableError, match=says):
        WORDS.conform(rows)


@pytest.mark.parametrize(
    ("spans", "fine"),
    [
        ([], True),
        ([(0.0, 1.0), (1.0, 2.0)], True),
        ([(0.0, 1.0), (0.5, 2.0)], False),
        ([(1.0, 0.5)], False),
    ],
)
def test_lists_of_speech_are_in_order_and_do_not_overlap(spans: list[tuple[float, float]], fine: bool) -> None:
    speech = [{"start_s": start, "end_s": end, "level_db": -20.0} for start, end in spans]
    row = {"dialogue_id": "a", "channel": "user", "duration_s": 3.0, "speech": speech, "leak": [], "vad": "silero"}
    frame = pl.DataFrame([row], schema_overrides={"speech": ACTIVITY.schema["speech"], "leak": ACTIVITY.schema["leak"]})
    if fine:
        assert ACTIVITY.conform(frame).height == 1
    else:
        with pytest.raises(TableError, match="speech is ordered"):
            ACTIVITY.conform(frame)


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_every_table_documents_itself(table: Table) -> None:
    assert table.doc
    assert all(column.doc for column in table.columns)
    assert table.columns[0].name == "dialogue_id" or "dialogue_id" in table.schema
    assert [field.metadata[b"doc"].decode() for field in table.arrow_schema] == [c.doc for c in table.columns]
    assert {stage.writes.name: stage.name for stage in CHAIN.stages}[table.name] == table.writer


def test_every_reason_says_what_to_do() -> None:
    assert set(WHAT_TO_DO) == set(Reason)


def test_ids_and_draws_never_change() -> None:
    assert stable_hash("ab", "c") != stable_hash("a", "bc")
    assert issue_id("d", "B", 1.00) == issue_id("d", "B", 1.03)
    assert issue_id("d", "B", 1.00) != issue_id("d", "B", 1.04)
    # frozen: a store made by an earlier version must find its dialogues, issues and pairs again
    assert issue_id("d", "B", 1.0) == "e9b2b3f0430c7db8"
    assert pair_id("d", "B", 1.0) == "d2d21fd4d2cc501f"
    assert bucket_of("d", 64) == 36
    assert unit_draw(1, "x") == 0.40692535206184877
