"""One request from the first try to its answer: retries, waits, deadline."""

from __future__ import annotations

import time

import aiohttp
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, wait_random_exponential

from judges.clients import Answer, Request
from judges.clients.openai.pace import Pace
from judges.clients.openai.reply import Kind, Trouble
from judges.clients.openai.server import Server
from judges.clients.too_long import TOO_LONG
from judges.settings import ClientSettings

_AGAIN = (Kind.LIMITED, Kind.PASSING, Kind.UNREACHABLE)
_BACKOFF = wait_random_exponential(multiplier=0.5, max=20)
"""Seconds between tries, anywhere up to twice as long each time. No row depends on them."""


class Exchange:
    """A request, and the time and tries it has had."""

    def __init__(
        self, server: Server, http: aiohttp.ClientSession, pace: Pace, request: Request, settings: ClientSettings
    ) -> None:
        self._server = server
        self._http = http
        self._pace = pace
        self._request = request
        self._settings = settings
        self._began = time.monotonic()
        self._queued_s = 0.0
        self._first_sent: float | None = None
        self._failures = 0

    async def run(self) -> Answer:
        """The answer, or what went wrong for good. Raises ServerGoneError."""
        retrying = AsyncRetrying(
            retry=retry_if_exception(self._is_worth_it), wait=self._wait_s, stop=self._is_enough, reraise=True
        )
        try:
            answer: Answer = await retrying(self._try)
        except Trouble as trouble:
            await self._server.failed(self._http, self._request, trouble, self._first_sent or self._began)
            return Answer(None, TOO_LONG if trouble.kind is Kind.TOO_LONG else "error", error=trouble.why)
        return answer

    async def _try(self) -> Answer:
        """Send the request, in the dialect that the server turns out to speak. Raises Trouble."""
        while True:
            dialect = self._server.dialect
            queued = time.monotonic()
            async with self._pace.place():
                began = time.monotonic()
                self._queued_s += began - queued
                self._first_sent = self._first_sent or began
                try:
                    timeout_s = min(self._settings.timeout_s, self._left_s())
                    answer = await self._server.post(self._http, self._request, dialect, timeout_s)
                except Trouble as trouble:
                    if trouble.kind is Kind.LIMITED:
                        self._pace.slower(began, time.monotonic())
                    elif trouble.kind in (Kind.REFUSED, Kind.PASSING) and self._server.speak_simpler(
                        dialect, trouble.why
                    ):
                        continue
                    else:
                        self._failures += 1
                    raise
            self._pace.faster()
            self._server.answered(dialect)
            return answer

    def _left_s(self) -> float:
        """What is left of the deadline. Waiting for a place among our own requests does not count."""
        return self._settings.deadline_s - (time.monotonic() - self._began - self._queued_s)

    def _is_worth_it(self, error: BaseException) -> bool:
        if not isinstance(error, Trouble) or error.kind not in _AGAIN:
            return False
        return error.kind is not Kind.UNREACHABLE or self._server.breaker.ever_answered

    def _wait_s(self, state: RetryCallState) -> float:
        """As long as the server asks, and some more, so that not all come back at once."""
        trouble = state.outcome.exception() if state.outcome else None
        asked_s = trouble.after_s if isinstance(trouble, Trouble) else None
        return (asked_s or 0.0) + _BACKOFF(state)

    def _is_enough(self, state: RetryCallState) -> bool:
        """No more tries, or no time for one. 429 costs time alone: it is no fault of the request."""
        return self._failures > self._settings.retries or state.upcoming_sleep >= self._left_s()
