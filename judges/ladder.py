"""The repair ladder, for many requests at once and for any kind of answer.

Readable: done. Cut off by length (endless whitespace too): once more with more tokens. Not readable: one more request
that shows the answer and what is wrong with it. Else there is no value, and what was written is kept; a later, longer
request that does not fit the model leaves the fault of the answer before it standing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from judges.answers import UnreadableError
from judges.clients import Answer, Client, Message, Request
from judges.clients.too_long import TOO_LONG
from judges.templates import Templates
from schemas.verdicts import Unscored

T = TypeVar("T")

REPAIR = "repair"
"""Name of the template that asks for a better answer."""
MORE_TOKENS = 4
"""An answer that was cut off may be this many times longer at the second try."""
RAW_CHARS = 4000
"""Kept of an answer that could not be read, characters."""


@dataclass(frozen=True)
class Ask(Generic[T]):
    """A request, and how its answer is read; ``read`` raises UnreadableError."""

    request: Request
    read: Callable[[str], T]


@dataclass
class Outcome(Generic[T]):
    """What came of an ask: a value, or ``failure`` and what was written instead.

    ``key``: of the ask's own request (`Request.key`). Tokens and latency are summed over its tries; ``cached``: no try
    cost anything.
    """

    key: str
    value: T | None = None
    failure: Unscored | None = None
    raw_text: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    latency_s: float | None = None
    cached: bool = True
    notes: list[str] = field(default_factory=list)

    def add(self, answer: Answer) -> None:
        """Count a try."""
        self.prompt_tokens = _sum(self.prompt_tokens, answer.prompt_tokens)
        self.completion_tokens = _sum(self.completion_tokens, answer.completion_tokens)
        self.latency_s = _sum(self.latency_s, answer.latency_s)
        self.cached = self.cached and answer.cached


@dataclass
class _Climber(Generic[T]):
    """One ask on its way: the request to send next, and the rungs it has used.

    ``unread``: why its last answer could not be read, and what was written.
    """

    ask: Ask[T]
    next: Request | None
    outcome: Outcome[T]
    longer: bool = False
    repaired: bool = False
    unread: tuple[Unscored, str] | None = None


async def climb(client: Client, asks: Sequence[Ask[T]], templates: Templates) -> list[Outcome[T]]:
    """Ask everything, in at most four rounds, and give the outcomes in the order of the asks."""
    climbers = [_Climber(ask, ask.request, Outcome[T](ask.request.key(client.model))) for ask in asks]
    while going := [(climber, climber.next) for climber in climbers if climber.next is not None]:
        answers = await client.answer([request for _, request in going])
        for (climber, request), answer in zip(going, answers, strict=True):
            climber.outcome.add(answer)
            climber.next = _step(climber, request, answer, templates)
    return [climber.outcome for climber in climbers]


def _step(climber: _Climber[T], sent: Request, answer: Answer, templates: Templates) -> Request | None:
    """Take in an answer. Returns the request to send next, or none when the outcome stands."""
    outcome = climber.outcome
    if answer.text is None:
        too_long = answer.finish_reason == TOO_LONG
        outcome.notes.append(answer.error or "the request failed")
        outcome.failure = Unscored.TOO_LONG if too_long else Unscored.REQUEST_FAILED
        if too_long and climber.unread is not None:
            outcome.failure, outcome.raw_text = climber.unread
        return None
    text = answer.text.encode("utf-8", "replace").decode()  # half a surrogate pair can be neither stored nor sent
    try:
        outcome.value = climber.ask.read(text)
    except UnreadableError as error:
        cut_off = answer.finish_reason == "length"
        climber.unread = (Unscored.CUT_OFF if cut_off else error.why, text[:RAW_CHARS])
        if cut_off and not climber.longer:
            climber.longer = True
            return replace(sent, max_tokens=sent.max_tokens * MORE_TOKENS)
        if not cut_off and not climber.repaired:
            climber.repaired = True
            return _repair(sent, text, error, templates)
        outcome.failure, outcome.raw_text = climber.unread
        outcome.notes.append(str(error))
    return None


def _repair(sent: Request, text: str, error: UnreadableError, templates: Templates) -> Request:
    asked = templates.render(REPAIR, error=str(error), schema=json.dumps(sent.schema))
    said = Message("assistant", text[:RAW_CHARS] or "(nothing)")
    return replace(sent, messages=(*sent.messages, said, Message("user", asked)))


def _sum(before: T | None, more: T | None) -> T | None:
    if before is None or more is None:
        return before if more is None else more
    return before + more  # type: ignore[operator, no-any-return]
