"""One server: how it is reached, which dialect it turned out to speak, and whether it is still there."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from judges.clients import Answer, Request, ServerGoneError
from judges.clients.openai.body import Dialect, body, simpler
from judges.clients.openai.pace import Breaker
from judges.clients.openai.reply import Kind, Trouble, read_reply
from judges.settings import ClientSettings
from store.layout import StoreError

_LOG = logging.getLogger(__name__)
_CONNECT_S = 10.0
_PROBE_S = 10.0
_LONGEST_REPLY = 16 * 2**20
"""Bytes; more than any answer, so that a server that never stops talking does not fill the memory."""
_SURE = 5
"""A server that still lists its models is given up after this many times ``gone_after`` dialogues without an answer."""


class Server:
    """A server with OpenAI's API. The key comes from the environment; no message, log or repr holds it."""

    def __init__(self, model: str, settings: ClientSettings) -> None:
        self.model = model
        self.url = _checked_url(settings.base_url)
        self.breaker = Breaker()
        self.dialect = Dialect()
        self._gone_after = settings.gone_after
        self._key = _key(settings.api_key_env)
        self._key_env = settings.api_key_env
        self._proven = False

    def http(self) -> aiohttp.ClientSession:
        """A session for one call of the client. A server on this machine is not asked through a proxy."""
        return aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {self._key}"} if self._key else {},
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S),
            trust_env=not _is_local(self.url),
        )

    async def post(self, http: aiohttp.ClientSession, request: Request, dialect: Dialect, timeout_s: float) -> Answer:
        """Send a request once. Raises Trouble."""
        began = time.monotonic()
        sent = body(request, self.model, dialect)
        status, headers, content = await self._call(http, "POST", "chat/completions", timeout_s, json=sent)
        try:
            return read_reply(status, headers, content, time.monotonic() - began)
        except Trouble as trouble:
            raise self._discreet(trouble) from None

    def answered(self, dialect: Dialect) -> None:
        """An answer came to a request in this dialect."""
        self.breaker.answered(time.monotonic())
        self._proven = self._proven or dialect == self.dialect

    def speak_simpler(self, dialect: Dialect, refusal: str) -> bool:
        """Take up a simpler dialect after a refusal; whether it is worth asking again.

        A dialect that was understood once is kept: what is refused then is the request.
        """
        if dialect != self.dialect:
            return True
        found = None if self._proven else simpler(dialect, refusal)
        if found is None:
            return False
        self.dialect, why = found
        _LOG.warning("%s: %s (it said: %s)", self.url, why, refusal)
        return True

    async def failed(self, http: aiohttp.ClientSession, request: Request, trouble: Trouble, began: float) -> None:
        """A request failed for good. Raises ServerGoneError when that says that all others would too."""
        if trouble.kind is Kind.TOO_LONG:
            return
        if trouble.kind is Kind.NO_ENTRY or (trouble.kind is Kind.DENIED and not self.breaker.ever_answered):
            raise ServerGoneError(
                f"{self.url} lets no request in ({trouble.why}): check clients.base_url, judge.model and the key in "
                f"{self._key_env}, then run the same command again"
            )
        dialogues = self.breaker.failed(request.dialogue_id, began)
        lost = trouble.why if trouble.kind is Kind.UNREACHABLE or dialogues >= self._gone_after else None
        certain = dialogues >= self._gone_after * (_SURE if self.breaker.ever_answered else 1)
        if lost and (certain or await self._is_dead(http)):
            how_many = f", nor did it answer for the last {dialogues} dialogues" if dialogues > 1 else ""
            raise ServerGoneError(
                f"the judge's server at {self.url} does not answer ({lost}){how_many}: start it again or check "
                "clients.base_url, then run the same command again; what was answered is kept"
            )

    async def _is_dead(self, http: aiohttp.ClientSession) -> bool:
        """Whether the server cannot even list its models. That it has no such list is a sign of life."""
        try:
            status, _, _ = await self._call(http, "GET", "models", _PROBE_S)
        except Trouble:
            return True
        return status >= 500

    async def _call(
        self, http: aiohttp.ClientSession, method: str, path: str, timeout_s: float, **sent: Any
    ) -> tuple[int, Mapping[str, str], bytes]:
        try:
            async with (
                asyncio.timeout(timeout_s),
                http.request(method, f"{self.url}/{path}", allow_redirects=False, **sent) as reply,
            ):
                content = bytearray()
                async for piece in reply.content.iter_any():
                    content += piece
                    if len(content) > _LONGEST_REPLY:
                        raise Trouble(Kind.PASSING, f"the reply does not end after {_LONGEST_REPLY} bytes")
                return reply.status, reply.headers, bytes(content)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise self._discreet(Trouble(Kind.UNREACHABLE, f"no connection: {_cause(error)}")) from None
        except TimeoutError:
            raise Trouble(Kind.PASSING, f"no answer within {timeout_s:.0f} s") from None
        except aiohttp.ClientError as error:
            why = f"the connection broke: {type(error).__name__} {error}"
            raise self._discreet(Trouble(Kind.PASSING, why)) from None

    def _discreet(self, trouble: Trouble) -> Trouble:
        """Some servers repeat the key in what they say of it."""
        why = trouble.why.replace(self._key, f"[{self._key_env}]") if self._key else trouble.why
        return Trouble(trouble.kind, why, trouble.after_s)


def _checked_url(base_url: str) -> str:
    form = "it looks like http://127.0.0.1:8000/v1"
    try:
        url = urlsplit(base_url.strip())
        host = url.hostname
    except ValueError as error:
        raise StoreError(f"clients.base_url is no URL ({error}): {form}") from None
    if url.username is not None or url.password is not None:
        raise StoreError("clients.base_url holds a user or password: put the key into clients.api_key_env's variable")
    if url.scheme not in ("http", "https") or not host:
        raise StoreError(f"clients.base_url is {base_url!r}: {form}")
    return url.geturl().rstrip("/")


def _cause(error: aiohttp.ClientError) -> str:
    """Why there is no connection, in the system's words where it has some."""
    number = getattr(error, "errno", None)
    return os.strerror(number) if isinstance(number, int) and number > 0 else str(error)


def _is_local(base_url: str) -> bool:
    host = urlsplit(base_url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _key(variable: str) -> str:
    key = os.environ.get(variable, "").strip()
    if not (key.isascii() and (key.isprintable() or not key)):
        raise StoreError(f"the key in {variable} holds characters that no HTTP header can carry: set it again")
    return key
