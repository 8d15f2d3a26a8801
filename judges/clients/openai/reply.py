"""What came back from an OpenAI-compatible server: an answer, or what the trouble is. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any

from judges.clients import Answer
from judges.clients.too_long import is_too_long

SAID_CHARS = 300
"""Kept of what a server says of an error, characters."""

_CANNOT = frozenset({400, 413, 422, 500})
_AGAIN = frozenset({408, 409, 425})


class Kind(StrEnum):
    """What to do about trouble."""

    LIMITED = "limited"
    """Too many requests: slower, then again."""
    PASSING = "passing"
    """The same request may well be answered next time."""
    UNREACHABLE = "unreachable"
    """Nobody took the connection."""
    NO_ENTRY = "no entry"
    """The key does not open, or the account is empty: true for all requests."""
    DENIED = "denied"
    """No such model or path, or not for us: true for all requests when it comes first, else for this one."""
    REFUSED = "refused"
    """This request will never be answered."""
    TOO_LONG = "too long"
    """This request does not fit the model's context."""


_LASTING = {401: Kind.NO_ENTRY, 402: Kind.NO_ENTRY, 403: Kind.DENIED, 404: Kind.DENIED}


class Trouble(Exception):  # noqa: N818 - it is told apart by its kind, and most kinds are no error of the run
    """A try without an answer. ``after_s``: how long the server asks to wait."""

    def __init__(self, kind: Kind, why: str, after_s: float | None = None) -> None:
        super().__init__(why)
        self.kind = kind
        self.why = why
        self.after_s = after_s


def read_reply(status: int, headers: Mapping[str, str], content: bytes, latency_s: float) -> Answer:
    """The answer in a reply. Raises Trouble."""
    value = _json(content)
    failed = isinstance(value, dict) and bool(value.get("error")) and not value.get("choices")
    if status >= 300 or failed:
        raise _trouble(_status(status, value), headers, said(value, content))
    if not isinstance(value, dict):
        kind = headers.get("content-type", "no content type")
        raise Trouble(Kind.PASSING, f"the reply is no JSON ({kind}): {said(value, content)}")
    try:
        choice = value["choices"][0]
        message = choice["message"]
        text = _text(message.get("content")) or _text(message.get("refusal"))
        usage = value.get("usage") or {}
        return Answer(
            text,
            str(choice.get("finish_reason") or "stop"),
            prompt_tokens=_count(usage.get("prompt_tokens")),
            completion_tokens=_count(usage.get("completion_tokens")),
            latency_s=latency_s,
        )
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        why = f"the reply is no chat completion ({type(error).__name__}): {said(value, content)}"
        raise Trouble(Kind.PASSING, why) from None


def retry_after_s(value: str | None, now: datetime | None = None) -> float | None:
    """Seconds a Retry-After header asks for: a number or a date; null for none, or for something else."""
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return None
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (until - (now or datetime.now(UTC))).total_seconds())


def said(value: Any, content: bytes) -> str:
    """What a server says of an error, without what it repeats of the request."""
    found = value.get("error") or value.get("detail") or value.get("message") if isinstance(value, dict) else None
    if isinstance(found, list):  # FastAPI: the place and the message, and the whole input, which is not wanted
        parts = [
            f"{'.'.join(map(str, one.get('loc', ())))}: {one.get('msg')}" for one in found if isinstance(one, dict)
        ]
        text = "; ".join(parts)
    elif isinstance(found, dict):
        text = " ".join(str(found[key]) for key in ("message", "type", "code", "param") if found.get(key))
    else:
        text = str(found) if found else content[: 4 * SAID_CHARS].decode("utf-8", "replace")
    return " ".join(text.split())[:SAID_CHARS] or "(nothing)"


def _trouble(status: int, headers: Mapping[str, str], text: str) -> Trouble:
    why = f"{status}: {text}"
    after_s = retry_after_s(headers.get("retry-after"))
    if status in _CANNOT and (status == 413 or is_too_long(text)):
        return Trouble(Kind.TOO_LONG, why)
    if status == 429:
        return Trouble(Kind.LIMITED, why, after_s)
    if status >= 500 or status in _AGAIN:
        return Trouble(Kind.PASSING, why, after_s)
    return Trouble(_LASTING.get(status, Kind.REFUSED), why)


def _status(status: int, value: Any) -> int:
    """The status of an error that comes as 200, which some gateways send: the one in its body, or 500."""
    if status >= 300:
        return status
    error = value["error"]
    code = str(error.get("code") or error.get("status")) if isinstance(error, dict) else ""
    return int(code) if code.isdecimal() and 400 <= int(code) < 600 else 500


def _json(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _text(content: Any) -> str:
    """What was written: a string, or the text parts of a list."""
    if isinstance(content, list):
        return "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    return str(content or "")


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) else None
