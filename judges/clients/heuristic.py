"""Client ``heuristic``: no model behind it. It reads the question as data and answers from words and reactions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from judges.clients import Answer, Client, Heard, Request, nobody
from judges.dialogue import Dialogue, Question
from judges.heuristic import JUDGE, heuristic_verdicts
from judges.heuristic.config import HeuristicConfig
from judges.settings import ClientSettings
from schemas.turns import TURNS

_COLUMNS = ("dialogue_id", "turn_index", "channel", "kind", "start_s", "end_s", "text")
_GRADE = ("score", "problematic", "justification", "confidence")
NO_QUESTION = "the heuristic judge only judges: name another client for this, see docs/judges-heuristic.md"

Grades = Mapping[tuple[str, int, str], Mapping[str, Any]]
"""By dialogue, turn and axis."""


class Heuristic:
    """Answers all requests of a call from one table of all their dialogues' turns."""

    name = JUDGE
    paid = False

    def __init__(self, config: HeuristicConfig, model: str) -> None:
        self.model = model
        self._config = config

    async def answer(self, requests: Sequence[Request], heard: Heard = nobody) -> list[Answer]:
        """Answer in order. What is no question about turns fails."""
        questions = [request.question for request in requests]
        grades = self._grades({q.dialogue.dialogue_id: q.dialogue for q in questions if q is not None})
        answers = []
        for position, question in enumerate(questions):
            answer = Answer(None, error=NO_QUESTION) if question is None else _answer(question, grades)
            heard(position, answer)
            answers.append(answer)
        return answers

    def _grades(self, dialogues: Mapping[str, Dialogue]) -> Grades:
        verdicts = heuristic_verdicts(_turns(dialogues), self._config).filter(pl.col("score").is_not_null())
        keys = verdicts.select("dialogue_id", "turn_index", "axis").iter_rows()
        return dict(zip(keys, verdicts.select(_GRADE).to_dicts(), strict=True))  # type: ignore[arg-type]


def _turns(dialogues: Mapping[str, Dialogue]) -> pl.DataFrame:
    rows = [
        (dialogue_id, turn.index, turn.channel, turn.kind, turn.start_s, turn.end_s, turn.text or None, dialogue.language)
        for dialogue_id, dialogue in dialogues.items()
        for turn in dialogue.turns
    ]
    schema = {name: TURNS.schema[name] for name in _COLUMNS} | {"language": pl.String()}
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(pl.col("language").replace("", None))


def _answer(question: Question, grades: Grades) -> Answer:
    several = len(question.axes) > 1
    verdicts = []
    for turn in question.ask:
        for axis in question.axes:
            grade = grades.get((question.dialogue.dialogue_id, turn, axis.value))
            if grade is not None:
                verdicts.append({"turn": turn, **({"axis": axis.value} if several else {}), **grade})
    return Answer(json.dumps({"verdicts": verdicts}, ensure_ascii=False))


def open_client(model: str, settings: ClientSettings) -> Client:
    """The judge without an LLM. It needs no server, so nothing in ``settings`` concerns it."""
    return Heuristic(HeuristicConfig(), model or "words")
