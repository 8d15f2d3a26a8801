"""Client `vllm` with the real library in this process, and that the fake of the other tests has its signatures."""

from __future__ import annotations

import asyncio
import inspect
import runpy
from pathlib import Path

import vllm
from vllm.sampling_params import StructuredOutputsParams

from judges.answers import Grades, answer_schema
from judges.clients import Answer, Message, Request, open_client
from judges.clients.vllm import _engine
from judges.settings import ClientSettings

FAKE = Path(__file__).parents[1] / "judges" / "fake_vllm" / "vllm"


def test_a_batch_with_a_request_that_does_not_fit(tiny_model: Path) -> None:
    client = open_client("vllm", str(tiny_model), ClientSettings(engine={"enforce_eager": True, "dtype": "float32"}))

    def asked(text: str, max_tokens: int = 200) -> Request:
        return Request("d", "judge", (Message("user", text),), answer_schema("one"), max_tokens, "v1")

    requests = [asked("one"), asked("x" * 20_000), asked("three", max_tokens=2), asked("four"), asked("five")]
    heard: list[int] = []

    async def note(position: int, answer: Answer) -> None:
        heard.append(position)

    try:
        answers = asyncio.run(client.answer(requests, note))
    finally:
        _engine.cache_clear()  # stops its processes while their last words can still be logged
    assert heard == [0, 1, 2, 3, 4]
    assert [answer.finish_reason for answer in answers] == ["stop", "too_long", "length", "stop", "stop"]
    assert [answer.completion_tokens for answer in answers] == [4, None, 2, 4, 4]
    assert all(len(Grades.model_validate_json(answers[n].text or "").verdicts) == 2 for n in (0, 3, 4))
    assert "maximum context length" in (answers[1].error or "")


def test_the_fake_takes_what_the_library_takes() -> None:
    fake = runpy.run_path(str(FAKE / "__init__.py"))
    fake_sampling = runpy.run_path(str(FAKE / "sampling_params.py"))
    pairs = [
        (fake["LLM"].chat, vllm.LLM.chat),
        (fake["SamplingParams"], vllm.SamplingParams),
        (fake_sampling["StructuredOutputsParams"], StructuredOutputsParams),
    ]
    for ours, theirs in pairs:
        real = inspect.signature(theirs).parameters
        for name, parameter in inspect.signature(ours).parameters.items():
            assert name in real, f"{theirs.__qualname__} has no {name}"
            assert parameter.kind == real[name].kind
            assert (parameter.default is parameter.empty) == (real[name].default is inspect.Parameter.empty), name
