"""The rubric: how a judge is asked about turns of a dialogue on axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial

from judges.answers import Reading, answer_schema, read_grades
from judges.clients import Message, Request
from judges.dialogue import Dialogue, Question
from judges.ladder import REPAIR, Ask
from judges.settings import JudgeConfig
from judges.templates import Templates
from judges.transcript import Transcript
from schemas.verdicts import Axis
from store.layout import StoreError

SYSTEM = "judge_system"
QUESTION = "judge"


def judge_templates(axes: Sequence[Axis]) -> list[str]:
    """Names of the templates that make up the judge's prompts."""
    return [SYSTEM, QUESTION, REPAIR, *(f"axis_{axis}" for axis in axes)]


@dataclass(frozen=True)
class Rubric:
    """Builds requests. ``version`` is the hash of the templates."""

    config: JudgeConfig
    templates: Templates
    version: str

    @classmethod
    def of(cls, config: JudgeConfig, templates: Templates) -> Rubric:
        """The rubric of a config. Raises StoreError when a template cannot be used."""
        rubric = cls(config, templates, templates.version(judge_templates(config.axes)))
        rubric.check()
        return rubric

    def axes_of_calls(self) -> list[tuple[Axis, ...]]:
        """The axes each request about a dialogue asks for."""
        axes = self.config.axes
        return [axes] if self.config.axes_per_call == "all" else [(axis,) for axis in axes]

    def ask(self, dialogue: Dialogue, shown: Transcript, axes: tuple[Axis, ...]) -> Ask[Reading]:
        """The request about the turns that a transcript shows.

        The dialogue comes first and the axis last, so that the calls of a dialogue share their prefix.
        """
        per_call = self.config.axes_per_call
        messages = (
            Message("system", self._system),
            Message(
                "user",
                self.templates.render(
                    QUESTION, transcript=shown.text, turns=shown.shown, axes=[axis.value for axis in axes]
                ),
            ),
        )
        request = Request(
            dialogue.dialogue_id,
            "judge",
            messages,
            answer_schema(per_call),
            self.config.max_tokens,
            self.version,
            self.config.temperature,
            self.config.seed,
            Question(dialogue, shown.shown, axes),
        )
        return Ask(request, partial(read_grades, ask=frozenset(shown.shown), axes=axes, per_call=per_call))

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
        self.templates.render(REPAIR, error="probe", schema="{}")
