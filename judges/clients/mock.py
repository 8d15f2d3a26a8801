"""Client ``mock``: answers by rules, for tests and docs. It reads the question as data and no prompt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from judges.answers import Given, Score, write_grades
from judges.clients import Answer, Client, Heard, Request, nobody
from judges.settings import ClientSettings
from schemas.verdicts import Axis
from store.layout import StoreError

Script = Callable[[Request], Answer]


class Rule(BaseModel):
    """Replies whose text holds ``contains`` (letter case aside) get this grade on ``axis``, or on all without one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    contains: str
    axis: Axis | None = None
    score: Score
    problematic: bool = False
    justification: str = "as scripted"


class Mock:
    """Answers every request by its script, at once."""

    name = "mock"
    paid = False

    def __init__(self, script: Script, model: str = "script") -> None:
        self.model = model
        self._script = script

    async def answer(self, requests: Sequence[Request], heard: Heard = nobody) -> list[Answer]:
        """Answer in order."""
        answers = []
        for position, request in enumerate(requests):
            answer = self._script(request)
            await heard(position, answer)
            answers.append(answer)
        return answers


def by_rules(rules: Sequence[Rule]) -> Script:
    """A script: the first rule that fits grades a reply, 3 (high) where none does."""

    def script(request: Request) -> Answer:
        question = request.question
        if question is None:
            return Answer(None, error="the mock answers only what a judge is asked")
        texts = {turn.index: turn.text.casefold() for turn in question.dialogue.turns}
        grades = [
            (turn, axis, _first_that_fits(rules, texts[turn], axis)) for turn in question.ask for axis in question.axes
        ]
        return Answer(write_grades(grades, request.schema))

    return script


def _first_that_fits(rules: Sequence[Rule], text: str, axis: Axis) -> Given:
    for rule in rules:
        if rule.contains.casefold() in text and rule.axis in (None, axis):
            return Given(rule.score, rule.problematic, rule.justification)
    return Given(3, False, "as scripted")


def read_rules(path: Path) -> list[Rule]:
    """Rules from a JSONL file. Raises StoreError that names the line."""
    rules = []
    lines = TypeAdapter(Rule)
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if line.strip():
            try:
                rules.append(lines.validate_json(line))
            except ValidationError as error:
                raise StoreError(
                    f"{path}, line {number}: no rule of the mock judge: {error.errors()[0]['msg']}"
                ) from None
    return rules


def open_client(model: str, settings: ClientSettings) -> Client:
    """A mock that follows the rules in ``clients.answers``, if there is such a file."""
    return Mock(by_rules(read_rules(settings.answers) if settings.answers else []), model or "script")
