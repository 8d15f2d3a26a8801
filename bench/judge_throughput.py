"""Requests a second that client `openai` gets out of a server of fixed latency, against what that server allows.

A server in a process of its own answers every chat completion after ``--latency`` seconds, however many
there are at once.
Ideal is concurrency / latency. Timed: one call of the client, from the first request to the last answer, connections
included, that is ``Client.answer`` on a list of requests as the judge's stage makes them (a transcript of 3,000
characters, the schema, seed and temperature).

    .venv/bin/python bench/judge_throughput.py --requests 6400
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from judges.answers import answer_schema
from judges.clients import Message, Request
from judges.clients.openai import OpenAI
from judges.settings import ClientSettings

VERDICTS = {"verdicts": [{"turn": 1, "justification": "It answers.", "score": 3, "problematic": False}]}
REPLY = {
    "choices": [
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": json.dumps(VERDICTS)}}
    ],
    "usage": {"prompt_tokens": 900, "completion_tokens": 30},
}


async def serve(latency_s: float) -> None:
    """Answer every request after ``latency_s``, over connections that stay open; the first line printed is the port."""
    content = json.dumps(REPLY).encode()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n".encode()

    async def connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                asked = await reader.readuntil(b"\r\n\r\n")
                length = next(line for line in asked.lower().split(b"\r\n") if line.startswith(b"content-length"))
                await reader.readexactly(int(length.split(b":")[1]))
                await asyncio.sleep(latency_s)
                writer.write(head + content)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(connection, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def measure(url: str, requests: int, concurrency: int) -> float:
    """Seconds for all requests."""
    client = OpenAI("fixed", ClientSettings(base_url=url, concurrency=concurrency))
    schema = answer_schema("one")
    asked = [
        Request(
            f"d{number // 7}",
            "judge",
            (
                Message("system", "You judge replies."),
                Message("user", f"{number} " + "[3.45-4.67] USER: hello. " * 120),
            ),
            schema,
            2048,
            "bench",
        )
        for number in range(requests)
    ]
    began = time.perf_counter()
    answers = asyncio.run(client.answer(asked))
    took = time.perf_counter() - began
    assert all(answer.text for answer in answers)
    return took


def main() -> None:
    """Start the server, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=6400)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--latency", type=float, default=0.2)
    parser.add_argument("--serve", action="store_true", help="be the server")
    given = parser.parse_args()
    if given.serve:
        asyncio.run(serve(given.latency))
        return
    command = [sys.executable, __file__, "--serve", "--latency", str(given.latency)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            url = f"http://127.0.0.1:{server.stdout.readline().strip()}/v1"
            took = measure(url, given.requests, given.concurrency)
        finally:
            server.terminate()
    ideal = given.concurrency / given.latency
    rate = given.requests / took
    print(
        f"{given.requests} requests at concurrency {given.concurrency}, {given.latency * 1000:.0f} ms each: "
        f"{took:.2f} s, {rate:.1f} requests/s of {ideal:.1f} possible: {rate / ideal:.1%}"
    )


if __name__ == "__main__":
    main()
