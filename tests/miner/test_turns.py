"""Stage ``turns``: from a batch of the store's tables to rows that conform."""

from __future__ import annotations

import pickle

import polars as pl
import pytest
from pydantic import ValidationError

from miner.turns import Turns, TurnsConfig
from schemas.turns import TURNS
from store.stage import Batch
from tests.timing.timelines import Log, activity_of, words_of

LOGS = [Log([(3.2, 5, "It is nine.")], [(1, 3, "What time is it?")], 8.0, "b"), Log([(1, 2)], [], 3.0, "a")]


def batch(*tables: str, language: str | None = None) -> Batch:
    """The fixed dialogues; their rows in ``dialogues`` hold what the stage asks of them."""
    dialogues = pl.DataFrame({"dialogue_id": [log.name for log in LOGS], "language": [language, None]})
    made = {"activity": activity_of(LOGS), "words": words_of(LOGS), "dialogues": dialogues}
    return Batch([log.name for log in LOGS], {name: made[name] for name in ("dialogues", *tables)})


def test_rows_conform_and_use_the_words() -> None:
    output = Turns().process(batch("activity", "words"))
    rows = TURNS.conform(output.rows)
    assert rows.select("dialogue_id", "turn_index", "channel", "text").rows() == [
        ("a", 0, "model", None),
        ("b", 0, "user", "What time is it?"),
        ("b", 1, "model", "It is nine."),
    ]
    assert output.quarantined == ()


def test_words_may_be_missing() -> None:
    rows = TURNS.conform(Turns().process(batch("activity")).rows)
    assert rows["start_s"].to_list() == [1.0, 1.0, 3.2]
    assert rows["text"].null_count() == 3


def test_a_dialogue_is_read_by_its_own_language() -> None:
    for language, lexicons in ((None, ["en", "en"]), ("ja-JP", ["en", "ja"]), ("tlh", ["en", None])):
        rows = TURNS.conform(Turns().process(batch("activity", "words", language=language)).rows)
        assert rows.unique(["dialogue_id", "lexicon"]).sort("dialogue_id")["lexicon"].to_list() == lexicons


def test_a_limit_changes_the_rows_and_the_variant() -> None:
    short = Turns(TurnsConfig(ipu_bridge_ms=100))
    assert short.variant != Turns().variant
    assert Turns(TurnsConfig()).variant == Turns().variant
    assert pickle.loads(pickle.dumps(short)).variant == short.variant


def test_a_key_it_does_not_know_is_refused() -> None:
    with pytest.raises(ValidationError, match="utterance_pause_s"):
        TurnsConfig.model_validate({"utterance_pause_s": 1.0})
