"""Client ``vllm``: the model runs in this process, all requests of a call as one batch; for a GPU without a server."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

from judges.clients import Answer, Heard, Request, ServerGoneError, nobody, sorted_json
from judges.clients.openai.body import chat_message
from judges.clients.too_long import TOO_LONG, is_too_long
from judges.settings import ClientSettings
from store.layout import StoreError

INSTALL = 'pip install "duplex-miner[vllm]"'


class Vllm:
    """Batches for ``vllm.LLM``, which is loaded at the first request and stays for the whole process."""

    name = "vllm"
    paid = True

    def __init__(self, model: str, settings: ClientSettings) -> None:
        if not model:
            raise StoreError("judge.model is empty: name a model of the Hugging Face hub, or the folder of one")
        if find_spec("vllm") is None:
            raise StoreError(
                f"client vllm needs vLLM, which is not installed here: {INSTALL}, or serve the model and "
                "set judge.client to openai (docs/judge-servers.md)"
            )
        self.model = model
        self._engine = settings.engine

    async def answer(self, requests: Sequence[Request], heard: Heard = nobody) -> list[Answer]:
        """Answer every request, in one batch: ``heard`` is told when all are done.

        The latency of an answer is that of its batch. Raises ServerGoneError when the model cannot be loaded, or its
        engine dies.
        """
        answers = self._batch(list(requests)) if requests else []
        for position, answer in enumerate(answers):
            await heard(position, answer)
        return answers

    def _batch(self, requests: list[Request]) -> list[Answer]:
        """Answers of a batch. For one request it cannot take the engine gives the whole batch back, so what it gives
        back is halved until that one stands alone.
        """
        began = time.monotonic()
        engine = _engine(self.model, sorted_json(self._engine))
        messages = [[chat_message(message) for message in request.messages] for request in requests]
        sampling = [_sampling(request) for request in requests]
        try:
            outputs = engine.chat(messages, sampling_params=sampling, use_tqdm=False)
        except _refusals() as error:
            if len(requests) == 1:
                why = " ".join(str(error).split())
                return [Answer(None, TOO_LONG if is_too_long(why) else "error", error=why)]
            half = len(requests) // 2
            return self._batch(requests[:half]) + self._batch(requests[half:])
        except Exception as error:  # the engine's own errors have no common class in the versions there are
            raise ServerGoneError(
                f"vLLM's engine stopped ({type(error).__name__}: {error}): where memory ran out, lower "
                "clients.engine.gpu_memory_utilization or max_model_len; then run the same command again, what was "
                "answered is kept"
            ) from error
        latency_s = time.monotonic() - began
        return [_answer(output, latency_s) for output in outputs]


def open_client(model: str, settings: ClientSettings) -> Vllm:
    """The client. Raises StoreError with the install line where vLLM is missing."""
    return Vllm(model, settings)


@lru_cache(maxsize=1)
def _engine(model: str, arguments: str) -> Any:
    """The engine of this process: it takes most of a GPU's memory, so there is one."""
    from vllm import LLM

    try:
        return LLM(model=model, **{"enable_prefix_caching": True, **json.loads(arguments)})
    except Exception as error:  # no such model, no memory, no such argument: vLLM raises what it meets
        raise ServerGoneError(
            f"vLLM cannot load {model} ({error}): check judge.model and clients.engine, then run the same command again"
        ) from error


def _refusals() -> tuple[type[Exception], ...]:
    """What the engine raises for a request it cannot take: ValueError, in newer versions an error of its own."""
    try:
        from vllm.exceptions import VLLMClientError
    except ImportError:
        return (ValueError,)
    return (ValueError, VLLMClientError)


def _sampling(request: Request) -> Any:
    from vllm import SamplingParams

    try:
        from vllm.sampling_params import StructuredOutputsParams
    except ImportError:
        raise StoreError(f"this vLLM is older than 0.11 and takes no schema for an answer: {INSTALL}") from None
    return SamplingParams(
        temperature=request.temperature,
        max_tokens=request.max_tokens,
        seed=request.seed if request.temperature > 0 else None,  # greedy needs none, and is faster without
        structured_outputs=StructuredOutputsParams(json=dict(request.schema)),
    )


def _answer(output: Any, latency_s: float) -> Answer:
    """A ``RequestOutput`` as an answer."""
    written = output.outputs[0]
    return Answer(
        written.text,
        written.finish_reason or "stop",
        prompt_tokens=len(output.prompt_token_ids or ()),
        completion_tokens=len(written.token_ids),
        latency_s=latency_s,
    )
