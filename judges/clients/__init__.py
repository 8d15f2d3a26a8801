"""Who answers the judge's and the rewriter's requests: one file per client, chosen by name, imported when asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from schemas.ids import stable_hash

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True)
class Message:
    """One chat message. ``audio``: a WAV in bytes that goes with it, for judges that hear."""

    role: Role
    text: str
    audio: bytes | None = None


@dataclass(frozen=True)
class Request:
    """One question. ``dialogue_id`` indexes caches, so that `forget` reaches the answer; it is never sent.

    ``purpose`` is ``judge``, ``rewrite``, ``repair`` ...; ``prompt_version`` the hash of the templates behind the text.
    """

    dialogue_id: str
    purpose: str
    messages: tuple[Message, ...]
    schema: Mapping[str, Any]
    max_tokens: int
    prompt_version: str

    def key(self, model: str) -> str:
        """What an answer is cached and recorded under: everything that can change it, and not the dialogue's name."""
        said = [part for message in self.messages for part in (message.role, message.text, message.audio or b"")]
        return stable_hash(self.purpose, model, self.prompt_version, self.max_tokens, sorted_json(self.schema), *said)


@dataclass(frozen=True)
class Answer:
    """What came back. ``text`` is null where the request failed for good; ``error`` then says how.

    ``finish_reason``: stop, length, or what the server calls it.
    """

    text: str | None
    finish_reason: str = "stop"
    error: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    latency_s: float | None = None
    cached: bool = False


class ServerGoneError(RuntimeError):
    """Nothing answers any more: the run stops here, and the same command goes on later. The message says what to do."""


class Client(Protocol):
    """A client. Answers come in the order of the requests, one each, whatever happens to a single one."""

    name: str
    model: str

    async def answer(self, requests: Sequence[Request]) -> list[Answer]:
        """Answer every request. Raises ServerGoneError when the server is gone altogether."""
        ...


def sorted_json(value: Mapping[str, Any]) -> str:
    """A mapping as JSON with sorted keys: equal mappings give equal text."""
    import json

    return json.dumps(value, sort_keys=True, ensure_ascii=False)
