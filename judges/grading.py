"""Grades for every reply of many dialogues: each (turn, axis) ends with a grade or with the reason why it has none."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from audio.decode import DecodeError
from judges.answers import Given, Reading
from judges.clients import Client
from judges.dialogue import Dialogue
from judges.ladder import Ask, Outcome, climb
from judges.rubric import Lacking, Rubric
from judges.settings import TranscriptConfig
from judges.sound import Clip, Sound
from judges.transcript import Transcript, transcript
from schemas.verdicts import Axis, Unscored

_TOGETHER = 16
"""Dialogues that go from rung to rung together."""
_TOGETHER_HEARD = 4
"""The same for judges that hear: the sound of a group is in memory until it is done."""
_GROUPS = 8
"""Groups under way at once: while one waits for its last answers or is made ready, others have requests in flight."""


@dataclass(frozen=True)
class Verdict:
    """What is known of one reply on one axis: a grade, or why there is none. ``outcome``: the answer it came from.

    ``note``: what there is to say where nothing was asked.
    """

    dialogue: Dialogue
    turn_index: int
    axis: Axis
    given: Given | None
    unscored: Unscored | None
    outcome: Outcome[Reading] | None
    note: str | None = None

    @property
    def key(self) -> tuple[str, int, Axis]:
        """Dialogue, turn and axis."""
        return self.dialogue.dialogue_id, self.turn_index, self.axis


@dataclass(frozen=True)
class _Question:
    """What is asked about some turns of a dialogue."""

    dialogue: Dialogue
    shown: Transcript
    axes: tuple[Axis, ...]
    clip: Clip | None
    lacking: Lacking | None = None

    def wanted(self) -> list[tuple[int, Axis]]:
        return [(turn, axis) for turn in self.shown.shown for axis in self.axes]


@dataclass(frozen=True)
class _Call:
    """One request, and what came of it."""

    asked: _Question
    outcome: Outcome[Reading]

    def again(self, limits: TranscriptConfig) -> _Question | None:
        """The question about what a readable answer does not say, or says twice and differently."""
        value = self.outcome.value
        missing = [] if value is None else [key for key in self.asked.wanted() if key not in value.grades]
        if value is None or not missing:
            return None
        shown = transcript(self.asked.dialogue, tuple(dict.fromkeys(turn for turn, _ in missing)), limits)
        contradicted = [key for key in missing if key in value.contradicted]
        lacking = Lacking([key for key in missing if key not in value.contradicted], contradicted)
        return replace(self.asked, shown=shown, lacking=lacking)


async def grade(
    client: Client, rubric: Rubric, dialogues: Sequence[Dialogue], sound: Sound | None = None
) -> list[Verdict]:
    """Judge every reply of the dialogues on every axis. What an answer leaves out is asked for once more.

    ``sound``: what the judge hears beside the transcript; replies of a log that cannot be heard are not put to it, nor
    are replies without words. Raises ServerGoneError.
    """
    together = _TOGETHER if sound is None else _TOGETHER_HEARD
    groups = [dialogues[i : i + together] for i in range(0, len(dialogues), together)]
    left = iter(enumerate(groups))
    verdicts: dict[int, list[Verdict]] = {}

    async def work() -> None:
        for number, group in left:
            verdicts[number] = await _grade_group(client, rubric, group, sound)

    await asyncio.gather(*(work() for _ in range(_GROUPS)))
    return [verdict for number in range(len(groups)) for verdict in verdicts[number]]


async def _grade_group(
    client: Client, rubric: Rubric, dialogues: Sequence[Dialogue], sound: Sound | None
) -> list[Verdict]:
    questions: list[_Question] = []
    unheard: dict[str, str] = {}
    for dialogue in dialogues:
        try:
            questions += await _questions(rubric, dialogue, sound)
        except (DecodeError, OSError) as error:
            unheard[dialogue.dialogue_id] = str(error)
    calls = await _ask(client, rubric, questions)
    again = [question for call in calls if (question := call.again(rubric.config.transcript)) is not None]
    verdicts = {verdict.key: verdict for call in calls for verdict in _verdicts(call)}
    for call in await _ask(client, rubric, again):
        verdicts |= {verdict.key: verdict for verdict in _verdicts(call) if verdicts[verdict.key].given is None}
    return [
        verdict
        for dialogue in dialogues
        for verdict in _complete(dialogue, rubric, verdicts, unheard.get(dialogue.dialogue_id))
    ]


async def _questions(rubric: Rubric, dialogue: Dialogue, sound: Sound | None) -> list[_Question]:
    """What is asked about a dialogue: on each axis about all its replies, or about those that share a clip.

    Raises DecodeError or OSError where it cannot be heard.
    """
    asked = tuple(turn.index for turn in dialogue.replies() if turn.text.strip())
    if not asked:
        return []
    clips = [None] if sound is None else await asyncio.to_thread(sound.clips, dialogue, asked)
    shown = [(clip, transcript(dialogue, clip.turns if clip else asked, rubric.config.transcript)) for clip in clips]
    return [
        _Question(dialogue, text, axes, clip) for clip, text in shown if text.shown for axes in rubric.axes_of_calls()
    ]


async def _ask(client: Client, rubric: Rubric, questions: Sequence[_Question]) -> list[_Call]:
    asks: list[Ask[Reading]] = [rubric.ask(q.dialogue, q.shown, q.axes, q.clip, q.lacking) for q in questions]
    outcomes = await climb(client, asks, rubric.templates)
    return [_Call(question, outcome) for question, outcome in zip(questions, outcomes, strict=True)]


def _verdicts(call: _Call) -> list[Verdict]:
    reading, failure = call.outcome.value, call.outcome.failure
    grades = {} if reading is None else reading.grades
    verdicts = []
    for turn, axis in call.asked.wanted():
        given = grades.get((turn, axis))
        unscored = None if given is not None else failure or Unscored.MISSING_TURN
        verdicts.append(Verdict(call.asked.dialogue, turn, axis, given, unscored, call.outcome))
    return verdicts


def _complete(
    dialogue: Dialogue,
    rubric: Rubric,
    verdicts: Mapping[tuple[str, int, Axis], Verdict],
    unheard: str | None,
) -> list[Verdict]:
    """One verdict for each reply and axis, those that were never asked about too."""
    complete = []
    for turn in dialogue.replies():
        not_asked = Unscored.TOO_LONG if unheard is None else Unscored.AUDIO_MISSING
        why, note = (not_asked, unheard) if turn.text.strip() else (Unscored.NO_WORDS, None)
        for axis in rubric.config.axes:
            nothing = Verdict(dialogue, turn.index, axis, None, why, None, note)
            complete.append(verdicts.get((dialogue.dialogue_id, turn.index, axis), nothing))
    return complete
