"""The rubric: how a judge is asked about turns of a dialogue on axes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

from judges.answers import Reading, answer_schema, read_grades
from judges.clients import Message, Request
from judges.dialogue import Dialogue, Question
from judges.ladder import REPAIR, Ask
from judges.settings import JudgeConfig
from judges.sound import Clip
from judges.templates import Templates
from judges.transcript import Transcript
from schemas.verdicts import Axis
from store.layout import StoreError

SYSTEM = "judge_system"
QUESTION = "judge"
AGAIN = "judge_again"
AUDIO = "judge_audio"
_PROBE = (0, Axis.HELPFULNESS)


def judge_templates(config: JudgeConfig) -> list[str]:
    """Names of the templates that make up the judge's prompts."""
    heard = [] if config.audio == "off" else [AUDIO]
    return [SYSTEM, QUESTION, AGAIN, REPAIR, *heard, *(f"axis_{axis}" for axis in config.axes)]


@dataclass(frozen=True)
class Lacking:
    """What an earlier answer lacked, by (turn, axis): ``left_out``, or ``contradicted`` by itself."""

    left_out: Collection[tuple[int, Axis]]
    contradicted: Collection[tuple[int, Axis]]


@dataclass(frozen=True)
class Rubric:
    """Builds requests. ``version`` is the hash of the templates."""

    config: JudgeConfig
    templates: Templates
    version: str

    @classmethod
    def of(cls, config: JudgeConfig, templates: Templates) -> Rubric:
        """The rubric of a config. Raises StoreError when a template cannot be used."""
        rubric = cls(config, templates, templates.version(judge_templates(config)))
        rubric.check()
        return rubric

    def axes_of_calls(self) -> list[tuple[Axis, ...]]:
        """The axes each request about a dialogue asks for."""
        axes = self.config.axes
        return [axes] if self.config.axes_per_call == "all" else [(axis,) for axis in axes]

    def ask(
        self,
        dialogue: Dialogue,
        shown: Transcript,
        axes: tuple[Axis, ...],
        clip: Clip | None = None,
        lacking: Lacking | None = None,
    ) -> Ask[Reading]:
        """The request about the turns that a transcript shows, with a ``clip`` of the log for a judge that hears.

        The dialogue comes first and the axis last, so that the calls of a dialogue share their prefix. What an earlier
        answer was ``lacking`` is said after that, so that a judge without chance in it does not repeat itself.
        """
        per_call = self.config.axes_per_call
        heard = None if clip is None else self.templates.render(AUDIO, start_s=clip.start_s, end_s=clip.end_s)
        question = self.templates.render(
            QUESTION, transcript=shown.text, turns=shown.shown, axes=[axis.value for axis in axes]
        )
        again = None if lacking is None else self._again(lacking, shown.shown)
        text = "\n\n".join(part for part in (heard, question, again) if part is not None)
        request = Request(
            dialogue.dialogue_id,
            "judge" if lacking is None else "judge_again",
            (Message("system", self._system), Message("user", text, None if clip is None else clip.wav)),
            answer_schema(per_call),
            self.config.max_tokens,
            self.version,
            self.config.temperature,
            self.config.seed,
            Question(dialogue, shown.shown, axes),
        )
        return Ask(request, partial(read_grades, ask=frozenset(shown.shown), axes=axes, per_call=per_call))

    def _again(self, lacking: Lacking, turns: Sequence[int]) -> str:
        return self.templates.render(
            AGAIN,
            left_out=_by_turn(lacking.left_out),
            contradicted=_by_turn(lacking.contradicted),
            turns=turns,
            several=self.config.axes_per_call == "all",
        )

    @cached_property
    def _system(self) -> str:
        return self.templates.render(SYSTEM, per_call=self.config.axes_per_call)

    def check(self) -> None:
        """Fill in every template once, so that one that cannot be used is told before anything is asked."""
        probe = Transcript("<<<TRANSCRIPT probe\n[0.00-1.00] MODEL (turn 7): hm\nTRANSCRIPT probe>>>", (7,))
        for axes in self.axes_of_calls():
            asked = self.ask(Dialogue("probe", ()), probe, axes).request.messages[-1].text
            if probe.text not in asked:
                raise StoreError(f"prompt template {QUESTION}.j2 leaves out {{{{ transcript }}}}: put it back")
        self._again(Lacking([_PROBE], [_PROBE]), probe.shown)
        if self.config.audio != "off":
            self.templates.render(AUDIO, start_s=0.0, end_s=1.0)
        self.templates.render(REPAIR, error="probe", schema="{}")


def _by_turn(keys: Collection[tuple[int, Axis]]) -> list[tuple[int, list[str]]]:
    """Names of axes by turn, in the order of the turns."""
    turns = sorted({turn for turn, _ in keys})
    return [(turn, [axis.value for one, axis in keys if one == turn]) for turn in turns]
