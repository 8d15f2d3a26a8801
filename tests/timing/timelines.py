"""Hand-made and random timelines as rows of the tables, for the tests of timing and its stages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl
from hypothesis import strategies as st

from schemas.activity import ACTIVITY
from schemas.clock import to_ms
from schemas.timing_events import TIMING_EVENTS
from schemas.turns import TURNS
from schemas.words import WORDS
from timing.config import IssueRules, TurnRules
from timing.detection import find_events
from timing.utterances import find_turns

Segment = tuple[float, float] | tuple[float, float, str]
"""Start and end in seconds, and what is said in it, if words are known."""


@dataclass(frozen=True)
class Log:
    """One dialogue: who speaks when, and what."""

    model: Sequence[Segment]
    user: Sequence[Segment]
    duration: float = 60.0
    name: str = "d"


def activity_of(logs: Sequence[Log]) -> pl.DataFrame:
    rows = [
        {
            "dialogue_id": log.name,
            "channel": channel,
            "duration_s": float(log.duration),
            "speech": [{"start_s": float(s[0]), "end_s": float(s[1]), "level_db": -20.0} for s in segments],
            "leak": [],
            "vad": "test",
        }
        for log in logs
        for channel, segments in (("model", log.model), ("user", log.user))
    ]
    types = {"speech": ACTIVITY.schema["speech"], "leak": ACTIVITY.schema["leak"], "dialogue_id": pl.String}
    return ACTIVITY.conform(pl.DataFrame(rows, schema_overrides=types)) if rows else ACTIVITY.empty()


def words_of(logs: Sequence[Log]) -> pl.DataFrame:
    """The words of the segments that have text, spread evenly over them."""
    rows = []
    for log in logs:
        for channel, segments in (("model", log.model), ("user", log.user)):
            index = 0
            for segment in segments:
                if len(segment) < 3:
                    continue
                start, end, text = segment
                parts = text.split()
                edges = [(to_ms(start) + to_ms(end - start) * n // len(parts)) / 1000 for n in range(len(parts) + 1)]
                for word, begin, stop in zip(parts, edges, edges[1:], strict=False):
                    rows.append((log.name, channel, index, word, begin, stop))
                    index += 1
    columns = ["dialogue_id", "channel", "word_index", "text", "start_s", "end_s"]
    frame = pl.DataFrame(rows, schema={c: WORDS.schema[c] for c in columns}, orient="row")
    return WORDS.conform(frame.with_columns(pl.lit("given").alias("timing_source"), pl.lit("test").alias("asr")))


def turns_of(logs: Sequence[Log], rules: TurnRules | None = None) -> pl.DataFrame:
    names = [log.name for log in logs]
    return TURNS.conform(find_turns(activity_of(logs), words_of(logs), names, rules or TurnRules()))


def events_of(logs: Sequence[Log], rules: IssueRules | None = None) -> pl.DataFrame:
    names = [log.name for log in logs]
    rows = find_events(activity_of(logs), turns_of(logs), words_of(logs), names, rules or IssueRules())
    return TIMING_EVENTS.conform(rows)


def found(log: Log, *kinds: str) -> list[tuple[str, str, float]]:
    """(event, subtype, t) of one dialogue's events of these kinds, in order of time; faults (B, C) if none is named."""
    rows = events_of([log]).filter(pl.col("event").is_in(kinds or ("B", "C"))).sort("t_s", "event")
    return rows.select("event", "subtype", "t_s").rows()


def _laid_out(steps: list[tuple[int, int]], start: int) -> list[tuple[float, float]]:
    spans, t = [], start
    for gap, length in steps:
        spans.append(((t + gap) / 1000, (t + gap + length) / 1000))
        t += gap + length
    return spans


WORD_POOL = ("yeah", "okay.", "bye.", "what", "the", "sure?", "water", "mm", "goodbye", "to", "thanks.", "rain.")
step = st.tuples(st.integers(0, 4500), st.integers(20, 4000))
side = st.lists(step, max_size=9)


@st.composite
def logs(draw: st.DrawFn, name: str = "d") -> Log:
    """A random dialogue on a grid of 1 ms; each side's segments may carry words or not."""
    sides = []
    for _ in range(2):
        spans: list[Segment] = list(_laid_out(draw(side), draw(st.integers(0, 2000))))
        if draw(st.booleans()):
            text = st.lists(st.sampled_from(WORD_POOL), min_size=1, max_size=4).map(" ".join)
            spans = [(s[0], s[1], draw(text)) if draw(st.booleans()) else s for s in spans]
        sides.append(spans)
    end = max((s[1] for spans in sides for s in spans), default=0.0)
    return Log(sides[0], sides[1], round(end + draw(st.integers(1, 6000)) / 1000, 3), name)


@st.composite
def batches(draw: st.DrawFn) -> list[Log]:
    return [draw(logs(f"d{i}")) for i in range(draw(st.integers(1, 5)))]
