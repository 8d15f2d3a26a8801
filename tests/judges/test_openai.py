"""The pure parts of client openai: what is sent, what a reply says, how fast and how long a server is asked."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judges.clients import Message, Request
from judges.clients.openai.body import Dialect, Format, body, simpler
from judges.clients.openai.pace import Breaker, Pace
from judges.clients.openai.reply import Kind, Trouble, read_reply, retry_after_s
from judges.clients.too_long import is_too_long
from store.layout import StoreError
from tests.judges.servers import client_of

SCHEMA = {"type": "object", "properties": {}, "additionalProperties": False}
ASKED = Request("dialogue-4711", "judge", (Message("system", "You judge."), Message("user", "hi")), SCHEMA, 99, "v1")


def reply(value: Any, status: int = 200, **headers: str) -> Any:
    content = value if isinstance(value, bytes) else json.dumps(value).encode()
    return read_reply(status, {name.replace("_", "-"): text for name, text in headers.items()}, content, 0.5)


def trouble(value: Any, status: int = 200, **headers: str) -> Trouble:
    with pytest.raises(Trouble) as raised:
        reply(value, status, **headers)
    return raised.value


def choice(message: dict[str, Any], finish_reason: str | None = "stop") -> dict[str, Any]:
    return {"choices": [{"message": message, "finish_reason": finish_reason}]}


def test_the_schema_is_asked_for_strictly_and_the_dialogue_stays_unnamed() -> None:
    sent = body(ASKED, "m", Dialect())
    wanted = {"name": "answer", "strict": True, "schema": SCHEMA}
    assert sent["response_format"] == {"type": "json_schema", "json_schema": wanted}
    assert (sent["model"], sent["max_tokens"], sent["temperature"], sent["seed"]) == ("m", 99, 0.0, 0)
    assert "4711" not in json.dumps(sent)


def test_sound_goes_along_as_a_part_of_its_own() -> None:
    request = Request("d", "judge", (Message("user", "what of this?", audio=b"RIFF..."),), SCHEMA, 99, "v1")
    [message] = body(request, "m", Dialect())["messages"]
    sound, text = message["content"]
    assert sound["type"] == "input_audio"
    assert sound["input_audio"]["format"] == "wav"
    assert base64.b64decode(sound["input_audio"]["data"]) == b"RIFF..."
    assert text == {"type": "text", "text": "what of this?"}


@pytest.mark.parametrize(
    ("refusal", "changed"),
    [
        ("response_format type must be one of text or json_object", {"format": Format.JSON_OBJECT}),
        ("Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens'", {"length_key": "max_completion_tokens"}),
        ("body.seed: Extra inputs are not permitted", {"seed": False}),
        ("'temperature' does not support 0 with this model", {"temperature": False}),
    ],
)
def test_a_refusal_changes_what_it_names_and_nothing_else(refusal: str, changed: dict[str, Any]) -> None:
    found = simpler(Dialect(), refusal)
    assert found is not None
    assert found[0] == Dialect(**changed)
    sent = body(ASKED, "m", found[0])
    for key, kept in (("seed", found[0].seed), ("temperature", found[0].temperature)):
        assert (key in sent) == kept
    assert sent[found[0].length_key] == 99


def test_other_refusals_change_nothing() -> None:
    assert simpler(Dialect(), "the content is not acceptable") is None
    assert simpler(Dialect(format=Format.NONE), "response_format: no") is None


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"content": "{}"}, "{}"),
        ({"content": None}, ""),
        ({"content": None, "refusal": "I will not."}, "I will not."),
        ({"content": [{"type": "text", "text": "{"}, {"type": "text", "text": "}"}]}, "{}"),
    ],
)
def test_what_was_written_is_found(message: dict[str, Any], text: str) -> None:
    assert reply(choice(message, "length")).text == text
    assert reply(choice(message, "length")).finish_reason == "length"
    assert reply(choice(message, None)).finish_reason == "stop"


@pytest.mark.parametrize(
    ("value", "status", "kind"),
    [
        ({"error": {"message": "slow down"}}, 429, Kind.LIMITED),
        ({"error": {"message": "overloaded", "code": 429}}, 200, Kind.LIMITED),
        ({"error": "overloaded"}, 200, Kind.PASSING),
        (b"bad gateway", 502, Kind.PASSING),
        (b"<html>log in</html>", 200, Kind.PASSING),
        (b'{"choices": [{"mess', 200, Kind.PASSING),
        ({"choices": []}, 200, Kind.PASSING),
        ({"choices": [{"message": "text"}]}, 200, Kind.PASSING),
        ([1], 200, Kind.PASSING),
        ({"detail": [{"loc": ["body", "messages"], "msg": "too short", "input": "SECRET"}]}, 422, Kind.REFUSED),
        (b"", 302, Kind.REFUSED),
        ({"error": {"message": "no such key"}}, 401, Kind.NO_ENTRY),
        ({"error": {"message": "no such model"}}, 404, Kind.DENIED),
        ({"error": {"message": "This model's maximum context length is 4096 tokens"}}, 400, Kind.TOO_LONG),
        ({"error": {"code": 500, "message": "Context size has been exceeded."}}, 500, Kind.TOO_LONG),
        (b"", 413, Kind.TOO_LONG),
    ],
)
def test_trouble_is_told_apart(value: Any, status: int, kind: Kind) -> None:
    found = trouble(value, status)
    assert found.kind is kind
    assert "SECRET" not in found.why


@given(st.binary(max_size=200), st.integers(100, 599))
def test_no_reply_is_a_surprise(content: bytes, status: int) -> None:
    with pytest.raises(Trouble):
        read_reply(status, {}, content, 0.1)


@given(
    st.recursive(
        st.none() | st.booleans() | st.text(max_size=5),
        lambda s: (
            st.lists(s, max_size=3)
            | st.dictionaries(
                st.sampled_from(["choices", "message", "content", "error", "usage", "detail", "code"]), s, max_size=4
            )
        ),
    )
)
def test_no_json_is_a_surprise(value: Any) -> None:
    with contextlib.suppress(Trouble):
        assert reply(value).text is not None


@pytest.mark.parametrize(
    "error",
    [
        "max_tokens=8192 cannot be greater than max_model_len=4096",
        "request (4390 tokens) exceeds the available context size (4096 tokens), try increasing it",
        "Requested tokens (2285) exceed context window of 2048",
        "prompt is too long: 210000 tokens > 200000 maximum",
        "context_length_exceeded",
    ],
)
def test_what_servers_say_of_long_requests(error: str) -> None:
    assert is_too_long(error)
    assert not is_too_long("the content is not acceptable")


def test_retry_after_in_seconds_or_as_a_date() -> None:
    now = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)
    assert retry_after_s("1.5") == 1.5
    assert retry_after_s("-3") == 0
    assert retry_after_s("Fri, 20 Nov 2026 12:00:30 GMT", now) == 30
    assert retry_after_s("Fri, 20 Nov 2026 11:00:00 GMT", now) == 0
    assert retry_after_s(None) is retry_after_s("soon") is None


def test_a_wave_of_429_halves_the_places_once_and_answers_bring_them_back() -> None:
    pace = Pace(64)
    for _ in range(64):
        pace.slower(began=0.0, now=1.0)
    assert pace.places == 32
    pace.slower(began=2.0, now=3.0)
    assert pace.places == 16
    for _ in range(17):
        pace.faster()
    assert pace.places == 17
    for _ in range(5000):
        pace.faster()
    assert pace.places == 64
    for began in range(10, 30):
        pace.slower(float(began), float(began))
    assert pace.places == 1


def test_no_more_tries_at_once_than_places() -> None:
    pace, most, now = Pace(3), 0, 0

    async def one() -> None:
        nonlocal most, now
        async with pace.place():
            now += 1
            most = max(most, now)
            await asyncio.sleep(0)
            now -= 1

    async def many() -> None:
        await asyncio.gather(*(one() for _ in range(50)))

    asyncio.run(many())
    assert (most, now) == (3, 0)


def test_the_breaker_counts_dialogues_whose_requests_began_after_the_last_answer() -> None:
    breaker = Breaker()
    assert [breaker.failed(dialogue, 1.0) for dialogue in ("a", "a", "b")] == [1, 1, 2]
    breaker.answered(5.0)
    assert breaker.failed("c", began=4.0) == 0
    assert breaker.failed("d", began=6.0) == 1


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("http://me:secret@host/v1", "holds a user or password"),
        ("localhost:8000", "looks like http://127.0.0.1:8000/v1"),
        ("ftp://host/v1", "looks like http://127.0.0.1:8000/v1"),
        ("http://[::1/v1", "is no URL"),
    ],
)
def test_a_base_url_that_cannot_work_is_named_before_anything_is_sent(url: str, what: str) -> None:
    with pytest.raises(StoreError, match=what) as raised:
        client_of(url)
    assert "secret" not in str(raised.value)


def test_a_key_that_no_header_can_carry_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGE_TEST_KEY", "sk-gehe\u00efm")
    with pytest.raises(StoreError, match="JUDGE_TEST_KEY holds characters") as raised:
        client_of("http://127.0.0.1:1/v1")
    assert "sk-" not in str(raised.value)
