"""What is put before a judge: a dialogue's turns as they were heard, and which of them it is asked about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from schemas.verdicts import Axis


@dataclass(frozen=True)
class Turn:
    """One row of ``turns``. ``text`` is empty where nothing was understood.

    ``overlap_s``: seconds of its speech during which the other side spoke too.
    """

    index: int
    channel: str
    kind: str
    start_s: float
    end_s: float
    text: str
    overlap_s: float = 0.0

    @property
    def is_reply(self) -> bool:
        """Whether it is judged at all: an utterance of the model. Its backchannels are not."""
        return self.channel == "model" and self.kind == "utterance"


@dataclass(frozen=True)
class Dialogue:
    """The turns of a dialogue in order of their starts, and what its header says."""

    dialogue_id: str
    turns: tuple[Turn, ...]
    language: str = ""
    persona: str = ""

    def replies(self) -> tuple[Turn, ...]:
        """The turns that are judged."""
        return tuple(turn for turn in self.turns if turn.is_reply)


@dataclass(frozen=True)
class Question:
    """What a judge is asked, as data: clients that read no prompts (heuristic, mock) answer from it."""

    dialogue: Dialogue
    ask: tuple[int, ...]
    axes: tuple[Axis, ...]


def dialogues_of(headers: pl.DataFrame, turns: pl.DataFrame) -> Iterator[Dialogue]:
    """Every dialogue of a batch (rows of ``dialogues`` and ``turns``), in the order of the headers."""
    by_dialogue = turns.sort("dialogue_id", "turn_index").partition_by("dialogue_id", as_dict=True)
    for row in headers.select("dialogue_id", "language", "persona").iter_rows(named=True):
        own = by_dialogue.get((row["dialogue_id"],))
        rows = [] if own is None else own.to_dicts()
        yield Dialogue(row["dialogue_id"], _turns(rows), row["language"] or "", row["persona"] or "")


def _turns(rows: Sequence[Mapping[str, Any]]) -> tuple[Turn, ...]:
    speech = {
        channel: [(span["start_s"], span["end_s"]) for row in rows if row["channel"] == channel for span in row["ipus"]]
        for channel in ("model", "user")
    }
    other = {"model": _Spoken(speech["user"]), "user": _Spoken(speech["model"])}
    return tuple(
        Turn(
            row["turn_index"],
            row["channel"],
            row["kind"],
            row["start_s"],
            row["end_s"],
            row["text"] or "",
            other[row["channel"]].during(row["ipus"]),
        )
        for row in rows
    )


class _Spoken:
    """How long a side has spoken up to any moment: linear inside its IPUs, flat between them."""

    def __init__(self, spans: Sequence[tuple[float, float]]) -> None:
        bounds = np.array(sorted(spans), dtype=np.float64).reshape(-1, 2)
        length = bounds[:, 1] - bounds[:, 0]
        before = np.cumsum(length) - length
        self._t = bounds.ravel()
        self._spoken = np.column_stack([before, before + length]).ravel()

    def during(self, ipus: Sequence[Mapping[str, float]]) -> float:
        """Seconds of speech inside the given spans."""
        if not len(self._t) or not ipus:
            return 0.0
        bounds = np.array([(span["start_s"], span["end_s"]) for span in ipus])
        spoken = np.interp(bounds, self._t, self._spoken)
        return float((spoken[:, 1] - spoken[:, 0]).sum())
