"""How hard a server is asked, and when it counts as gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Pace:
    """Places for tries: half as many after a wave of 429, one more again for each round of answers."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._limit = float(most)
        self._in_flight = 0
        self._freed = asyncio.Condition()
        self._slowed_at = float("-inf")

    @property
    def places(self) -> int:
        """Requests that may be in flight at once right now."""
        return max(1, int(self._limit))

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Wait for a place and hold it."""
        async with self._freed:
            await self._freed.wait_for(lambda: self._in_flight < self.places)
            self._in_flight += 1
        try:
            yield
        finally:
            self._in_flight -= 1
            async with self._freed:
                self._freed.notify(self.places - self._in_flight if self.places > self._in_flight else 0)

    def slower(self, began: float, now: float) -> None:
        """A try that ``began`` then met 429. Those sent before the last change say nothing of it."""
        if began >= self._slowed_at:
            self._limit = max(1.0, self._limit / 2)
            self._slowed_at = now

    def faster(self) -> None:
        """A try was answered."""
        self._limit = min(float(self._most), self._limit + 1 / self._limit)


class Breaker:
    """Counts the dialogues whose requests failed for good although they began after the last answer came.

    Requests that hang beside answered ones say nothing: only what begins when answers have stopped does. Dialogues are
    counted, not requests: all requests of a dialogue that a server cannot bear fail alike.
    """

    def __init__(self) -> None:
        self.ever_answered = False
        self._last_answer = float("-inf")
        self._failed: set[str] = set()

    def answered(self, now: float) -> None:
        """An answer came."""
        self.ever_answered = True
        self._last_answer = now
        self._failed.clear()

    def failed(self, dialogue_id: str, began: float) -> int:
        """A request that ``began`` then failed for good. Returns how many dialogues have, since the last answer."""
        if began >= self._last_answer:
            self._failed.add(dialogue_id)
        return len(self._failed)
