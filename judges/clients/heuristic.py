"""Client ``heuristic``: no model behind it. It reads the question as data and answers from words and reactions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from judges.answers import Given, write_grades
from judges.clients import Answer, Client, Heard, Request, nobody
from judges.dialogue import Dialogue, Question
from judges.heuristic.config import HeuristicConfig
from judges.heuristic.verdicts import JUDGE, heuristic_verdicts
from judges.settings import ClientSettings
from schemas.turns import TURNS

_COLUMNS = ("dialogue_id", "turn_index", "channel", "kind", "start_s", "end_s", "text")
_GRADE = ("score", "problematic", "justification", "confidence")
NO_QUESTION = "the heuristic judge only judges: name another client for this, see docs/judge-heuristic.md"

Grades = Mapping[tuple[str, int, str], Given]
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
        asked = [request.question.dialogue for request in requests if request.question is not None]
        grades = self._grades({dialogue.dialogue_id: dialogue for dialogue in asked})
        answers = []
        for position, request in enumerate(requests):
            question = request.question
            answer = Answer(None, error=NO_QUESTION)
            if question is not None:
                answer = Answer(_written(question, grades, request.schema))
            await heard(position, answer)
            answers.append(answer)
        return answers

    def _grades(self, dialogues: Mapping[str, Dialogue]) -> Grades:
        verdicts = heuristic_verdicts(_turns(dialogues), self._config).filter(pl.col("score").is_not_null())
        keys = verdicts.select("dialogue_id", "turn_index", "axis").iter_rows()
        given = (Given(*grade) for grade in verdicts.select(_GRADE).iter_rows())
        return dict(zip(((str(d), int(t), str(a)) for d, t, a in keys), given, strict=True))


def _turns(dialogues: Mapping[str, Dialogue]) -> pl.DataFrame:
    rows = [
        (
            dialogue_id,
            turn.index,
            turn.channel,
            turn.kind,
            turn.start_s,
            turn.end_s,
            turn.text or None,
            dialogue.language,
        )
        for dialogue_id, dialogue in dialogues.items()
        for turn in dialogue.turns
    ]
    schema = {name: TURNS.schema[name] for name in _COLUMNS} | {"language": pl.String()}
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(pl.col("language").replace("", None))


def _written(question: Question, grades: Grades, schema: Mapping[str, Any]) -> str:
    wanted = [(turn, axis) for turn in question.ask for axis in question.axes]
    found = [(turn, axis, grades.get((question.dialogue.dialogue_id, turn, axis.value))) for turn, axis in wanted]
    return write_grades(((turn, axis, given) for turn, axis, given in found if given is not None), schema)


def open_client(model: str, settings: ClientSettings, config: HeuristicConfig | None = None) -> Client:
    """The judge without an LLM. It needs no server, so nothing in ``settings`` concerns it."""
    return Heuristic(config or HeuristicConfig(), model or "words")
