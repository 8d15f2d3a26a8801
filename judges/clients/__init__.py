"""Who answers the judge's and the rewriter's requests: one file per client, chosen by name, imported when asked for.

A client's module has ``open_client(model, settings) -> Client``. Its name is the file's, and one of
``judges.settings.ClientName``.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Literal, Protocol

from judges.dialogue import Question
from judges.faults import Fault
from judges.settings import ClientSettings
from schemas.ids import bytes_hash, stable_hash
from store.stage import StageConfig, StopRunError

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True)
class Message:
    """One chat message. ``audio``: a WAV in bytes that goes with it, for judges that hear."""

    role: Role
    text: str
    audio: bytes | None = None


@dataclass(frozen=True)
class Request:
    """One request. ``dialogue_id`` indexes caches, so that `forget` reaches the answer; it is never sent.

    ``purpose`` is ``judge``, ``rewrite`` ...; ``prompt_version`` the hash of the templates behind the text.
    ``question`` (of a judge) and ``fault`` (of a rewriter) are what the messages ask, as data, for clients that read no
    prompts; they are never sent either.
    """

    dialogue_id: str
    purpose: str
    messages: tuple[Message, ...]
    schema: Mapping[str, Any]
    max_tokens: int
    prompt_version: str
    temperature: float = 0.0
    seed: int = 0
    question: Question | None = field(default=None, compare=False, repr=False)
    fault: Fault | None = field(default=None, compare=False, repr=False)

    def key(self, model: str) -> str:
        """What an answer is cached and recorded under: everything that can change it, and not the dialogue's name."""
        said = [part for message in self.messages for part in (message.role, message.text, _sound(message.audio))]
        how = (self.max_tokens, self.temperature, self.seed, sorted_json(self.schema))
        return stable_hash(self.purpose, model, self.prompt_version, *how, *said)


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


class ServerGoneError(StopRunError):
    """Nothing answers any more: the run stops here, and the same command goes on later. The message says what to do."""


Heard = Callable[[int, Answer], Awaitable[None]]
"""Told of each answer as it comes: the request's position, and the answer. It returns when the answer is safe."""


async def nobody(position: int, answer: Answer) -> None:
    """Nobody listens to single answers."""


class Slots:
    """Bounds what is in flight over all calls of a client on one event loop: ``async with slots``."""

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._loop: asyncio.AbstractEventLoop | None = None
        self._free = asyncio.Semaphore(at_once)

    async def __aenter__(self) -> None:
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._loop, self._free = loop, asyncio.Semaphore(self._at_once)
        await self._free.acquire()

    async def __aexit__(self, *exception: object) -> None:
        self._free.release()


class Client(Protocol):
    """A client. Answers come in the order of the requests, one each, whatever happens to a single one.

    ``paid``: whether an answer costs enough (time, money) to be kept; only such clients are cached.
    Several calls may be under way at once on one event loop; a limit on what is in flight holds over all of them
    (`Slots`). A later call may come from another event loop, so nothing that belongs to one is kept.
    """

    name: str
    model: str
    paid: bool

    async def answer(self, requests: Sequence[Request], heard: Heard = nobody) -> list[Answer]:
        """Answer every request, and tell ``heard`` of each answer the moment it is there.

        An answer keeps its place among those in flight until ``heard`` has returned, so that a process that is
        killed has at most as many to ask again.
        Raises ServerGoneError when the server is gone altogether.
        """
        ...


def open_client(name: str, model: str, settings: ClientSettings, own: StageConfig | None = None) -> Client:
    """A client by name. Raises what its module raises when something it needs is missing, with the install line.

    ``own``: settings that only this client has and that change its answers.
    """
    open_it = import_module(f"judges.clients.{name}").open_client
    client: Client = open_it(model, settings) if own is None else open_it(model, settings, own)
    if settings.record is None:
        return client
    recording: Client = import_module("judges.clients.recorded").Recording(client, settings.record)
    return recording


def sorted_json(value: Mapping[str, Any]) -> str:
    """A mapping as JSON with sorted keys: equal mappings give equal text."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _sound(audio: bytes | None) -> str:
    return "" if audio is None else bytes_hash(audio)
