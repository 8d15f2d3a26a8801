"""Logs written by hand for the tests of pairs: turns, words and faults, with times in ms, to a stage's batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from miner.pairs import Pairs, PairsConfig
from schemas.content_issues import CONTENT_ISSUES
from schemas.dialogues import DIALOGUES
from schemas.ids import issue_id
from schemas.pairs import PAIRS
from schemas.rewrites import REWRITES
from schemas.timing_events import TIMING_EVENTS
from schemas.turns import TURNS
from schemas.verdicts import CONTENT_AXES, VERDICTS
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


@dataclass(eq=False)
class Flaw:
    """A content issue of a log: the model's turn at fault and the user's turn it answers."""

    turn: Say
    answers: Say | None = None
    axis: str = "helpfulness"


@dataclass(eq=False)
class Rewrite:
    """What the rewriter made of a fault or flaw. ``reply`` is the new one, ``reason`` why there is none."""

    of: Fault | Flaw
    status: str = "rewritten"
    reply: str | None = None
    reason: str | None = None


@dataclass
class Log:
    """A dialogue. ``judged`` maps a model turn to the score of each content axis (null: unscored)."""

    turns: list[Say]
    faults: list[Fault]
    duration: int = 60_000
    dialogue_id: str = "d"
    extra_words: list[Row] = field(default_factory=list)
    flaws: list[Flaw] = field(default_factory=list)
    rewrites: list[Rewrite] = field(default_factory=list)
    judged: dict[Say, Sequence[int | None]] = field(default_factory=dict)
    language: str | None = "en"

    def pair_type(self, issue: Fault | Flaw) -> str:
        """The type of the pair an issue makes: a flaw of the turn that intrudes or comes late goes with that fault."""
        if isinstance(issue, Flaw):
            return "A"
        at_fault = issue.turn if issue.issue_type == "B" else issue.other if issue.subtype == "late" else None
        flawed = any(flaw.turn is at_fault for flaw in self.flaws)
        return f"A+{issue.issue_type}" if flawed else issue.issue_type

    def ordered(self) -> list[Say]:
        return sorted(self.turns, key=lambda say: (say.start, say.channel))

    def index(self, say: Say | None) -> int | None:
        return None if say is None else next(i for i, other in enumerate(self.ordered()) if other is say)


def issue_t0(issue: Fault | Flaw) -> int:
    return issue.t0 if isinstance(issue, Fault) else issue.turn.start


def batch_of(*logs: Log, shift: int = 0, with_words: bool = True) -> Batch:
    def s(ms: int) -> float:
        return (ms + shift) / 1000

    dialogues = [
        {
            "dialogue_id": log.dialogue_id,
            "duration_s": s(log.duration),
            "model_id": "m1",
            "voice": "v1",
            "language": log.language,
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
    content = [
        {
            "issue_id": issue_id(log.dialogue_id, "A", s(flaw.turn.start)),
            "dialogue_id": log.dialogue_id,
            "issue_type": "A",
            "subtype": flaw.axis,
            "axes": [flaw.axis],
            "score": 0,
            "t_s": s(flaw.turn.start),
            "end_s": s(flaw.turn.end),
            "turn_index": log.index(flaw.turn),
            "other_turn_index": log.index(flaw.answers),
            "rank": rank,
            "evidence": "{}",
        }
        for log in logs
        for rank, flaw in enumerate(log.flaws)
    ]
    verdicts = [
        {
            "dialogue_id": log.dialogue_id,
            "turn_index": log.index(say),
            "axis": axis.value,
            "t_s": s(say.start),
            "end_s": s(say.end),
            "score": score,
            "problematic": None if score is None else 0 <= score <= 1,
            "unscored": "abstained" if score is None else None,
            "judge": "mock",
            "judge_model": "m",
        }
        for log in logs
        for say, scores in log.judged.items()
        for axis, score in zip(CONTENT_AXES, scores, strict=False)
    ]
    rewrites = [
        {
            "issue_id": issue_id(log.dialogue_id, getattr(rewrite.of, "issue_type", "A"), s(issue_t0(rewrite.of))),
            "dialogue_id": log.dialogue_id,
            "pair_type": log.pair_type(rewrite.of),
            "t0_s": s(issue_t0(rewrite.of)),
            "status": rewrite.status,
            "reason": rewrite.reason,
            "improved_response": rewrite.reply,
            "rewriter": "mock",
            "rewriter_model": "w",
        }
        for log in logs
        for rewrite in log.rewrites
    ]
    tables = {
        "content_issues": CONTENT_ISSUES.conform(pl.DataFrame(content, schema=CONTENT_ISSUES.schema)),
        "verdicts": VERDICTS.conform(pl.DataFrame(verdicts, schema=VERDICTS.schema)),
        "rewrites": REWRITES.conform(pl.DataFrame(rewrites, schema=REWRITES.schema)),
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
