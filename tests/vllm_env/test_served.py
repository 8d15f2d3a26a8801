"""The judge against `vllm serve`, over HTTP: the schema is enforced by the server, every reply ends with its grades."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import polars as pl

from judges.answers import answer_schema
from judges.clients import Message, Request
from judges.clients.openai import OpenAI
from judges.clients.openai.body import Dialect, Format
from judges.judge import Judge
from judges.settings import ClientSettings, JudgeConfig
from schemas.dialogues import DIALOGUES
from schemas.turns import TURNS
from schemas.verdicts import CONTENT_AXES, VERDICTS, Axis
from store.layout import Store
from store.stage import Batch
from tests.judges.talks import frames, talk

TALKS = [
    talk(f"d{number}", f"what is {number} and {number}", f"that is {2 * number}", "thanks", "go away")
    for number in range(6)
]
AXES = (Axis.HELPFULNESS, Axis.TONE)


def judged(url: str, store: Path, **config: Any) -> pl.DataFrame:
    """Rows of ``verdicts`` for the talks."""
    headers, turns = frames(TALKS)
    settings = {"client": "openai", "model": "tiny", "axes": AXES, **config}
    judge = Judge(JudgeConfig.model_validate(settings), ClientSettings(base_url=url), store=Store.create(str(store)))
    judge.open()
    batch = Batch([d.dialogue_id for d in TALKS], {DIALOGUES.name: headers, TURNS.name: turns})
    return VERDICTS.conform(judge.process(batch).rows)


def asked(text: str = "hello", max_tokens: int = 200) -> Request:
    return Request("d", "judge", (Message("user", text),), answer_schema("one"), max_tokens, "v1")


def test_every_reply_gets_the_grades_that_the_schema_forces(vllm_server: str, tmp_path: Path) -> None:
    rows = judged(vllm_server, tmp_path / "store")
    keys = rows.select("dialogue_id", "turn_index", "axis").rows()
    assert sorted(keys) == sorted((d.dialogue_id, turn, axis) for d in TALKS for turn in (1, 3) for axis in AXES)
    assert set(rows.select("turn_index", "score", "problematic").rows()) == {(1, 3, False), (3, 0, True)}
    assert rows["unscored"].null_count() == rows.height
    assert rows["prompt_tokens"].min() > 1000  # type: ignore[operator]
    assert rows["completion_tokens"].to_list() == [4] * rows.height
    again = judged(vllm_server, tmp_path / "store")
    assert again["cached"].all()
    assert again.drop("cached").equals(rows.drop("cached"))


def test_an_answer_cut_off_by_the_server_is_asked_for_with_more_tokens(vllm_server: str, tmp_path: Path) -> None:
    rows = judged(vllm_server, tmp_path / "store", max_tokens=1, axes=CONTENT_AXES)
    assert rows["unscored"].null_count() == rows.height == 2 * len(TALKS) * len(CONTENT_AXES)
    assert rows["completion_tokens"].to_list() == [1 + 4] * rows.height


def test_it_is_the_server_that_keeps_to_the_schema(vllm_server: str) -> None:
    """The model would rather write prose, so this is no test of the model."""
    client = OpenAI("tiny", ClientSettings(base_url=vllm_server))
    assert (asyncio.run(client.answer([asked()]))[0].text or "").startswith('{"verdicts": [{"turn": 1')
    free = OpenAI("tiny", ClientSettings(base_url=vllm_server))
    free._server.dialect = Dialect(format=Format.NONE)
    assert asyncio.run(free.answer([asked()]))[0].text == "Rating: high"


def test_what_is_too_long_for_the_model_is_told_apart(vllm_server: str) -> None:
    client = OpenAI("tiny", ClientSettings(base_url=vllm_server))
    good, long, greedy = asyncio.run(client.answer([asked(), asked("x" * 20_000), asked(max_tokens=90_000)]))
    assert good.finish_reason == "stop"
    assert (long.text, long.finish_reason) == (None, "too_long")
    assert (greedy.text, greedy.finish_reason) == (None, "too_long")
