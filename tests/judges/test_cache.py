"""Answers are kept the moment they come, by dialogue: a killed run pays for nothing twice, and forget reaches them."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from judges.clients import Answer, Request, ServerGoneError
from judges.clients.cache import Cached, read_entries
from judges.grading import Verdict, grade
from store.cache import cache_folder
from store.forget import forget
from store.layout import Store
from tests.judges.talks import Scripted, good_answer, rubric, talk

ROOT = Path(__file__).parents[2]
TALKS = [talk("one", "hi", "hello"), talk("two", "well", "so")]


def good(request: Request) -> Answer:
    return Answer(good_answer(request), prompt_tokens=100, completion_tokens=9, latency_s=0.2)


def judged(store: Store, client: Scripted, **config: object) -> list[Verdict]:
    return asyncio.run(grade(Cached(client, store), rubric(**config), TALKS))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.create(str(tmp_path / "store"))


def test_what_was_answered_is_not_asked_again_and_says_so(store: Store) -> None:
    first, second = Scripted(good), Scripted(good)
    before, after = judged(store, first), judged(store, second)
    assert (len(first.asked), len(second.asked)) == (14, 0)
    assert [v.given for v in before] == [v.given for v in after]
    assert {v.outcome.cached for v in before if v.outcome} == {False}
    assert {v.outcome.cached for v in after if v.outcome} == {True}
    assert {v.outcome.prompt_tokens for v in after if v.outcome} == {100}


def test_a_second_request_for_missing_turns_is_not_answered_with_the_first_answer(store: Store) -> None:
    client = Scripted(lambda request: good(request) if request.purpose == "judge_again" else Answer('{"verdicts": []}'))
    verdicts = judged(store, client)
    assert all(verdict.given is not None for verdict in verdicts)
    assert len(client.asked) == 28


@pytest.mark.parametrize(
    "change",
    [{"seed": 1}, {"temperature": 0.5}, {"max_tokens": 99}, {"axes_per_call": "all"}],
    ids=lambda change: next(iter(change)),
)
def test_what_can_change_an_answer_is_asked_anew(store: Store, change: dict[str, object]) -> None:
    judged(store, Scripted(good))
    again = Scripted(good)
    judged(store, again, **change)
    assert len(again.asked) == (2 if "axes_per_call" in change else 14)


def test_another_model_is_asked_anew(store: Store) -> None:
    judged(store, Scripted(good))
    other = Scripted(good)
    other.model = "another"
    judged(store, other)
    assert len(other.asked) == 14


def test_a_failed_request_is_not_kept(store: Store) -> None:
    judged(store, Scripted(lambda request: Answer(None, "error", "timeout")))
    assert read_entries(store, "one") == {}
    again = Scripted(good)
    judged(store, again)
    assert len(again.asked) == 14


def test_repairs_are_kept_too(store: Store) -> None:
    def repaired(request: Request) -> Answer:
        return good(request) if len(request.messages) > 2 else Answer("Rating: high")

    first, second = Scripted(repaired), Scripted(repaired)
    judged(store, first)
    judged(store, second)
    assert (len(first.asked), len(second.asked)) == (28, 0)


def test_what_came_before_the_server_went_is_kept(store: Store) -> None:
    count = iter(range(100))

    def script(request: Request) -> Answer:
        if next(count) == 9:
            raise ServerGoneError("gone")
        return good(request)

    with pytest.raises(ServerGoneError):
        judged(store, Scripted(script))
    again = Scripted(good)
    judged(store, again)
    assert len(again.asked) == 5


def test_a_file_cut_short_is_as_good_as_none(store: Store) -> None:
    judged(store, Scripted(good))
    folder = cache_folder(store, "one")
    (name,) = store.list(folder)
    store.write(f"{folder}/{name}", b'{"answers": {"a')
    again = Scripted(good)
    judged(store, again)
    assert {request.dialogue_id for request in again.asked} == {"one"}


def test_forget_removes_the_answers_about_a_dialogue_and_no_others(store: Store, tmp_path: Path) -> None:
    judged(store, Scripted(good))
    report = forget(store, "one", {})
    assert (report.known, report.cached) == (True, 1)
    assert read_entries(store, "one") == {}
    assert not Path(store.path(cache_folder(store, "one"))).exists()
    assert len(read_entries(store, "two")) == 7
    left = b"".join(path.read_bytes() for path in tmp_path.rglob("*.json"))
    assert b"hello" not in left


def test_nothing_of_the_prompt_is_kept_beside_its_hash(store: Store, tmp_path: Path) -> None:
    judged(store, Scripted(good))
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*.json"))
    assert b"hello" not in kept


def test_a_store_far_away_keeps_every_answer() -> None:
    store = Store.create(f"memory://{uuid.uuid4().hex}")
    judged(store, Scripted(good))
    assert len(read_entries(store, "one")) == len(read_entries(store, "two")) == 7
    again = Scripted(good)
    judged(store, again)
    assert again.asked == []


@pytest.mark.parametrize("after", [7, 60])
def test_a_killed_run_asks_again_only_what_was_in_flight(tmp_path: Path, after: int) -> None:
    dialogues, concurrency = 10, 4
    command = [
        sys.executable,
        "-m",
        "tests.judges.slow_judge",
        str(tmp_path / "store"),
        str(dialogues),
        str(concurrency),
    ]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        sent = [process.stdout.readline() for _ in range(after)]
        process.send_signal(signal.SIGKILL)
        sent += process.stdout.read().splitlines()
    assert process.returncode == -signal.SIGKILL
    again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(set(again)) == len(again), "nothing is asked twice within a run"
    assert dialogues * 7 <= len(sent) + len(again) <= dialogues * 7 + concurrency
