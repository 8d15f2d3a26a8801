"""Client ``openai``: any server with OpenAI's chat completions: vLLM's ``vllm serve``, llama.cpp, a hosted model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from judges.clients import Answer, Heard, Request, Slots, nobody
from judges.clients.openai.exchange import Exchange
from judges.clients.openai.pace import Pace
from judges.clients.openai.server import Server
from judges.settings import ClientSettings
from store.layout import StoreError
from store.stage import StopRunError


class OpenAI:
    """Asks a server, many requests at once."""

    name = "openai"
    paid = True

    def __init__(self, model: str, settings: ClientSettings) -> None:
        if not model:
            raise StoreError(
                f"judge.model is empty: name the model as the server does (curl {settings.base_url}/models lists them)"
            )
        self.model = model
        self._settings = settings
        self._server = Server(model, settings)
        self._slots = Slots(settings.concurrency)
        self._shared: _Shared | None = None

    async def answer(self, requests: Sequence[Request], heard: Heard = nobody) -> list[Answer]:
        """Answer every request; as soon as one is done the next one of the sequence is sent.

        A request that cannot be answered ends as an Answer with its error, and with the finish reason ``too_long``
        where it does not fit the model's context. Raises ServerGoneError when nothing answers any more, or when the
        server lets nobody in (key, model, path).
        """
        answers: dict[int, Answer] = {}
        waiting = iter(enumerate(requests))

        async def work(shared: _Shared) -> None:
            while True:
                async with self._slots:
                    if (following := next(waiting, None)) is None:
                        return
                    position, request = following
                    exchange = Exchange(self._server, shared.http, shared.pace, request, self._settings)
                    answers[position] = await exchange.run()
                    await heard(position, answers[position])

        try:
            async with self._open() as shared, asyncio.TaskGroup() as group:
                for _ in range(min(self._settings.concurrency, len(requests))):
                    group.create_task(work(shared))
        except BaseExceptionGroup as failed:
            raise _reason(failed) from None
        return [answers[position] for position in range(len(requests))]

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[_Shared]:
        """What calls share that run at the same time; the last one to end closes it."""
        shared = self._shared = self._shared or _Shared(self._server.http(), Pace(self._settings.concurrency))
        shared.calls += 1
        try:
            yield shared
        finally:
            shared.calls -= 1
            if not shared.calls:
                self._shared = None
                await shared.http.close()


@dataclass
class _Shared:
    """Connections, and the pace that a server which answers 429 bears."""

    http: aiohttp.ClientSession
    pace: Pace
    calls: int = 0


def open_client(model: str, settings: ClientSettings) -> OpenAI:
    """A client of the server at ``clients.base_url``. Raises StoreError for settings that cannot work."""
    return OpenAI(model, settings)


def _reason(failed: BaseExceptionGroup[BaseException]) -> BaseException:
    """What stopped the workers: the reason to stop the run, when one of them gave one."""
    stopped = failed.subgroup(StopRunError) or failed
    first = stopped.exceptions[0]
    return _reason(first) if isinstance(first, BaseExceptionGroup) else first
