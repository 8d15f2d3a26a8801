"""What is sent to an OpenAI-compatible server, and how it changes for servers that do not take all of it. Pure."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from judges.clients import Message, Request


class Format(StrEnum):
    """How the schema of an answer is asked for, strictest first."""

    JSON_SCHEMA = "json_schema"
    JSON_OBJECT = "json_object"
    NONE = "none"


WEAKER = {Format.JSON_SCHEMA: Format.JSON_OBJECT, Format.JSON_OBJECT: Format.NONE}
_FORMAT = re.compile(r"response_format|json_schema|json_object|structured[ _]output|guided|grammar", re.IGNORECASE)
_LENGTH = re.compile(r"max_completion_tokens", re.IGNORECASE)
_SEED = re.compile(r"\bseed\b", re.IGNORECASE)
_TEMPERATURE = re.compile(r"\btemperature\b", re.IGNORECASE)


@dataclass(frozen=True)
class Dialect:
    """What a server understands. The first is what vLLM, llama.cpp's own server and most hosted ones take."""

    format: Format = Format.JSON_SCHEMA
    length_key: str = "max_tokens"
    seed: bool = True
    temperature: bool = True


def body(request: Request, model: str, dialect: Dialect) -> dict[str, Any]:
    """The JSON of a chat completion request. The dialogue's id is not in it."""
    sent: dict[str, Any] = {
        "model": model,
        "messages": [chat_message(message) for message in request.messages],
        dialect.length_key: request.max_tokens,
    }
    if dialect.temperature:
        sent["temperature"] = request.temperature
    if dialect.seed:
        sent["seed"] = request.seed
    schema = dict(request.schema)
    if dialect.format is Format.JSON_SCHEMA:
        named = {"name": "answer", "strict": True, "schema": schema}
        sent["response_format"] = {"type": "json_schema", "json_schema": named}
    elif dialect.format is Format.JSON_OBJECT:
        sent["response_format"] = {"type": "json_object", "schema": schema}
    return sent


def chat_message(message: Message) -> dict[str, Any]:
    """A message as the chat API takes it: sound comes before the text, as a part of its own (WAV in base64)."""
    if message.audio is None:
        return {"role": message.role, "content": message.text}
    sound = {"data": base64.b64encode(message.audio).decode("ascii"), "format": "wav"}
    parts = [{"type": "input_audio", "input_audio": sound}, {"type": "text", "text": message.text}]
    return {"role": message.role, "content": parts}


def simpler(dialect: Dialect, refusal: str) -> tuple[Dialect, str] | None:
    """The dialect to try after a refusal that says what the server does not take, and that in words; none if it is
    about something else.
    """
    if dialect.length_key == "max_tokens" and _LENGTH.search(refusal):
        return replace(dialect, length_key="max_completion_tokens"), "it wants max_completion_tokens for max_tokens"
    if dialect.format is not Format.NONE and _FORMAT.search(refusal):
        weaker = WEAKER[dialect.format]
        instead = "json_object with the schema" if weaker is Format.JSON_OBJECT else "no schema at all"
        return replace(dialect, format=weaker), f"it does not take response_format {dialect.format}: {instead} from now"
    if dialect.seed and _SEED.search(refusal):
        return replace(dialect, seed=False), "it takes no seed: answers may differ from run to run"
    if dialect.temperature and _TEMPERATURE.search(refusal):
        return replace(dialect, temperature=False), "it takes no temperature: answers may differ from run to run"
    return None
