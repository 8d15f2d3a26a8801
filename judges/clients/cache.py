"""Answers that were paid for: kept in the store the moment they come, by dialogue, and read before anything is asked.

Each call writes one small file per dialogue, whole, at every answer: a run that is killed asks again only what was in
flight, and nothing needs to be appended, which object storage cannot do.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import Any

from judges.clients import Answer, Client, Heard, Request, nobody
from store.cache import cache_folder
from store.layout import Store
from store.stage import StopRunError

_AT_ONCE = 16
"""Files that are read, or written to a store far away, at once."""
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
        dialogues = list(dict.fromkeys(request.dialogue_id for request in requests))
        answers: dict[int, Answer] = {}
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            known = dict(zip(dialogues, threads.map(lambda d: read_entries(self._store, d), dialogues), strict=True))
            for position, (request, key) in enumerate(zip(requests, keys, strict=True)):
                if key in known[request.dialogue_id]:
                    answers[position] = Answer(**known[request.dialogue_id][key], cached=True)
                    heard(position, answers[position])
            waiting = [position for position in range(len(requests)) if position not in answers]
            keeper = _Keeper(self._store, threads)

            def came(number: int, answer: Answer) -> None:
                position = waiting[number]
                if answer.text is not None:
                    keeper.keep(requests[position].dialogue_id, keys[position], answer)
                heard(position, answer)

            if waiting:
                fresh = await self._client.answer([requests[position] for position in waiting], came)
                answers.update(zip(waiting, fresh, strict=True))
            keeper.finish()
        return [answers[position] for position in range(len(requests))]


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
    """Writes the answers of one call as they come: at once on a local disk, from threads to a store far away."""

    def __init__(self, store: Store, threads: ThreadPoolExecutor) -> None:
        self._store = store
        self._threads = threads
        self._file = f"{uuid.uuid4().hex[:16]}.json"
        self._entries: dict[str, Entries] = defaultdict(dict)
        self._locks: dict[str, Lock] = defaultdict(Lock)
        self._writes: list[Future[None]] = []

    def keep(self, dialogue_id: str, key: str, answer: Answer) -> None:
        """Keep an answer."""
        self._entries[dialogue_id][key] = {name: getattr(answer, name) for name in _KEPT}
        if self._store.is_local:
            self._write(dialogue_id, self._locks[dialogue_id])
        else:
            self._writes.append(self._threads.submit(self._write, dialogue_id, self._locks[dialogue_id]))

    def finish(self) -> None:
        """Wait until everything is written."""
        for write in self._writes:
            write.result()

    def _write(self, dialogue_id: str, lock: Lock) -> None:
        with lock:
            answers = dict(self._entries[dialogue_id])
            try:
                self._store.write_json(f"{cache_folder(self._store, dialogue_id)}/{self._file}", {"answers": answers})
            except OSError as error:
                raise StopRunError(f"answers cannot be kept in {self._store.url}: {error}") from error
