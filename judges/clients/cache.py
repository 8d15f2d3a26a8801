"""Answers that were paid for: kept in the store the moment they come, by dialogue, and read before anything is asked.

Each call writes one small file per dialogue, whole, at every answer: a run that is killed asks again only what was in
flight, and nothing needs to be appended, which object storage cannot do.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from judges.clients import Answer, Client, Heard, Request, nobody
from store.cache import cache_folder
from store.layout import Store
from store.stage import StopRunError

_AT_ONCE = 16
"""Files read or written at once."""
_KEPT = ("text", "finish_reason", "prompt_tokens", "completion_tokens", "latency_s")

Entries = dict[str, dict[str, Any]]
"""Answers of one dialogue by the key of their request."""


class Cached:
    """A client that asks the one inside only what has no answer in the store yet."""

    def __init__(self, client: Client, store: Store) -> None:
        self.name = client.name
        self.model = client.model
        self.paid = client.paid
        self._client = client
        self._store = store

    async def answer(self, requests: Sequence[Request], heard: Heard = nobody) -> list[Answer]:
        """Answer from the store, ask the rest, and keep what comes; a failed request is not kept.

        Raises what the client inside raises, and StopRunError where answers cannot be kept. What came before is kept.
        """
        keys = [request.key(self.model) for request in requests]
        answers: dict[int, Answer] = {}
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            known = await self._known({request.dialogue_id for request in requests}, threads)
            for position, (request, key) in enumerate(zip(requests, keys, strict=True)):
                if key in known[request.dialogue_id]:
                    answers[position] = Answer(**known[request.dialogue_id][key], cached=True)
                    await heard(position, answers[position])
            waiting = [position for position in range(len(requests)) if position not in answers]
            keeper = _Keeper(self._store, threads)

            async def came(number: int, answer: Answer) -> None:
                position = waiting[number]
                if answer.text is not None:
                    await keeper.keep(requests[position].dialogue_id, keys[position], answer)
                await heard(position, answer)

            if waiting:
                fresh = await self._client.answer([requests[position] for position in waiting], came)
                answers.update(zip(waiting, fresh, strict=True))
        return [answers[position] for position in range(len(requests))]

    async def _known(self, dialogue_ids: set[str], threads: ThreadPoolExecutor) -> dict[str, Entries]:
        loop = asyncio.get_running_loop()
        reading = [loop.run_in_executor(threads, read_entries, self._store, one) for one in dialogue_ids]
        return dict(zip(dialogue_ids, await asyncio.gather(*reading), strict=True))


def read_entries(store: Store, dialogue_id: str) -> Entries:
    """Every answer that is kept of a dialogue. A file cut short by a power failure is as good as none."""
    folder = cache_folder(store, dialogue_id)
    entries: Entries = {}
    for name in store.list(folder):
        if name.endswith(".json"):
            try:
                found = store.read_json(f"{folder}/{name}") or {}
            except ValueError:
                continue
            entries |= found.get("answers", {})
    return entries


class _Keeper:
    """Writes the answers of one call as they come, those of one dialogue one after another."""

    def __init__(self, store: Store, threads: ThreadPoolExecutor) -> None:
        self._store = store
        self._threads = threads
        self._file = f"{uuid.uuid4().hex[:16]}.json"
        self._entries: dict[str, Entries] = defaultdict(dict)
        self._written: dict[str, int] = defaultdict(int)
        self._locks: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def keep(self, dialogue_id: str, key: str, answer: Answer) -> None:
        """Return once the answer is on disk, with whatever came of its dialogue meanwhile."""
        entries = self._entries[dialogue_id]
        entries[key] = {name: getattr(answer, name) for name in _KEPT}
        number = len(entries)
        async with self._locks[dialogue_id]:
            if self._written[dialogue_id] < number:
                answers = dict(entries)
                loop = asyncio.get_running_loop()
                await loop.run_in_executor(self._threads, self._write, dialogue_id, answers)
                self._written[dialogue_id] = len(answers)

    def _write(self, dialogue_id: str, answers: Entries) -> None:
        data = json.dumps({"answers": answers}).encode()
        try:
            self._store.replace(f"{cache_folder(self._store, dialogue_id)}/{self._file}", data)
        except OSError as error:
            raise StopRunError(f"answers cannot be kept in {self._store.url}: {error}") from error
