"""Client ``openai``: any server with OpenAI's chat completions: vLLM's ``vllm serve``, llama.cpp, a hosted model."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from judges.clients import Answer, Heard, Request, nobody
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

    async def answer(self, requests: Sequence[Request], heard: Heard = nobody) -> list[Answer]:
        """Answer every request; as soon as one is done the next one of the sequence is sent.

        A request that cannot be answered ends as an Answer with its error, and with the finish reason ``too_long``
        where it does not fit the model's context. Raises ServerGoneError when nothing answers any more, or when the
        server lets nobody in (key, model, path).
        """
        answers: dict[int, Answer] = {}
        waiting = iter(enumerate(requests))
        pace = Pace(self._settings.concurrency)

        async def work() -> None:
            for position, request in waiting:
                answers[position] = await Exchange(self._server, http, pace, request, self._settings).run()
                heard(position, answers[position])

        try:
            async with self._server.http() as http, asyncio.TaskGroup() as group:
                for _ in range(min(self._settings.concurrency, len(requests))):
                    group.create_task(work())
        except BaseExceptionGroup as failed:
            raise _reason(failed) from None
        return [answers[position] for position in range(len(requests))]


def open_client(model: str, settings: ClientSettings) -> OpenAI:
    """A client of the server at ``clients.base_url``. Raises StoreError for settings that cannot work."""
    return OpenAI(model, settings)


def _reason(failed: BaseExceptionGroup[BaseException]) -> BaseException:
    """What stopped the workers: the reason to stop the run, when one of them gave one."""
    stopped = failed.subgroup(StopRunError) or failed
    first = stopped.exceptions[0]
    return _reason(first) if isinstance(first, BaseExceptionGroup) else first
