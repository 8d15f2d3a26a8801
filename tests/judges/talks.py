"""Small dialogues and clients for the tests of this room."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence

import polars as pl

from judges.answers import Given, write_grades
from judges.clients import Answer, Heard, Request, nobody
from judges.dialogue import Dialogue, Turn
from judges.rubric import Rubric
from judges.settings import JudgeConfig
from judges.templates import Templates
from schemas.turns import TURNS

SHIPPED = Templates.load()


def talk(name: str, *said: str, language: str = "en", persona: str = "") -> Dialogue:
    """A dialogue in which user and model take turns of 2 s, the user first, with 0.5 s between them."""
    turns = tuple(
        Turn(i, "user" if i % 2 == 0 else "model", "utterance", i * 2.5, i * 2.5 + 2, text)
        for i, text in enumerate(said)
    )
    return Dialogue(name, turns, language, persona)


def frames(dialogues: Sequence[Dialogue]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The same as rows of ``dialogues`` (what the judge reads of them) and ``turns``."""
    headers = pl.DataFrame(
        [{"dialogue_id": d.dialogue_id, "language": d.language, "persona": d.persona} for d in dialogues]
    )
    rows = [
        {
            "dialogue_id": d.dialogue_id,
            "turn_index": t.index,
            "channel": t.channel,
            "kind": t.kind,
            "start_s": t.start_s,
            "end_s": t.end_s,
            "ipus": [{"start_s": t.start_s, "end_s": t.end_s}],
            "text": t.text or None,
        }
        for d in dialogues
        for t in d.turns
    ]
    return headers, TURNS.conform(pl.DataFrame(rows))


def rubric(**changes: object) -> Rubric:
    """A rubric with the shipped templates."""
    return Rubric.of(JudgeConfig.model_validate({"client": "mock", **changes}), SHIPPED)


def good_answer(request: Request, score: int = 3) -> str:
    """What a flawless judge would write."""
    question = request.question
    assert question is not None
    grades = ((turn, axis, Given(score, False, "so")) for turn in question.ask for axis in question.axes)
    return write_grades(grades, request.schema)


class Scripted:
    """A client that answers by a function of the request and counts what it was asked."""

    name = "mock"
    model = "scripted"
    paid = True

    def __init__(self, script: Callable[[Request], Answer]) -> None:
        self.script = script
        self.asked: list[Request] = []

    async def answer(self, requests: Sequence[Request], heard: Heard = nobody) -> list[Answer]:
        answers = []
        for position, request in enumerate(requests):
            self.asked.append(request)
            answer = self.script(request)
            await heard(position, answer)
            answers.append(answer)
        return answers


def faulty(seed: int, fault_rate: float) -> Callable[[Request], Answer]:
    """A judge that goes wrong at random, in every way we know of."""
    draw = random.Random(seed)

    def script(request: Request) -> Answer:
        good = good_answer(request, draw.randint(-1, 4))
        if draw.random() > fault_rate:
            return Answer(good)
        verdicts = json.loads(good)["verdicts"]
        kind = draw.randrange(12)
        if kind == 0:
            return Answer(None, "error", "cut connection")
        if kind == 1:
            return Answer(good[: draw.randrange(len(good))], "length")
        if kind == 2:
            return Answer('{"verdicts": [' + " " * 200 + "\n" * 200, "length")
        if kind == 3:
            return Answer("Rating: high")
        if kind == 4:
            return Answer(good[: draw.randrange(len(good))])
        if kind == 5:
            return Answer("")
        if kind == 6:
            return Answer(json.dumps({"verdicts": [one | {"turn": one["turn"] + 100} for one in verdicts]}))
        if kind == 7:
            return Answer(json.dumps({"verdicts": verdicts + verdicts}))
        if kind == 8:
            return Answer(
                json.dumps({"verdicts": verdicts + [one | {"score": (one["score"] + 2) % 5} for one in verdicts]})
            )
        if kind == 9:
            return Answer(json.dumps({"verdicts": verdicts[: draw.randrange(len(verdicts))]}))
        if kind == 10:
            return Answer(json.dumps({"verdicts": [one | {"score": 7} for one in verdicts]}))
        return Answer("[" * 5000)

    return script
