"""What holds of every client: the key an answer is kept under, and the bound on what is in flight."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from judges.clients import Message, Request, Slots, open_client
from judges.clients.mock import Mock
from judges.settings import ClientSettings

REQUEST = Request("d", "judge", (Message("user", "Is it good?"),), {"type": "object", "title": "A"}, 100, "v1")


@pytest.mark.parametrize(
    "change",
    [
        {"purpose": "rewrite"},
        {"messages": (Message("user", "Is it bad?"),)},
        {"messages": (Message("system", "Is it good?"),)},
        {"messages": (Message("user", "Is it good?", audio=b"RIFF"),)},
        {"schema": {"type": "array", "title": "A"}},
        {"max_tokens": 101},
        {"prompt_version": "v2"},
        {"temperature": 0.1},
        {"seed": 1},
    ],
    ids=str,
)
def test_everything_that_can_change_an_answer_is_in_its_key(change: dict[str, object]) -> None:
    assert replace(REQUEST, **change).key("m") != REQUEST.key("m")  # type: ignore[arg-type]


def test_the_dialogues_name_is_not_in_the_key_and_the_model_is() -> None:
    assert replace(REQUEST, dialogue_id="other").key("m") == REQUEST.key("m")
    assert REQUEST.key("m") != REQUEST.key("n")
    # frozen: answers that were paid for and recorded verdicts are found again by a later version
    assert REQUEST.key("m") == "6e3fa254426611ea"


def test_slots_bound_what_is_in_flight_over_several_calls_and_event_loops() -> None:
    slots = Slots(3)
    now, most = 0, 0

    async def request() -> None:
        nonlocal now, most
        async with slots:
            now += 1
            most = max(most, now)
            await asyncio.sleep(0)
            now -= 1

    async def call() -> None:
        await asyncio.gather(*(request() for _ in range(5)))

    async def calls() -> None:
        await asyncio.gather(call(), call())

    for _ in range(2):
        asyncio.run(calls())
    assert (now, most) == (0, 3)


def test_clients_are_opened_by_name() -> None:
    assert isinstance(open_client("mock", "", ClientSettings()), Mock)
