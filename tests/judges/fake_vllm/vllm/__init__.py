"""As much of vLLM as client `vllm` uses, with its signatures and none of its weight."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

loaded: list[dict[str, Any]] = []
batches: list[list[list[dict[str, Any]]]] = []
CONTEXT = 200


class SamplingParams:
    def __init__(
        self,
        temperature: float = 1.0,
        seed: int | None = None,
        max_tokens: int | None = 16,
        structured_outputs: Any = None,
    ) -> None:
        self.temperature = temperature
        self.seed = seed
        self.max_tokens = max_tokens
        self.structured_outputs = structured_outputs


@dataclass
class CompletionOutput:
    index: int
    text: str
    token_ids: Sequence[int]
    finish_reason: str | None


@dataclass
class RequestOutput:
    prompt_token_ids: list[int] | None
    outputs: list[CompletionOutput]


class LLM:
    def __init__(self, model: str, **kwargs: Any) -> None:
        if model == "missing":
            raise OSError("missing is not a local folder and is not a valid model identifier")
        loaded.append({"model": model, **kwargs})

    def chat(
        self,
        messages: Sequence[list[dict[str, Any]]],
        sampling_params: Sequence[SamplingParams] | None = None,
        use_tqdm: bool = True,
    ) -> list[RequestOutput]:
        if any("die" in message["content"] for one in messages for message in one):
            raise RuntimeError("CUDA out of memory")
        if any(len(one[-1]["content"]) > CONTEXT for one in messages):
            raise ValueError(f"This model's maximum context length is {CONTEXT} tokens.")
        batches.append(list(messages))
        return [self._written(one, params) for one, params in zip(messages, sampling_params or (), strict=True)]

    def _written(self, messages: list[dict[str, Any]], params: SamplingParams) -> RequestOutput:
        said = {
            "said": messages[-1]["content"],
            "schema": params.structured_outputs.json,
            "seed": params.seed,
            "temperature": params.temperature,
        }
        text = json.dumps(said)
        cut = params.max_tokens is not None and len(text) > params.max_tokens
        written = CompletionOutput(0, text[: params.max_tokens], list(range(5)), "length" if cut else "stop")
        return RequestOutput(list(range(7)), [written])
