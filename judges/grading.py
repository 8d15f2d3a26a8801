"""Grades for every reply of many dialogues: each (turn, axis) ends with a grade or with the reason why it has none."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from judges.answers import Given, Reading
from judges.clients import Client
from judges.dialogue import Dialogue
from judges.ladder import Ask, Outcome, climb
from judges.rubric import Rubric
from judges.transcript import Transcript, transcript
from schemas.verdicts import Axis, Unscored

_TOGETHER = 16
"""Dialogues that go from rung to rung together."""
_GROUPS = 8
"""Groups under way at once: while one waits for its last answers or is made ready, others have requests in flight."""


@dataclass(frozen=True)
class Verdict:
    """What is known of one reply on one axis: a grade, or why there is none. ``outcome``: the answer it came from."""

    dialogue: Dialogue
    turn_index: int
    axis: Axis
    given: Given | None
    unscored: Unscored | None
    outcome: Outcome[Reading] | None

    @property
    def key(self) -> tuple[str, int, Axis]:
        """Dialogue, turn and axis."""
        return self.dialogue.dialogue_id, self.turn_index, self.axis


@dataclass(frozen=True)
class _Call:
    """One request about some turns of a dialogue, and what came of it."""

    dialogue: Dialogue
    shown: Transcript
    axes: tuple[Axis, ...]
    outcome: Outcome[Reading]

    def wanted(self) -> list[tuple[int, Axis]]:
        return [(turn, axis) for turn in self.shown.shown for axis in self.axes]

    def missing(self) -> list[tuple[int, Axis]]:
        """What a readable answer does not say, or says twice and differently."""
        if self.outcome.value is None:
            return []
        return [key for key in self.wanted() if key not in self.outcome.value.grades]


async def grade(client: Client, rubric: Rubric, dialogues: Sequence[Dialogue]) -> list[Verdict]:
    """Judge every reply of the dialogues on every axis. What an answer leaves out is asked for once more.

    Replies without words are not put to the judge. Raises ServerGoneError.
    """
    groups = [dialogues[i : i + _TOGETHER] for i in range(0, len(dialogues), _TOGETHER)]
    left = iter(enumerate(groups))
    verdicts: dict[int, list[Verdict]] = {}

    async def work() -> None:
        for number, group in left:
            verdicts[number] = await _grade_group(client, rubric, group)

    await asyncio.gather(*(work() for _ in range(_GROUPS)))
    return [verdict for number in range(len(groups)) for verdict in verdicts[number]]


async def _grade_group(client: Client, rubric: Rubric, dialogues: Sequence[Dialogue]) -> list[Verdict]:
    limits = rubric.config.transcript
    shown: dict[str, Transcript] = {}
    for dialogue in dialogues:
        asked = tuple(turn.index for turn in dialogue.replies() if turn.text.strip())
        if asked:
            shown[dialogue.dialogue_id] = transcript(dialogue, asked, limits)
    asks = [
        (dialogue, shown[dialogue.dialogue_id], axes)
        for dialogue in dialogues
        if dialogue.dialogue_id in shown and shown[dialogue.dialogue_id].shown
        for axes in rubric.axes_of_calls()
    ]
    calls = await _ask(client, rubric, asks)
    again = []
    for call in calls:
        turns = tuple(dict.fromkeys(turn for turn, _ in call.missing()))
        if turns:
            again.append((call.dialogue, transcript(call.dialogue, turns, limits), call.axes))
    verdicts = {verdict.key: verdict for call in calls for verdict in _verdicts(call)}
    for call in await _ask(client, rubric, again):
        verdicts |= {verdict.key: verdict for verdict in _verdicts(call) if verdicts[verdict.key].given is None}
    return [verdict for dialogue in dialogues for verdict in _complete(dialogue, rubric, verdicts)]


async def _ask(
    client: Client, rubric: Rubric, wanted: Sequence[tuple[Dialogue, Transcript, tuple[Axis, ...]]]
) -> list[_Call]:
    asks: list[Ask[Reading]] = [rubric.ask(*one) for one in wanted]
    outcomes = await climb(client, asks, rubric.templates)
    return [_Call(*one, outcome) for one, outcome in zip(wanted, outcomes, strict=True)]


def _verdicts(call: _Call) -> list[Verdict]:
    reading, failure = call.outcome.value, call.outcome.failure
    grades = {} if reading is None else reading.grades
    verdicts = []
    for turn, axis in call.wanted():
        given = grades.get((turn, axis))
        unscored = None if given is not None else failure or Unscored.MISSING_TURN
        verdicts.append(Verdict(call.dialogue, turn, axis, given, unscored, call.outcome))
    return verdicts


def _complete(
    dialogue: Dialogue,
    rubric: Rubric,
    verdicts: Mapping[tuple[str, int, Axis], Verdict],
) -> list[Verdict]:
    """One verdict for each reply and axis, those that were never asked about too."""
    complete = []
    for turn in dialogue.replies():
        why = Unscored.TOO_LONG if turn.text.strip() else Unscored.NO_WORDS
        for axis in rubric.config.axes:
            nothing = Verdict(dialogue, turn.index, axis, None, why, None)
            complete.append(verdicts.get((dialogue.dialogue_id, turn.index, axis), nothing))
    return complete
