"""Stock phrases of a language: a grammar for a recogniser, and the test whether a text is one."""

from __future__ import annotations

import re
import tomllib
from importlib.resources import files

from pydantic import BaseModel, ConfigDict


class StockPhrases(BaseModel):
    """Phrases in lower case: a lead, one or two closings, an end; or one or two responses."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    leads: tuple[str, ...]
    """What may come before a closing."""
    closings: tuple[str, ...]
    """What closes a talk."""
    ends: tuple[str, ...]
    """What may come after a closing."""
    responses: tuple[str, ...]
    """Answers, and what a listener says."""

    @property
    def grammar(self) -> str:
        """The phrases in JSpeech Grammar Format, one public rule."""
        leads, closings, ends, responses = (
            f"({' | '.join(phrases)})" for phrases in (self.leads, self.closings, self.ends, self.responses)
        )
        rule = f"[{leads}] {closings} [{closings}] [{ends}] | {responses} [{responses}]"
        return f"#JSGF V1.0;\ngrammar stock;\npublic <said> = {rule};\n"

    @property
    def pattern(self) -> re.Pattern[str]:
        """Matches a text of the grammar whole: a decoder may stop half-way through a phrase."""
        leads, closings, ends, responses = (
            f"(?:{'|'.join(map(re.escape, phrases))})"
            for phrases in (self.leads, self.closings, self.ends, self.responses)
        )
        return re.compile(f"(?:{leads} )?{closings}(?: {closings})?(?: {ends})?|{responses}(?: {responses})?")


def load_stock_phrases(language: str) -> StockPhrases:
    """The phrases of a language that has a file beside this module."""
    text = files("audio.asr").joinpath(f"stock_phrases_{language}.toml").read_text(encoding="utf-8")
    return StockPhrases.model_validate(tomllib.loads(text))
