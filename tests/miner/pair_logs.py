"""Logs written by hand for the tests of pairs: turns, words and faults, with times in ms, to a stage's batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from miner.pairs import Pairs, PairsConfig
from schemas.dialogues import DIALOGUES
from schemas.ids import issue_id
from schemas.pairs import PAIRS
from schemas.timing_events import TIMING_EVENTS
from schemas.turns import TURNS
from schemas.words import WORDS
from store.stage import Batch

Span = tuple[int, int]
Row = dict[str, Any]
FIXED_GAP = PairsConfig(response_gap_min_s=0.3, response_gap_max_s=0.3)


@dataclass(eq=False)
class Say:
    """One turn. Words are (text, start, end)."""

    channel: str
    ipus: Sequence[Span]
    words: Sequence[tuple[str, int, int]] = ()
    kind: str = "utterance"

    @property
    def start(self) -> int:
        return self.ipus[0][0]

    @property
    def end(self) -> int:
        return self.ipus[-1][1]


@dataclass(eq=False)
class Fault:
    """An issue of a log: type, subtype, the turn at fault and the one it touches."""

    issue_type: str
    subtype: str
    turn: Say
    other: Say | None = None

    @property
    def t0(self) -> int:
        return self.turn.start if self.issue_type == "B" else self.turn.end


@dataclass
class Log:
    turns: list[Say]
    faults: list[Fault]
    duration: int = 60_000
    dialogue_id: str = "d"
    extra_words: list[Row] = field(default_factory=list)

    def ordered(self) -> list[Say]:
        return sorted(self.turns, key=lambda say: (say.start, say.channel))

    def index(self, say: Say | None) -> int | None:
        return None if say is None else next(i for i, other in enumerate(self.ordered()) if other is say)


def batch_of(*logs: Log, shift: int = 0, with_words: bool = True) -> Batch:
    def s(ms: int) -> float:
        return (ms + shift) / 1000

    dialogues = [
        {
            "dialogue_id": log.dialogue_id,
            "duration_s": s(log.duration),
            "model_id": "m1",
            "voice": "v1",
            "language": "en",
        }
        for log in logs
    ]
    turns = [
        {
            "dialogue_id": log.dialogue_id,
            "turn_index": i,
            "channel": say.channel,
            "kind": say.kind,
            "start_s": s(say.start),
            "end_s": s(say.end),
            "ipus": [{"start_s": s(a), "end_s": s(b)} for a, b in say.ipus],
        }
        for log in logs
        for i, say in enumerate(log.ordered())
    ]
    events = [
        {
            "event_id": issue_id(log.dialogue_id, fault.issue_type, s(fault.t0)),
            "dialogue_id": log.dialogue_id,
            "event": fault.issue_type,
            "issue_type": fault.issue_type,
            "subtype": fault.subtype,
            "t_s": s(fault.t0),
            "end_s": s(fault.t0 + 100),
            "turn_index": log.index(fault.turn),
            "other_turn_index": log.index(fault.other),
            "rank": rank,
            "evidence": "{}",
        }
        for log in logs
        for rank, fault in enumerate(log.faults)
    ]
    words = [
        {
            "dialogue_id": log.dialogue_id,
            "channel": say.channel,
            "word_index": 1000 * log.ordered().index(say) + k,
            "text": text,
            "start_s": s(a),
            "end_s": s(b),
            "timing_source": "given",
            "asr": "given",
        }
        for log in logs
        for say in log.turns
        for k, (text, a, b) in enumerate(say.words)
    ] + [{"dialogue_id": log.dialogue_id, **row} for log in logs for row in log.extra_words]
    tables = {
        "dialogues": pl.DataFrame(dialogues, schema={c: t for c, t in DIALOGUES.schema.items() if c in dialogues[0]}),
        "turns": TURNS.conform(pl.DataFrame(turns, schema=TURNS.schema)),
        "timing_events": TIMING_EVENTS.conform(pl.DataFrame(events, schema=TIMING_EVENTS.schema)),
        "words": WORDS.conform(pl.DataFrame(words if with_words else [], schema=WORDS.schema)),
    }
    return Batch([log.dialogue_id for log in logs], tables)


def pairs_of(*logs: Log, config: PairsConfig = FIXED_GAP, shift: int = 0, with_words: bool = True) -> list[Row]:
    output = Pairs(config).process(batch_of(*logs, shift=shift, with_words=with_words))
    assert output.quarantined == ()
    return PAIRS.conform(output.rows).to_dicts()


def ms(seconds: float) -> int:
    return round(seconds * 1000)


def spans(row: Row, column: str) -> list[Span]:
    return [(ms(span["start_s"]), ms(span["end_s"])) for span in row[column]]


def said(row: Row, column: str) -> list[tuple[str, int, int]]:
    return [(word["text"], ms(word["start_s"]), ms(word["end_s"])) for word in row[column]]


def times(row: Row, *columns: str) -> dict[str, int | None]:
    return {column: None if row[column] is None else ms(row[column]) for column in columns}
