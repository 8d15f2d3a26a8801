"""Client ``recorded``: answers replayed from a JSONL file, and the way to make such a file from any client.

A line is found by the exact request it answered; else by the same talk, with the times left aside: another version of
the voice detector moves them by hundredths of a second, and every prompt with them; else, for lines written by hand,
by the dialogue, the place in it and what was said there, so that they outlive a change of the prompts.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from judges.answers import Given, Score, write_grades
from judges.clients import Answer, Client, Heard, Request, nobody
from judges.dialogue import Dialogue, Question, Turn
from judges.settings import ClientSettings
from schemas.ids import stable_hash
from schemas.verdicts import Axis
from store.layout import StoreError

NEAR_S = 0.5
"""A place is the recorded one when it begins no farther from it, seconds."""
ALIKE = 0.6
"""Share of letters in common, in order, that makes what was heard what was recorded: recognisers mishear."""
_OPINION = ("score", "problematic", "justification")
WHAT_TO_DO = "record it with clients.record, or name a client that can answer"


class _Line(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Recorded(_Line):
    """What a client answered. ``key``: of the exact request; ``talk``: of what it is about."""

    key: str
    talk: str
    purpose: str
    model: str
    text: str
    finish_reason: str = "stop"
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class Opinion(_Line):
    """A grade on one axis."""

    score: Score
    problematic: bool = False
    justification: str


class Judged(_Line):
    """Grades of the model's turn that begins at ``start_s`` with the words ``said``."""

    dialogue: str
    start_s: float
    said: str
    verdicts: dict[Axis, Opinion]


class Reply(_Line):
    """What the model should have said at ``t0_s`` to the user's ``asked``."""

    dialogue: str
    t0_s: float
    asked: str
    explanation: str
    improved_response: str
    improvement: int


Line = Recorded | Judged | Reply
_LINES: TypeAdapter[Line] = TypeAdapter(Line)


class Replay:
    """Answers from the lines of a file."""

    name = "recorded"
    paid = False

    def __init__(self, lines: Sequence[Line], source: str, model: str = "") -> None:
        kept = [line for line in lines if isinstance(line, Recorded)]
        self._models = list(dict.fromkeys(line.model for line in kept if model in ("", line.model)))
        self._by_key = {line.key: line for line in kept}
        self._by_talk = {(line.model, line.talk): line for line in kept}
        self._judged = [line for line in lines if isinstance(line, Judged)]
        self._replies = [line for line in lines if isinstance(line, Reply)]
        self._source = source
        self.model = model or ", ".join(self._models) or "by hand"

    async def answer(self, requests: Sequence[Request], heard: Heard = nobody) -> list[Answer]:
        """Answer in order. What is not recorded fails, and says so."""
        answers = []
        for position, request in enumerate(requests):
            answer = self._answer(request)
            await heard(position, answer)
            answers.append(answer)
        return answers

    def _answer(self, request: Request) -> Answer:
        for line in self._kept(request):
            if line is not None:
                return Answer(line.text, line.finish_reason, None, line.prompt_tokens, line.completion_tokens)
        text = self._by_hand(request)
        if text is None:
            where = f"{request.dialogue_id} ({request.purpose})"
            return Answer(None, error=f"no recorded answer for {where} in {self._source}: {WHAT_TO_DO}")
        return Answer(text)

    def _kept(self, request: Request) -> list[Recorded | None]:
        exact = [self._by_key.get(request.key(model)) for model in self._models]
        return [*exact, *(self._by_talk.get((model, talk_of(request, model))) for model in self._models)]

    def _by_hand(self, request: Request) -> str | None:
        if request.question is not None:
            return self._verdicts(request.question, request.schema)
        fault = request.fault
        return None if fault is None else self._reply(request.dialogue_id, fault.t0_s, fault.asked)

    def _verdicts(self, question: Question, schema: Mapping[str, Any]) -> str | None:
        turns = {turn.index: turn for turn in question.dialogue.turns}
        lines = [(index, self._judged_at(question.dialogue.dialogue_id, turns[index])) for index in question.ask]
        found = [
            (index, axis, Given(*(getattr(line.verdicts[axis], name) for name in _OPINION)))
            for index, line in lines
            if line is not None
            for axis in question.axes
            if axis in line.verdicts
        ]
        return write_grades(found, schema) if found else None

    def _judged_at(self, dialogue_id: str, turn: Turn) -> Judged | None:
        near = [
            line
            for line in self._judged
            if line.dialogue == dialogue_id and _near(line.start_s, turn.start_s) and _alike(line.said, turn.text)
        ]
        return min(near, key=lambda line: abs(line.start_s - turn.start_s), default=None)

    def _reply(self, dialogue_id: str, t0_s: float, asked: Turn | None) -> str | None:
        near = [
            line
            for line in self._replies
            if line.dialogue == dialogue_id
            and _near(line.t0_s, t0_s)
            and (asked is None or _alike(line.asked, asked.text))
        ]
        line = min(near, key=lambda line: abs(line.t0_s - t0_s), default=None)
        return (
            None if line is None else line.model_dump_json(include={"explanation", "improved_response", "improvement"})
        )


class Recording:
    """A client whose answers are written to a file the moment they come; failed requests are not."""

    def __init__(self, client: Client, path: Path) -> None:
        self.name, self.model, self.paid = client.name, client.model, client.paid
        self._client = client
        self._path = path
        self._lock = Lock()

    async def answer(self, requests: Sequence[Request], heard: Heard = nobody) -> list[Answer]:
        """Answer as the client inside does. Raises what it raises."""

        async def came(position: int, answer: Answer) -> None:
            if answer.text is not None:
                self._write(requests[position], answer.text, answer)
            await heard(position, answer)

        return await self._client.answer(requests, came)

    def _write(self, request: Request, text: str, answer: Answer) -> None:
        line = Recorded(
            key=request.key(self.model),
            talk=talk_of(request, self.model),
            purpose=request.purpose,
            model=self.model,
            text=text,
            finish_reason=answer.finish_reason,
            prompt_tokens=answer.prompt_tokens,
            completion_tokens=answer.completion_tokens,
        )
        with self._lock, self._path.open("a", encoding="utf-8") as file:
            file.write(line.model_dump_json() + "\n")


def talk_of(request: Request, model: str) -> str:
    """Key of a request with the times left aside: who said what in which order, what is asked about it, and how.

    A request that is no question about a dialogue, and a repair, has none but its exact key.
    """
    exact = request.key(model)
    question, fault = request.question, request.fault
    how = (request.purpose, request.prompt_version, request.max_tokens, request.temperature, request.seed)
    if len(request.messages) > 2:  # beyond the first two it shows an answer, which only the exact key knows
        return exact
    if question is not None:
        places = {turn.index: position for position, turn in enumerate(question.dialogue.turns)}
        about = ([places[index] for index in question.ask], [axis.value for axis in question.axes])
        return stable_hash(model, *how, *_words(question.dialogue), *about)
    if fault is not None:
        return stable_hash(model, *how, *_words(fault.dialogue), fault.pair_type, fault.subtype, fault.reply is None)
    return exact


def _words(dialogue: Dialogue) -> list[str]:
    turns = [f"{turn.channel} {turn.kind} {turn.text}" for turn in dialogue.turns]
    return [dialogue.language, dialogue.persona, *turns]


def _near(recorded_s: float, found_s: float) -> bool:
    return abs(recorded_s - found_s) <= NEAR_S


def _alike(recorded: str, found: str) -> bool:
    a, b = ("".join(c for c in text.casefold() if c.isalnum()) for text in (recorded, found))
    return difflib.SequenceMatcher(None, a, b, autojunk=False).ratio() >= ALIKE


def read_lines(path: Path) -> list[Line]:
    """The lines of a file of recorded answers. Raises StoreError that names the line, or says that there are none."""
    lines: list[Line] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if line.strip():
            try:
                lines.append(_LINES.validate_json(line))
            except ValidationError as error:
                fault = error.errors()[0]
                where = ".".join(map(str, fault["loc"]))
                raise StoreError(f"{path}, line {number}: no recorded answer ({where}: {fault['msg']})") from None
    if not lines:
        raise StoreError(f"{path} holds no recorded answers: {WHAT_TO_DO}")
    return lines


def open_client(model: str, settings: ClientSettings) -> Client:
    """A replay of ``clients.answers``; of its answers by ``model`` alone, when one is named."""
    if settings.answers is None:
        raise StoreError("the client recorded needs a file to answer from: set clients.answers")
    return Replay(read_lines(settings.answers), settings.answers.name, model)
