"""Judges some dialogues with a slow client behind the cache, and prints a line for each request it sends.

python -m tests.judges.slow_judge STORE DIALOGUES CONCURRENCY
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

from judges.clients import Answer, Heard, Request, Slots, nobody
from judges.clients.cache import Cached
from judges.grading import grade
from store.layout import Store
from tests.judges.talks import good_answer, rubric, talk


class Slow:
    """Answers after a few milliseconds, so many requests at once."""

    name = "mock"
    model = "slow"
    paid = True

    def __init__(self, concurrency: int) -> None:
        self.slots = Slots(concurrency)

    async def answer(self, requests: Sequence[Request], heard: Heard = nobody) -> list[Answer]:
        async def one(position: int, request: Request) -> Answer:
            async with self.slots:
                print(request.key(self.model), flush=True)  # noqa: T201 - what the test counts
                await asyncio.sleep(0.005)
                answer = Answer(good_answer(request))
                await heard(position, answer)
                return answer

        return await asyncio.gather(*(one(*numbered) for numbered in enumerate(requests)))


if __name__ == "__main__":
    address, dialogues, concurrency = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    client = Cached(Slow(concurrency), Store.create(address))
    talks = [talk(f"d{i}", "hi", f"hello {i}") for i in range(dialogues)]
    verdicts = asyncio.run(grade(client, rubric(), talks))
    assert all(verdict.given is not None for verdict in verdicts)
