"""What a judge may answer: its JSON schema, and reading what it wrote."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictInt, ValidationError

from schemas.verdicts import Axis, Unscored

JUSTIFICATION_CHARS = 2000
"""Longer justifications are cut."""
_ERROR_CHARS = 600
_THOUGHT = re.compile(r"^\s*<think>.*?</think>", re.DOTALL)
_FENCED = re.compile(r"^\s*```[a-z]*\s*\n(.*)\n\s*```\s*$", re.DOTALL)


def _no_boolean(value: Any) -> Any:
    """Python takes true for 1, a judge does not."""
    if isinstance(value, bool):
        raise ValueError("a score is a number")  # noqa: TRY004 - what pydantic understands
    return value


Score = Annotated[Literal[-1, 0, 1, 2, 3, 4], BeforeValidator(_no_boolean)]
AnswerT = TypeVar("AnswerT", bound=BaseModel)


class Grade(BaseModel):
    """One turn on the one axis that was asked about."""

    model_config = ConfigDict(extra="forbid")

    turn: StrictInt
    justification: str
    score: Score
    problematic: StrictBool


class AxisGrade(BaseModel):
    """One turn on one of several axes."""

    model_config = ConfigDict(extra="forbid")

    turn: StrictInt
    axis: Axis
    justification: str
    score: Score
    problematic: StrictBool


class Grades(BaseModel):
    """Answer to a request about one axis."""

    model_config = ConfigDict(extra="forbid")

    verdicts: list[Grade]


class AxisGrades(BaseModel):
    """Answer to a request about several axes."""

    model_config = ConfigDict(extra="forbid")

    verdicts: list[AxisGrade]


class _Confident(BaseModel):
    """Clients that are no language models may say how sure they are."""

    confidence: Annotated[float, Field(ge=0, le=1)] | None = None


class _ReadGrade(Grade, _Confident):
    """As read."""


class _ReadAxisGrade(AxisGrade, _Confident):
    """As read."""


class _ReadGrades(BaseModel):
    model_config = ConfigDict(extra="forbid")

    verdicts: list[_ReadGrade]


class _ReadAxisGrades(BaseModel):
    model_config = ConfigDict(extra="forbid")

    verdicts: list[_ReadAxisGrade]


class UnreadableError(ValueError):
    """An answer that cannot be used: ``why`` as a reason code, the message as its writer may be told it."""

    def __init__(self, why: Unscored, message: str) -> None:
        super().__init__(message[:_ERROR_CHARS])
        self.why = why


@dataclass(frozen=True)
class Given:
    """A grade that counts."""

    score: int
    problematic: bool
    justification: str
    confidence: float | None = None


@dataclass(frozen=True)
class Reading:
    """What an answer gives: grades by (turn, axis) of those asked for, and notes on what was odd about it.

    A (turn, axis) graded twice and differently is ``contradicted`` and not among the grades.
    """

    grades: dict[tuple[int, Axis], Given]
    notes: tuple[str, ...] = ()
    contradicted: frozenset[tuple[int, Axis]] = frozenset()


@cache
def answer_schema(per_call: Literal["one", "all"]) -> Mapping[str, Any]:
    """The JSON schema an answer follows. It is the same for every dialogue, so that a server compiles it once."""
    return (Grades if per_call == "one" else AxisGrades).model_json_schema()


def write_grades(grades: Iterable[tuple[int, Axis, Given]], schema: Mapping[str, Any]) -> str:
    """Grades as an answer that follows ``schema``: for clients that are no language models."""
    several = schema == answer_schema("all")
    verdicts = []
    for turn, axis, given in grades:
        entry = {"turn": turn, **({"axis": axis.value} if several else {}), "justification": given.justification}
        entry |= {"score": given.score, "problematic": given.problematic}
        verdicts.append(entry if given.confidence is None else entry | {"confidence": given.confidence})
    return json.dumps({"verdicts": verdicts}, ensure_ascii=False)


def read_grades(text: str, ask: Collection[int], axes: tuple[Axis, ...], per_call: Literal["one", "all"]) -> Reading:
    """Read an answer about turns ``ask`` on ``axes``. Raises UnreadableError."""
    if per_call == "one":
        found = [(one.turn, axes[0], one) for one in read_json(text, _ReadGrades).verdicts]
    else:
        found = [(one.turn, one.axis, one) for one in read_json(text, _ReadAxisGrades).verdicts]  # type: ignore[misc]
    grades: dict[tuple[int, Axis], Given] = {}
    unsure: set[tuple[int, Axis]] = set()
    strangers: set[int] = set()
    doubles = False
    for turn, axis, one in found:
        if turn not in ask or axis not in axes:
            strangers.add(turn)
            continue
        given = Given(one.score, one.problematic, one.justification[:JUSTIFICATION_CHARS], one.confidence)
        before = grades.setdefault((turn, axis), given)
        if before is not given:
            doubles = True
            if (before.score, before.problematic) != (given.score, given.problematic):
                unsure.add((turn, axis))
    notes = [f"dropped grades that were not asked for, of turns {sorted(strangers)[:20]}"] if strangers else []
    notes += ["some turns were graded twice"] if doubles else []
    notes += [f"contradicted itself on turns {sorted({turn for turn, _ in unsure})[:20]}"] if unsure else []
    sure = {key: given for key, given in grades.items() if key not in unsure}
    return Reading(sure, tuple(notes), frozenset(unsure))


def read_json(text: str, model: type[AnswerT]) -> AnswerT:
    """An answer as the model it must follow. A thought before it and a code fence around it are no part of it.

    Raises UnreadableError (UNPARSABLE or NOT_IN_SCHEMA).
    """
    try:
        return model.model_validate_json(text)
    except ValidationError:  # the slow way, which finds out what is wrong
        bare = _THOUGHT.sub("", text)
    fenced = _FENCED.match(bare)
    try:
        value = json.loads(fenced.group(1) if fenced else bare)
        json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair, which nothing can store, shows here
    except (ValueError, RecursionError) as error:
        raise UnreadableError(Unscored.UNPARSABLE, f"it is not JSON ({error})") from None
    try:
        return model.model_validate(value)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors(include_input=False)]
        raise UnreadableError(Unscored.NOT_IN_SCHEMA, f"it is not in the schema ({'; '.join(faults[:5])})") from None
