"""Client openai against a server that goes wrong: every turn ends scored or with a reason, and the run ends."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import polars as pl
import pytest

from judges.clients import Answer, Message, Request, ServerGoneError
from judges.judge import Judge
from judges.settings import ClientSettings, JudgeConfig
from schemas.dialogues import DIALOGUES
from schemas.turns import TURNS
from schemas.verdicts import VERDICTS, Unscored
from store.layout import Store
from store.stage import Batch
from tests.judges.servers import client_of, fault_server, request
from tests.judges.talks import frames, talk

ROOT = Path(__file__).parents[2]
ALWAYS = 999

PASSES = ("slow", "hang", "drip", "429", "429-after", "500", "cut", "half-json", "html", "error-200")
MENDED = ("length", "whitespace", "rating", "wrong-turns", "contradiction")
LASTS = {
    "hang": Unscored.REQUEST_FAILED,
    "drip": Unscored.REQUEST_FAILED,
    "429": Unscored.REQUEST_FAILED,
    "500": Unscored.REQUEST_FAILED,
    "400": Unscored.REQUEST_FAILED,
    "too-long": Unscored.TOO_LONG,
    "cut": Unscored.REQUEST_FAILED,
    "half-json": Unscored.REQUEST_FAILED,
    "html": Unscored.REQUEST_FAILED,
    "error-200": Unscored.REQUEST_FAILED,
    "length": Unscored.CUT_OFF,
    "whitespace": Unscored.CUT_OFF,
    "rating": Unscored.UNPARSABLE,
    "wrong-turns": Unscored.MISSING_TURN,
    "contradiction": Unscored.MISSING_TURN,
}


@pytest.mark.slow
def test_every_reply_ends_scored_or_with_a_reason_none_lost_none_twice(tmp_path: Path) -> None:
    plan = (
        {f"once-{fault}": (fault, 1) for fault in (*PASSES, *MENDED)}
        | {f"always-{fault}": (fault, ALWAYS) for fault in LASTS}
        | {f"good-{number}": ("", 0) for number in range(20)}
        | {"twice": ("twice", ALWAYS), "always-slow": ("slow", ALWAYS)}
    )
    dialogues = [
        talk(name, f"fault {fault} {times}" if fault else f"hello {name}", "hi there", "and now", "that is all")
        for name, (fault, times) in plan.items()
    ]
    headers, turns = frames(dialogues)
    with fault_server() as server:
        clients = ClientSettings(
            base_url=server.url, concurrency=64, timeout_s=1.5, deadline_s=6, retries=2, gone_after=30
        )
        config = JudgeConfig(client="openai", model="tiny", axes=("helpfulness", "tone"))
        judge = Judge(config, clients, store=Store.create(str(tmp_path / "store")))
        judge.open()
        batch = Batch([d.dialogue_id for d in dialogues], {DIALOGUES.name: headers, TURNS.name: turns})
        rows = VERDICTS.conform(judge.process(batch).rows)
    keys = rows.select("dialogue_id", "turn_index", "axis").rows()
    assert sorted(keys) == sorted((name, turn, axis) for name in plan for turn in (1, 3) for axis in config.axes)
    ends = {name: set(part["unscored"]) for (name,), part in rows.partition_by("dialogue_id", as_dict=True).items()}
    expected = {name: {None} for name in plan} | {f"always-{fault}": {why.value} for fault, why in LASTS.items()}
    assert ends == expected
    failed = rows.filter(pl.col("unscored") == Unscored.REQUEST_FAILED)
    assert failed["note"].null_count() == 0
    assert rows.filter(pl.col("score").is_not_null())["prompt_tokens"].min() is not None


def answers_to(server_url: str, *requests: Request, **settings: object) -> list[Answer]:
    return asyncio.run(client_of(server_url, **settings).answer(requests))


def test_answers_come_in_order_with_tokens_and_latency() -> None:
    with fault_server() as server:
        heard: list[int] = []

        async def note(position: int, answer: Answer) -> None:
            heard.append(position)

        answers = asyncio.run(client_of(server.url).answer([request(n) for n in range(40)], note))
        assert sorted(heard) == list(range(40))
        assert {(a.finish_reason, a.prompt_tokens, a.completion_tokens) for a in answers} == {("stop", 100, 10)}
        assert all(a.latency_s is not None and a.latency_s > 0 for a in answers)
        assert len(server.came()) == 40
        assert asyncio.run(client_of(server.url).answer([])) == []


def test_a_request_too_long_for_the_model_is_told_apart_and_not_sent_again() -> None:
    with fault_server() as server:
        good, long, bad = answers_to(server.url, request(0), request(1, "fault too-long 9"), request(2, "fault 400 9"))
        assert good.text
        assert (long.text, long.finish_reason) == (None, "too_long")
        assert "maximum context length" in (long.error or "")
        assert (bad.text, bad.finish_reason, bad.error) == (None, "error", "400: the content is not acceptable")
        assert len(server.came()) == 3


def test_the_queue_goes_on_while_one_request_is_slow() -> None:
    with fault_server() as server:
        answers = answers_to(server.url, request(0, "fault slow 1"), *map(request, range(1, 60)), concurrency=4)
        assert all(answer.text for answer in answers)
        first = server.came()[0]["came"]
        done = [line["done"] for line in server.lines if "done" in line]
        assert len(done) == 60
        assert done[-1] == first, "the others waited for the slow one"


def test_calls_at_the_same_time_share_the_places() -> None:
    with fault_server("--at-once", "5", "--latency", "0.01") as server:

        async def several() -> list[list[Answer]]:
            client = client_of(server.url, concurrency=5)
            calls = [[request(10 * call + n) for n in range(10)] for call in range(6)]
            return await asyncio.gather(*(client.answer(requests) for requests in calls))

        assert all(answer.text for answers in asyncio.run(several()) for answer in answers)
        assert len(server.came()) == 60, "more than 5 were in flight"


def test_a_server_that_takes_few_at_once_is_asked_slower_and_answers_all() -> None:
    with fault_server("--at-once", "4", "--latency", "0.02") as server:
        answers = answers_to(server.url, *map(request, range(200)), concurrency=64)
        assert all(answer.text for answer in answers)
        assert len(server.came()) < 2.5 * 200


@pytest.mark.parametrize("status", [400, 422, 500])
def test_a_server_without_json_schema_gets_json_object_said_once(status: int, caplog: pytest.LogCaptureFixture) -> None:
    with fault_server("--refuse", "json_schema", "--refuse-with", str(status)) as server:
        client = client_of(server.url, concurrency=4)
        for _ in range(2):
            assert all(answer.text for answer in asyncio.run(client.answer([request(n) for n in range(20)])))
        formats = [line["format"] for line in server.came()]
        assert formats.count("json_schema") <= 4
        assert formats.count("json_object") == 40
        assert len([record for record in caplog.records if "json_object" in record.getMessage()]) == 1


def test_a_server_that_takes_no_format_at_all_is_asked_without() -> None:
    with fault_server("--refuse", "all") as server:
        assert all(answer.text for answer in answers_to(server.url, *map(request, range(5)), concurrency=1))
        assert [line["format"] for line in server.came()] == ["json_schema", "json_object", *["none"] * 5]


def test_a_server_that_is_not_there_stops_the_run_at_once() -> None:
    with fault_server() as server:
        url = server.url
    with pytest.raises(
        ServerGoneError,
        match=r"does not answer \(no connection: Connection refused\).*start it again or check clients.base_url",
    ):
        answers_to(url, *map(request, range(100)))


def test_a_server_that_dies_stops_the_run_and_what_was_answered_was_heard() -> None:
    heard: list[Answer] = []
    with fault_server("--latency", "0.05") as server:

        async def note(position: int, answer: Answer) -> None:
            heard.append(answer)
            if len(heard) == 30:
                server.process.kill()

        with pytest.raises(ServerGoneError, match="run the same command again"):
            asyncio.run(client_of(server.url).answer([request(n) for n in range(500)], note))
    assert len([answer for answer in heard if answer.text]) >= 30
    assert all(answer.text for answer in heard), "a request was given up for good before the run stopped"


def test_a_server_that_only_fails_stops_the_run_after_some_dialogues() -> None:
    with fault_server() as server, pytest.raises(ServerGoneError, match="internal error"):
        answers_to(server.url, *(request(n, "fault 500 99") for n in range(40)), retries=0, gone_after=5)


def test_dialogues_that_a_server_cannot_bear_do_not_stop_the_run() -> None:
    requests = [request(n, "fault 500 99" if n >= 90 else "", dialogue=f"d{n}") for n in range(100)]
    with fault_server() as server:
        answers = answers_to(server.url, *requests, retries=1, gone_after=5)
    assert [answer.text is None for answer in answers] == [n >= 90 for n in range(100)]


def test_the_key_is_sent_and_never_shown(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    monkeypatch.setenv("JUDGE_TEST_KEY", "sk-very-secret")
    with fault_server("--key", "sk-very-secret") as server:
        assert answers_to(server.url, request(0))[0].text
        monkeypatch.setenv("JUDGE_TEST_KEY", "sk-another-secret")
        client = client_of(server.url)
        with pytest.raises(ServerGoneError, match="the key in JUDGE_TEST_KEY") as gone:
            asyncio.run(client.answer([request(0)]))
    frames_of_ours = [entry.frame for entry in gone.traceback if "judges/clients" in str(entry.path)]
    shown = "".join([str(gone.value), caplog.text, *(repr(dict(frame.f_locals)) for frame in frames_of_ours)])
    assert frames_of_ours
    assert "no such key: [JUDGE_TEST_KEY]" in str(gone.value)
    assert "secret" not in shown


@pytest.mark.slow
def test_killed_and_started_again_asks_again_only_what_was_in_flight(tmp_path: Path) -> None:
    concurrency, requests = 8, 400
    with fault_server("--latency", "0.05") as server:

        def start() -> subprocess.Popen[bytes]:
            asking = (str(ROOT / "tests" / "judges" / "ask_all.py"), str(tmp_path / "store"), server.url)
            return subprocess.Popen([sys.executable, *asking, str(requests), str(concurrency)], cwd=ROOT)

        for kill_after in (20, 45, 60):
            process = start()
            for _ in range(kill_after):
                server.next("done")
            process.kill()
            assert process.wait() != 0
        assert start().wait() == 0
        times = Counter(line["came"] for line in server.came())
    assert len(times) == requests
    assert times.total() - requests <= 3 * concurrency


def test_no_dialogue_id_leaves_the_machine() -> None:
    asked = Request("patient-4711", "judge", (Message("user", "hello"),), {}, 10, "v1")
    from judges.clients.openai.body import Dialect, body

    assert "4711" not in json.dumps(body(asked, "m", Dialect()))
