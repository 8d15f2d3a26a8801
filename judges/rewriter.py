"""How a rewriter is asked for a better reply, and how its answer is read."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictInt

from judges.answers import JUSTIFICATION_CHARS, read_json
from judges.clients import Message, Request
from judges.dialogue import Dialogue, Turn
from judges.faults import Fault, Note
from judges.ladder import REPAIR, Ask
from judges.languages import language
from judges.settings import RewriteConfig, TranscriptConfig
from judges.speakable import Rule
from judges.templates import Templates
from judges.transcript import one_line, transcript
from store.layout import StoreError

SYSTEM = "rewrite_system"
QUESTION = "rewrite"
AGAIN = "rewrite_again"
TEMPLATES = (SYSTEM, QUESTION, AGAIN, REPAIR)
REPLY_CHARS = 4000
"""Longer replies are cut; none so long can be spoken."""
_HEADER_CHARS = 1200
_LINE_CHARS = 110
"""At most so much stands in a line beside what was said."""
_QUOTES = {'"': '"', "“": "”", "«": "»", "「": "」", "'": "'"}


class Written(BaseModel):
    """What a rewriter answers. The explanation comes first, so that the reply follows from it."""

    model_config = ConfigDict(extra="forbid")

    explanation: str
    improved_response: str
    improvement: Annotated[StrictInt, Field(ge=0, le=3)]


@dataclass(frozen=True)
class Rewriter:
    """Builds requests. ``version`` is the hash of the templates."""

    config: RewriteConfig
    templates: Templates
    version: str

    @classmethod
    def of(cls, config: RewriteConfig, templates: Templates) -> Rewriter:
        """The rewriter of a config. Raises StoreError when a template cannot be used."""
        rewriter = cls(config, templates, templates.version(TEMPLATES))
        rewriter.check()
        return rewriter

    def language_of(self, dialogue: Dialogue) -> str:
        """Tag of the language to write in: the configured one, else the log's, else English."""
        tag = self.config.language or dialogue.language
        return tag if language(tag).tag == tag.split("-")[0].lower() else "en"

    def ask(self, fault: Fault) -> Ask[Written]:
        """The request for a better reply."""
        messages = (Message("system", self._system(fault)), Message("user", self._question(fault)))
        request = Request(
            fault.dialogue.dialogue_id,
            "rewrite",
            messages,
            Written.model_json_schema(),
            self.config.max_tokens,
            self.version,
            self.config.temperature,
            self.config.seed,
            fault=fault,
        )
        return Ask(request, read_written)

    def ask_again(self, fault: Fault, written: Written, broken: Sequence[tuple[Rule, str]]) -> Ask[Written]:
        """The request for one that can be said aloud, with the rules that the first one broke."""
        first = self.ask(fault)
        asked = self.templates.render(AGAIN, broken=[(rule.name, rule.how, one_line(what)) for rule, what in broken])
        said = Message("assistant", written.model_dump_json())
        messages = (*first.request.messages, said, Message("user", asked))
        return replace(first, request=replace(first.request, messages=messages))

    def check(self) -> None:
        """Fill in every template once, so that one that cannot be used is told before anything is asked."""
        asked = Turn(0, "user", "utterance", 0.0, 1.0, "probe of what was asked")
        reply = Turn(1, "model", "utterance", 1.5, 2.0, "probe of a reply")
        notes = (Note("tone", 0, "probe of a reason"),)
        for pair_type, subtype in (
            ("A", "tone"),
            ("B", "cut_in"),
            ("B", "cut_off"),
            ("A+B", "cut_in"),
            ("C", "no_response"),
            ("A+C", "late"),
        ):
            silence = pair_type == "C"
            turns = (asked,) if silence else (asked, reply)
            said = None if silence else reply
            fault = Fault("probe", pair_type, subtype, 1.0, 0, Dialogue("probe", turns), said, asked, notes)
            text = self.ask(fault).request.messages[-1].text
            if asked.text not in text or notes[0].justification not in text:
                raise StoreError(
                    f"prompt template {QUESTION}.j2 leaves out {{{{ transcript }}}} or {{{{ notes }}}}: put it back"
                )
        self.templates.render(AGAIN, broken=[("probe", "probe", "probe")])
        self.templates.render(REPAIR, error="probe", schema="{}")

    def _system(self, fault: Fault) -> str:
        return self.templates.render(
            SYSTEM,
            language=language(self.language_of(fault.dialogue)).name,
            persona=self.config.persona,
            max_words=self.config.max_words,
            max_sentences=self.config.max_sentences,
        )

    def _question(self, fault: Fault) -> str:
        return self.templates.render(
            QUESTION,
            transcript=self._transcript(fault),
            notes=_notes(fault.notes),
            pair_type=fault.pair_type,
            subtype=fault.subtype,
            turn=None if fault.reply is None else fault.reply.index,
            may_stay=fault.reply_may_stay,
        )

    def _transcript(self, fault: Fault) -> str:
        """The end of the talk up to the fault, as much as there is room for."""
        room = self.config.context_chars - _HEADER_CHARS
        turns = fault.dialogue.turns
        shown: list[int] = []
        for turn in reversed(turns):
            room -= min(len(one_line(turn.text)), self.config.turn_chars) + _LINE_CHARS
            if room < 0:
                break
            shown.append(turn.index)
        config = TranscriptConfig(turn_chars=self.config.turn_chars, dialogue_chars=self.config.context_chars, around=0)
        dialogue = replace(fault.dialogue, persona="") if self.config.persona else fault.dialogue
        return transcript(dialogue, shown, config).text


def read_written(text: str) -> Written:
    """Read an answer; quotation marks around the whole reply are no part of it. Raises UnreadableError."""
    written = read_json(text, Written)
    return written.model_copy(
        update={
            "explanation": written.explanation.strip()[:JUSTIFICATION_CHARS],
            "improved_response": _unquoted(written.improved_response.strip())[:REPLY_CHARS],
        }
    )


def _unquoted(reply: str) -> str:
    if len(reply) > 1 and _QUOTES.get(reply[0]) == reply[-1]:
        inner = reply[1:-1]
        if reply[0] not in inner and reply[-1] not in inner:
            return inner.strip()
    return reply


def _notes(notes: Sequence[Note]) -> str:
    """The judge's reasons, fenced: they may quote what was said."""
    if not notes:
        return ""
    body = "\n".join(f"{note.axis}, score {note.score} of 4: {one_line(note.justification)}" for note in notes)
    fence = hashlib.blake2b(body.encode(), digest_size=16).hexdigest()
    return f"<<<NOTES {fence}\n{body}\nNOTES {fence}>>>"
