"""Requests that do not fit a model's context: how a client tells, and how it says so."""

from __future__ import annotations

import re

TOO_LONG = "too_long"
"""``Answer.finish_reason`` of such a request; its text is null and the error says what the model's limit is."""

_SAYS_SO = re.compile(
    r"context_length_exceeded|exceed_context_size|maximum context length|context[ _](length|size|window)"
    r"|maximum model length|max_model_len|prompt is too long|input is too long|too many (input |prompt )?tokens"
    r"|longer than the maximum",
    re.IGNORECASE,
)


def is_too_long(error: str) -> bool:
    """Whether an error of a server or an engine means that a request is too long for the model.

    There is no common code: these are the words of vLLM, llama.cpp, llama-cpp-python, OpenAI, Anthropic and TGI.
    """
    return _SAYS_SO.search(error) is not None
