"""Every table of the store, by name, in the order the data flows."""

from __future__ import annotations

from schemas.activity import ACTIVITY
from schemas.content_issues import CONTENT_ISSUES
from schemas.dialogues import DIALOGUES
from schemas.pairs import PAIRS
from schemas.table import Table
from schemas.text_tokens import TEXT_TOKENS
from schemas.timing_events import TIMING_EVENTS
from schemas.turns import TURNS
from schemas.verdicts import VERDICTS
from schemas.words import WORDS

TABLES: dict[str, Table] = {
    table.name: table
    for table in (DIALOGUES, ACTIVITY, TEXT_TOKENS, WORDS, TURNS, TIMING_EVENTS, VERDICTS, CONTENT_ISSUES, PAIRS)
}
