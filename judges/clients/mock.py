"""Client ``mock``: answers by rules, for tests and docs. It reads the question as data and no prompt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from judges.answers import Given, Score, write_grades
from judges.clients import Answer, Client, Heard, Request, nobody
from judges.faults import Fault
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


class RewriteRule(BaseModel):
    """Faults whose reply, or for a silence the user's request, holds ``instead_of`` get this reply."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    instead_of: str
    improved_response: str
    explanation: str = "as scripted"
    improvement: Literal[0, 1, 2, 3] = 3


AnyRule = Rule | RewriteRule


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


def by_rules(rules: Sequence[AnyRule]) -> Script:
    """A script: the first rule that fits grades a reply or writes one; where none does it grades 3 (high), and leaves
    the reply as it is.
    """
    grading = [rule for rule in rules if isinstance(rule, Rule)]
    writing = [rule for rule in rules if isinstance(rule, RewriteRule)]

    def script(request: Request) -> Answer:
        if request.fault is not None:
            return _rewrite(request.fault, writing)
        question = request.question
        if question is None:
            return Answer(None, error="the mock answers only what a judge or a rewriter is asked")
        texts = {turn.index: turn.text.casefold() for turn in question.dialogue.turns}
        grades = [
            (turn, axis, _first_that_fits(grading, texts[turn], axis))
            for turn in question.ask
            for axis in question.axes
        ]
        return Answer(write_grades(grades, request.schema))

    return script


def _first_that_fits(rules: Sequence[Rule], text: str, axis: Axis) -> Given:
    for rule in rules:
        if rule.contains.casefold() in text and rule.axis in (None, axis):
            return Given(rule.score, rule.problematic, rule.justification)
    return Given(3, False, "as scripted")


def _rewrite(fault: Fault, rules: Sequence[RewriteRule]) -> Answer:
    turn = fault.reply or fault.asked
    said = "" if turn is None else turn.text
    as_it_is = RewriteRule(
        instead_of="",
        improved_response="" if fault.reply is None else said,
        explanation="no rule fits",
        improvement=0,
    )
    rule = next((r for r in rules if r.instead_of.casefold() in said.casefold()), as_it_is)
    return Answer(rule.model_dump_json(exclude={"instead_of"}))


def read_rules(path: Path) -> list[AnyRule]:
    """Rules from a JSONL file. Raises StoreError that names the line."""
    rules: list[AnyRule] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if line.strip():
            kind, whose = (RewriteRule, "rewriter") if '"instead_of"' in line else (Rule, "judge")
            try:
                rules.append(kind.model_validate_json(line))
            except ValidationError as error:
                raise StoreError(
                    f"{path}, line {number}: no rule of the mock {whose}: {error.errors()[0]['msg']}"
                ) from None
    return rules


def open_client(model: str, settings: ClientSettings) -> Client:
    """A mock that follows the rules in ``clients.answers``, if there is such a file."""
    return Mock(by_rules(read_rules(settings.answers) if settings.answers else []), model or "script")
