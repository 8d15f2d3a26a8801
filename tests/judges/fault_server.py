"""An OpenAI-compatible server that goes wrong on request: a real process, spoken to over HTTP.

It grades the turns it is asked about, unless the transcript says `fault NAME TIMES`: then the first TIMES answers about
that request go wrong in that way; the same asked again for what an answer lacked is that request still. It prints a
line of JSON for its port and for each request that comes or is answered, with what sound came along.
"""

from __future__ import annotations

import argparse
import array
import asyncio
import base64
import hashlib
import io
import json
import re
import sys
import wave
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

TOO_LONG = "This model's maximum context length is 100 tokens. However, you requested 900 tokens."
BROKEN = {"message": "the engine is overloaded", "code": 503}


@dataclass
class Reply:
    """What is sent; `cut`: only half of it, then the connection breaks."""

    status: int
    value: Any
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    cut: bool = False

    def raw(self) -> bytes:
        content = self.value if isinstance(self.value, bytes) else json.dumps(self.value).encode()
        headers = {"content-type": self.content_type, "content-length": str(len(content)), **self.headers}
        lines = [f"HTTP/1.1 {self.status} whatever", *(f"{name}: {value}" for name, value in headers.items())]
        whole = "\r\n".join(lines).encode() + b"\r\n\r\n" + content
        return whole[: len(whole) - len(content) // 2] if self.cut else whole


def completion(text: str, finish_reason: str = "stop") -> Reply:
    choice = {"index": 0, "finish_reason": finish_reason, "message": {"role": "assistant", "content": text}}
    usage = {"prompt_tokens": 100, "completion_tokens": 10}
    return Reply(200, {"object": "chat.completion", "choices": [choice], "usage": usage})


def grades(turns: list[int], score: int = 3) -> str:
    made = [{"turn": turn, "justification": "so", "score": score, "problematic": False} for turn in turns]
    return json.dumps({"verdicts": made})


def goes_wrong(name: str, turns: list[int]) -> Reply:
    good = grades(turns)
    return {
        "429": lambda: Reply(429, {"error": {"message": "slow down"}}),
        "429-after": lambda: Reply(429, {"error": {"message": "slow down"}}, {"retry-after": "1"}),
        "500": lambda: Reply(500, {"error": {"message": "internal error"}}),
        "400": lambda: Reply(400, {"error": {"message": "the content is not acceptable"}}),
        "too-long": lambda: Reply(400, {"error": {"message": TOO_LONG, "code": 400}}),
        "cut": lambda: Reply(200, completion(good).value, cut=True),
        "half-json": lambda: Reply(200, b'{"choices": [{"mess'),
        "html": lambda: Reply(200, b"<html>Please log in</html>", content_type="text/html"),
        "error-200": lambda: Reply(200, {"error": BROKEN}),
        "length": lambda: completion(good[: len(good) // 2], "length"),
        "whitespace": lambda: completion('{"verdicts": [' + " \n" * 3000, "length"),
        "rating": lambda: completion("Rating: high"),
        "wrong-turns": lambda: completion(grades([turn + 100 for turn in turns])),
        "twice": lambda: completion(grades([*turns, *turns])),
        "contradiction": lambda: completion(
            json.dumps({"verdicts": json.loads(good)["verdicts"] + json.loads(grades(turns, 0))["verdicts"]})
        ),
    }[name]()


class Server:
    def __init__(self, given: argparse.Namespace) -> None:
        self.given = given
        self.came: Counter[str] = Counter()
        self.in_flight = 0

    async def connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                length = re.search(r"content-length: (\d+)", head)
                content = await reader.readexactly(int(length.group(1))) if length else b""
                key = re.search(r"authorization: bearer (\S+)", head)
                self.in_flight += 1
                try:
                    stays = await self.answer(head.split()[1], content, key.group(1) if key else "", writer)
                finally:
                    self.in_flight -= 1
                if not stays:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()

    async def answer(self, path: str, content: bytes, key: str, writer: asyncio.StreamWriter) -> bool:
        if path.endswith("/models"):
            writer.write(Reply(200, {"data": []}).raw())
            return True
        asked = json.loads(content)
        prompt, sounds = parts_of(asked["messages"][1]["content"])
        name = hashlib.sha256(prompt.partition("\n\nAgain: ")[0].encode()).hexdigest()[:12]
        self.came[name] += 1
        format_type = asked.get("response_format", {}).get("type", "none")
        heard = {"turns": turns_of(prompt), "sounds": sounds} if sounds else {}
        say(came=name, times=self.came[name], format=format_type, keys=sorted(asked), **heard)
        found = re.search(r"fault (\S+) (\d+)", prompt)
        fault = found.group(1) if found and self.came[name] <= int(found.group(2)) else ""
        stays = True
        if self.given.key and key != self.given.key.lower():
            reply = Reply(401, {"error": {"message": f"no such key: {key}"}})
        elif self.given.refuse in (format_type, "all") and format_type != "none":
            reply = Reply(self.given.refuse_with, {"error": {"message": f"response_format {format_type}: not here"}})
        elif self.in_flight > self.given.at_once:
            reply = Reply(429, {"error": {"message": "too many at once"}})
        elif fault in STRANGE:
            stays = await STRANGE[fault](writer)
            reply = completion(grades(turns_of(prompt)))
        else:
            await asyncio.sleep(self.given.latency)
            reply = goes_wrong(fault, turns_of(prompt)) if fault else completion(grades(turns_of(prompt)))
        say(done=name, status=reply.status)
        if stays:
            writer.write(reply.raw())
            await writer.drain()
        return stays and not reply.cut


async def slow(writer: asyncio.StreamWriter) -> bool:
    await asyncio.sleep(0.5)
    return True


async def hang(writer: asyncio.StreamWriter) -> bool:
    await writer.wait_closed()
    return False


async def drip(writer: asyncio.StreamWriter) -> bool:
    """Whitespace without an end, as an answer that never comes to a point."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n")
    while not writer.is_closing():
        writer.write(b"4\r\n \n \n\r\n")
        await writer.drain()
        await asyncio.sleep(0.05)
    return False


STRANGE: dict[str, Callable[[asyncio.StreamWriter], Awaitable[bool]]] = {"slow": slow, "hang": hang, "drip": drip}


def parts_of(content: Any) -> tuple[str, list[dict[str, object]]]:
    """The text of a message, and what its sounds are: each is read as a WAV, with the loudest sample of a channel."""
    if isinstance(content, str):
        return content, []
    sounds: list[dict[str, object]] = []
    for part in content:
        if part["type"] == "input_audio":
            assert part["input_audio"]["format"] == "wav"
            with wave.open(io.BytesIO(base64.b64decode(part["input_audio"]["data"], validate=True))) as file:
                rate_hz, width = file.getframerate(), file.getsampwidth()
                samples = array.array("h", file.readframes(file.getnframes()))
                channels = [samples[i :: file.getnchannels()] for i in range(file.getnchannels())]
            peaks = [max(map(abs, channel)) for channel in channels]
            sounds.append({"rate_hz": rate_hz, "bytes": width, "seconds": len(channels[0]) / rate_hz, "peaks": peaks})
    return "\n".join(part["text"] for part in content if part["type"] == "text"), sounds


def turns_of(prompt: str) -> list[int]:
    found = re.search(r"Turns of the MODEL to evaluate: ([\d, ]+)", prompt)
    return [int(turn) for turn in found.group(1).split(",")] if found else [1]


def say(**what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


async def serve(given: argparse.Namespace) -> None:
    listening = await asyncio.start_server(Server(given).connection, "127.0.0.1", given.port, backlog=1024)
    say(port=listening.sockets[0].getsockname()[1])
    await listening.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.0, help="of every answer, seconds")
    parser.add_argument("--at-once", type=int, default=10_000, help="more than these at once get 429")
    parser.add_argument("--refuse", default="", help="a response_format that is not taken, or `all`")
    parser.add_argument("--refuse-with", type=int, default=400)
    parser.add_argument("--key", default="", help="the key to be let in with")
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
