"""What is put before a rewriter: a place where a dialogue went wrong, and how it got there."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from judges.dialogue import Dialogue, Turn, dialogues_of
from schemas.verdicts import CONTENT_AXES, Axis
from timing.places import places


@dataclass(frozen=True)
class Note:
    """What the judge said of the faulty reply on one axis."""

    axis: str
    score: int
    justification: str


@dataclass(frozen=True)
class Fault:
    """A place that a pair can be made of (``timing.places``).

    ``dialogue`` goes as far as what began before ``t0_s``, with the model's faulty ``reply`` (none for a silence) at
    its end. ``asked`` is the user turn to be answered. ``judged_fine``: the judge found the reply's content adequate.
    ``whole``: the reply was not broken off.
    """

    issue_id: str
    pair_type: str
    subtype: str
    t0_s: float
    rank: int
    dialogue: Dialogue
    reply: Turn | None
    asked: Turn | None
    notes: tuple[Note, ...] = ()
    judged_fine: bool = False
    whole: bool = True

    @property
    def has_content(self) -> bool:
        """Whether the content of the reply is at fault."""
        return self.pair_type.startswith("A")

    @property
    def needs_reply(self) -> bool:
        """Whether there is no logged reply that could be used at another time."""
        return self.has_content or self.reply is None or self.subtype == "cut_off"

    @property
    def reply_may_stay(self) -> bool:
        """Whether only the time of the reply is at fault: it answers a request that was finished, to its own end."""
        return not self.needs_reply and self.whole


def faults_of(
    headers: pl.DataFrame,
    turns: pl.DataFrame,
    timing_events: pl.DataFrame,
    content_issues: pl.DataFrame,
    verdicts: pl.DataFrame,
    adequate_score: int,
) -> Iterator[Fault]:
    """Every place of a batch, by dialogue and rank, from rows of the tables of these names."""
    found = places(timing_events, content_issues)
    own = turns.join(found, "dialogue_id", "semi")
    told = {
        dialogue.dialogue_id: dialogue for dialogue in dialogues_of(headers.join(found, "dialogue_id", "semi"), own)
    }
    rows = {
        (row["dialogue_id"], row["turn_index"]): row["is_complete"]
        for row in own.select("dialogue_id", "turn_index", "is_complete").iter_rows(named=True)
    }
    fine = _judged_fine(verdicts, adequate_score)
    notes = {row["issue_id"]: _notes(row["evidence"]) for row in content_issues.iter_rows(named=True)}
    for place in found.iter_rows(named=True):
        dialogue = told[place["dialogue_id"]]
        reply = (dialogue.dialogue_id, place["turn_index"])
        yield _fault(place, dialogue, rows.get(reply), reply in fine, notes.get(place["content_issue_id"], ()))


def _fault(
    place: Mapping[str, Any], dialogue: Dialogue, is_complete: bool | None, fine: bool, notes: tuple[Note, ...]
) -> Fault:
    by_index = {turn.index: turn for turn in dialogue.turns}
    reply, asked = by_index.get(place["turn_index"]), by_index.get(place["user_turn_index"])
    t0_s: float = place["t0_s"]
    before = [turn for turn in dialogue.turns if turn is not reply and (turn.start_s < t0_s or turn is asked)]
    return Fault(
        place["issue_id"],
        place["pair_type"],
        place["subtype"],
        t0_s,
        place["rank"],
        replace(dialogue, turns=(*before, *([] if reply is None else [reply]))),
        reply,
        asked,
        notes,
        judged_fine=fine,
        whole=reply is not None and _is_whole(reply, is_complete, dialogue),
    )


def _is_whole(reply: Turn, is_complete: bool | None, dialogue: Dialogue) -> bool:
    """Whether a reply came to its end: its words do not leave it open, and nobody made it stop.

    The user made it stop by beginning to speak during it, or by speaking on past its end, where no words tell that it
    was over.
    """
    if is_complete is False:
        return False
    users = [turn for turn in dialogue.turns if turn.channel == "user" and turn.kind == "utterance"]
    if any(reply.start_s < turn.start_s < reply.end_s for turn in users):
        return False
    gave_way = any(turn.start_s < reply.end_s < turn.end_s for turn in users)
    return is_complete is True or not gave_way


def _judged_fine(verdicts: pl.DataFrame, adequate_score: int) -> set[tuple[str, int]]:
    """Turns that the judge scored on helpfulness and found nothing wrong with on any axis of content."""
    scored = verdicts.filter(pl.col("axis").is_in([axis.value for axis in CONTENT_AXES]) & (pl.col("score") >= 0))
    fine = scored.group_by("dialogue_id", "turn_index").agg(
        ((pl.col("score") >= adequate_score) & ~pl.col("problematic")).all().alias("fine"),
        (pl.col("axis") == Axis.HELPFULNESS.value).any().alias("helps"),
    )
    return set(fine.filter(pl.col("fine") & pl.col("helps")).select("dialogue_id", "turn_index").iter_rows())


def _notes(evidence: str) -> tuple[Note, ...]:
    """The judge's reasons, as ``content_issues.evidence`` has them."""
    said: dict[str, dict[str, Any]] = json.loads(evidence)
    return tuple(Note(axis, one["score"], one["justification"] or "") for axis, one in said.items())
