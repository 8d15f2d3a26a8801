"""Places where small dialogues went wrong, for the tests of the rewriter."""

from __future__ import annotations

import json
from collections.abc import Callable

from judges.clients import Answer, Request
from judges.dialogue import Turn
from judges.faults import Fault, Note
from judges.rewriter import Rewriter
from judges.settings import RewriteConfig
from tests.judges.talks import SHIPPED, talk

ASKED = "How do I stop my glasses from fogging up?"
REPLY = "Teens need about nine hours of sleep a night."
BETTER = "Rub a little soap on the lenses and wipe them dry."
NOTE = Note("helpfulness", 0, "It does not answer the question.")


def fault(
    pair_type: str = "A",
    subtype: str = "",
    *,
    asked: str = ASKED,
    reply: str = REPLY,
    language: str = "en",
    persona: str = "",
    rank: int = 0,
    judged_fine: bool = False,
    whole: bool = True,
    notes: tuple[Note, ...] | None = None,
) -> Fault:
    """The model says hello, the user asks, and the model goes wrong."""
    subtype = subtype or {"A": "helpfulness", "B": "cut_in", "C": "no_response"}[pair_type[-1]]
    silence = pair_type == "C" and subtype == "no_response"
    dialogue = talk(
        "d", "Hi.", "Hello, how can I help?", asked, *([] if silence else [reply]), language=language, persona=persona
    )
    given = ((NOTE,) if pair_type.startswith("A") else ()) if notes is None else notes
    turn: Turn | None = None if silence else dialogue.turns[3]
    return Fault("i", pair_type, subtype, 7.5, rank, dialogue, turn, dialogue.turns[2], given, judged_fine, whole)


def rewriter(**changes: object) -> Rewriter:
    """A rewriter with the shipped templates."""
    return Rewriter.of(RewriteConfig.model_validate({"client": "mock", **changes}), SHIPPED)


def written(reply: str = BETTER, improvement: object = 3, explanation: str = "It answers the question.") -> str:
    """What a rewriter answers."""
    return json.dumps({"explanation": explanation, "improved_response": reply, "improvement": improvement})


def in_turn(*answers: Answer | str) -> Callable[[Request], Answer]:
    """A script that gives these answers one after another."""
    left = iter(answers)

    def script(request: Request) -> Answer:
        del request
        answer = next(left)
        return Answer(answer) if isinstance(answer, str) else answer

    return script
