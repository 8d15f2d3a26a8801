"""Client vllm with a fake of the library; tests/vllm_env runs it with the real one, and compares their signatures."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from judges.clients import Answer, Message, Request, ServerGoneError, open_client, vllm
from judges.settings import ClientSettings
from store.layout import StoreError

SCHEMA = {"type": "object"}


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(Path(__file__).with_name("fake_vllm")))
    import vllm as module

    yield module
    vllm._engine.cache_clear()
    for name in ("vllm", "vllm.sampling_params"):
        sys.modules.pop(name, None)


def asked(text: str, max_tokens: int = 1000, temperature: float = 0.0) -> Request:
    return Request("d", "judge", (Message("user", text),), SCHEMA, max_tokens, "v1", temperature, seed=7)


def answers_to(*requests: Request, model: str = "tiny", **engine: str | int | float | bool) -> list[Answer]:
    return asyncio.run(open_client("vllm", model, ClientSettings(engine=engine)).answer(requests))


def test_one_batch_with_the_schema_and_what_came_of_each(fake: ModuleType) -> None:
    first, second, short = answers_to(asked("one"), asked("two", temperature=0.7), asked("three", max_tokens=5))
    assert json.loads(first.text or "") == {"said": "one", "schema": SCHEMA, "seed": None, "temperature": 0.0}
    assert json.loads(second.text or "") == {"said": "two", "schema": SCHEMA, "seed": 7, "temperature": 0.7}
    assert (short.finish_reason, first.finish_reason) == ("length", "stop")
    assert (first.prompt_tokens, first.completion_tokens) == (7, 5)
    assert first.latency_s is not None
    assert len(fake.batches) == 1


def test_a_request_that_does_not_fit_costs_itself_alone(fake: ModuleType) -> None:
    requests = [asked(f"{n}" if n != 5 else "x" * 500) for n in range(9)]
    answers = answers_to(*requests)
    assert [answer.finish_reason for answer in answers] == ["too_long" if n == 5 else "stop" for n in range(9)]
    assert "maximum context length" in (answers[5].error or "")
    asked_for = [one[0]["content"] for batch in fake.batches for one in batch]
    assert sorted(asked_for) == [f"{n}" for n in range(9) if n != 5]


def test_the_model_is_loaded_once_with_the_settings_and_a_prefix_cache(fake: ModuleType) -> None:
    assert answers_to(max_model_len=4096) == []
    assert fake.loaded == []
    answers_to(asked("one"), max_model_len=4096)
    answers_to(asked("two"), max_model_len=4096)
    assert fake.loaded == [{"model": "tiny", "enable_prefix_caching": True, "max_model_len": 4096}]


def test_an_engine_that_dies_or_never_starts_stops_the_run(fake: ModuleType) -> None:
    with pytest.raises(ServerGoneError, match=r"CUDA out of memory.*gpu_memory_utilization"):
        answers_to(asked("one"), asked("die"))
    with pytest.raises(ServerGoneError, match=r"cannot load missing.*check judge.model"):
        answers_to(asked("one"), model="missing")


def test_without_the_library_the_install_line_is_named() -> None:
    with pytest.raises(StoreError, match=r"pip install \"duplex-miner\[vllm\]\""):
        open_client("vllm", "tiny", ClientSettings())


def test_without_a_model_it_says_what_to_name(fake: ModuleType) -> None:
    with pytest.raises(StoreError, match=r"judge\.model is empty"):
        open_client("vllm", "", ClientSettings())
