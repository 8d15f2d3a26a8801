"""Servers as processes of their own, and clients of them."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from judges.answers import answer_schema
from judges.clients import Message, Request
from judges.clients.openai import OpenAI
from judges.settings import ClientSettings

HERE = Path(__file__).parent
SOON_S = 60.0


class Running:
    """A fault server, and what it said of the requests that came."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[dict[str, Any]] = []
        self._new: queue.Queue[dict[str, Any]] = queue.Queue()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()
        self.port = int(self.next("port")["port"])
        self.url = f"http://127.0.0.1:{self.port}/v1"

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            said = json.loads(line)
            self.lines.append(said)
            self._new.put(said)

    def next(self, kind: str) -> dict[str, Any]:
        """Wait for the next line of a kind."""
        while True:
            said = self._new.get(timeout=SOON_S)
            if kind in said:
                return said

    def came(self) -> list[dict[str, Any]]:
        """Stop the server, and say which requests came, in their order."""
        self.stop()
        return [said for said in self.lines if "came" in said]

    def stop(self) -> None:
        """Kill it, and hear out what it said."""
        self.process.kill()
        self.process.wait()
        self._listener.join()


@contextmanager
def fault_server(*arguments: str) -> Iterator[Running]:
    """A fault server for a while."""
    process = subprocess.Popen(
        [sys.executable, str(HERE / "fault_server.py"), *arguments], stdout=subprocess.PIPE, text=True
    )
    try:
        yield Running(process)
    finally:
        process.kill()
        process.wait()


def client_of(url: str, **settings: Any) -> OpenAI:
    """A client that loses patience soon."""
    few = {"timeout_s": 2.0, "deadline_s": 20.0, "retries": 2, "concurrency": 16, "api_key_env": "JUDGE_TEST_KEY"}
    return OpenAI("tiny", ClientSettings.model_validate({"base_url": url, **few, **settings}))


def request(number: int, text: str = "", dialogue: str | None = None, **fields: Any) -> Request:
    """A request about turn 1 of a dialogue of its own."""
    said = f"dialogue {number}: {text}\nTurns of the MODEL to evaluate: 1."
    messages = (Message("system", "You judge."), Message("user", said))
    return Request(dialogue or f"d{number}", "judge", messages, answer_schema("one"), 200, "v1", **fields)
