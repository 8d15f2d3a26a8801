"""Precision and recall of the judge without an LLM on scripted dialogues, per kind of fault.

    python bench/score_heuristic.py --set blind --seed 1 --n 2000
    python bench/score_heuristic.py --truth FOLDER      # truth files with segments and events, as data_samples/truth

A dialogue is some eight exchanges; a third of the replies carry a fault. A reply counts as flagged when a verdict on
a content axis is problematic or scores 1 or less, as the stage `flag` has it. After a wrong or off-topic reply the user
objects in half of the dialogues, asks again in a fifth, and otherwise goes on: more than that the judge cannot see.
"""

from __future__ import annotations

import argparse
import json
import time
import tomllib
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import polars as pl

from judges.heuristic.config import HeuristicConfig
from judges.heuristic.verdicts import heuristic_verdicts
from schemas.ids import unit_draw
from schemas.turns import TURNS
from schemas.verdicts import CONTENT_AXES

HERE = Path(__file__).parent
GOOD = "good"
KINDS = ("rude", "mild", "loop", "garbled", "wrong", "offtopic")
FAULT_SHARE = 0.35
LENGTH = 18
"""Turns after which a dialogue ends."""
COLUMNS = ("dialogue_id", "turn_index", "channel", "kind", "start_s", "end_s", "text")
MAX_SCORE = 1
SETS = ("dev", "first", "second", "third", "fourth", "blind", "unseen", "last")

Line = tuple[str, str, str]
"""Channel, text, and for a reply what it is: good, or ``kind:subtype``."""


class Draw:
    """Choices that depend on the seed and the place alone."""

    def __init__(self, seed: int, place: str) -> None:
        self._seed, self._place, self._n = seed, place, 0

    def unit(self) -> float:
        """A number in [0, 1)."""
        self._n += 1
        return unit_draw(self._seed, f"{self._place}/{self._n}")

    def of(self, items: list[Any]) -> Any:
        """One of the items."""
        return items[int(self.unit() * len(items))]


def loop_of(unit: str, draw: Draw) -> tuple[str, str]:
    """A reply that loops on a sentence, and how."""
    how = draw.of(
        ["twice", "three", "four", "many", "between", "tail", "no punctuation", "one word", "two words", "cut"]
    )
    bare = unit.rstrip(".")
    words = bare.split()
    texts = {
        "twice": f"{unit} {unit}",
        "three": " ".join([unit] * 3),
        "four": " ".join([unit] * 4),
        "many": " ".join([unit] * 9),
        "between": f"{unit} Sure. {unit} Okay, so. {unit}",
        "tail": f"Yes, of course. {bare}" + f" {' '.join(words[-3:])}" * 4 + ".",
        "no punctuation": " ".join([bare.lower()] * 4),
        "one word": f"{bare}" + f" {words[-1]}" * 7,
        "two words": f"{bare}" + f" {' '.join(words[-2:])}" * 5,
        "cut": " ".join([unit] * 3) + " " + " ".join(words[:2]),
    }
    return texts[how], how


def exchange(lines: dict[str, Any], exchanges: list[list[str]], draw: Draw) -> tuple[str, str, str]:
    """What the user asks, what the model replies, and what the reply is."""
    question, answer = (part.replace("| ", "") for part in draw.of(exchanges))
    kind = draw.of(list(KINDS)) if draw.unit() < FAULT_SHARE else GOOD
    if kind == "rude":
        opening = draw.of(["", "", "", "Well, ", "Oh, ", "Listen. ", "No. "])
        return question, opening + draw.of(lines["abusive"]), "rude:abusive"
    if kind == "mild":
        return question, draw.of(lines["mild"]), "rude:mild"
    if kind == "loop":
        looped, how = loop_of(draw.of(lines["loop_unit"]), draw)
        return question, looped, f"loop:{how}"
    if kind != GOOD:
        return question, draw.of(lines[kind]), kind
    which = draw.unit()
    if which < 0.25:
        asked, given = draw.of(lines["asked_good"])
        return asked, given, "good:tricky, asked for"
    return (question, draw.of(lines["good"]), "good:tricky") if which < 0.5 else (question, answer, GOOD)


def reaction(lines: dict[str, Any], question: str, draw: Draw) -> tuple[str, list[Line]]:
    """How the user takes a wrong or off-topic reply, and what is said then."""
    which = draw.unit()
    if which < 0.5:
        objection = draw.of(lines["complaints"]).format(question=question.lower())
        return "objects", [("user", objection, ""), ("model", "I am sorry about that.", GOOD)]
    if which < 0.7:
        return "asks again", [("user", question, ""), ("model", "Let me see.", GOOD)]
    return "goes on", []


def dialogue(lines: dict[str, Any], exchanges: list[list[str]], draw: Draw) -> list[Line]:
    """One scripted dialogue, in which nobody says the same thing twice unless it is meant."""
    said: list[Line] = []
    while len(said) < LENGTH:
        question, answer, truth = exchange(lines, exchanges, draw)
        if {question, answer} & {text for _, text, _ in said}:
            continue
        said.append(("user", question, ""))
        if truth in {"wrong", "offtopic"}:
            heard, then = reaction(lines, question, draw)
            said += [("model", answer, f"{truth}:{heard}"), *then]
            continue
        said.append(("model", answer, truth))
        remark = draw.of(lines["neutral"])
        if draw.unit() < 0.4 and remark not in {text for _, text, _ in said}:
            said.append(("user", remark, ""))
    return said


def scripted(which: str, seed: int, n: int) -> dict[str, list[Line]]:
    """Dialogues of the generator."""
    lines = tomllib.loads((HERE / "heuristic_lines.toml").read_text(encoding="utf-8"))[which]
    exchanges = tomllib.loads((HERE / "dialogue_lines.toml").read_text(encoding="utf-8"))["exchanges"]
    return {f"d{i}": dialogue(lines, exchanges, Draw(seed, f"{which}/{i}")) for i in range(n)}


def from_truth(folder: Path) -> dict[str, list[Line]]:
    """Dialogues of truth files: utterances with their text, faults of type A at their times."""
    found = {}
    for path in sorted(folder.glob("*.json")):
        truth = json.loads(path.read_text(encoding="utf-8"))
        faults = {event["t"]: event["subtype"] for event in truth["events"] if event["type"] == "A"}
        segments = [s for s in truth["segments"] if s["kind"] != "backchannel"]
        found[truth["id"]] = [(s["who"], s["text"], faults.get(s["start"], GOOD)) for s in segments]
    return found


def turns_of(dialogues: dict[str, list[Line]]) -> pl.DataFrame:
    """Rows as in the table ``turns``."""
    rows = [
        (name, i, who, "utterance", 4.0 * i, 4.0 * i + 3, text)
        for name, lines in dialogues.items()
        for i, (who, text, _) in enumerate(lines)
    ]
    return pl.DataFrame(rows, schema={c: TURNS.schema[c] for c in COLUMNS}, orient="row")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", default="last", choices=SETS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--n", type=int, default=2000)
    parser.add_argument("--truth", type=Path)
    parser.add_argument("--misses", type=int, default=0, help="print so many wrong verdicts of each kind")
    args = parser.parse_args()
    dialogues = from_truth(args.truth) if args.truth else scripted(args.set, args.seed, args.n)
    turns = turns_of(dialogues)
    start = time.perf_counter()
    verdicts = heuristic_verdicts(turns, HeuristicConfig())
    took = time.perf_counter() - start
    flags = verdicts.filter(
        pl.col("axis").is_in(list(CONTENT_AXES)), pl.col("problematic") | pl.col("score").is_between(0, MAX_SCORE)
    )
    why: dict[tuple[str, int], dict[str, str]] = defaultdict(dict)
    for name, turn, axis, reason in flags.select("dialogue_id", "turn_index", "axis", "justification").iter_rows():
        why[name, turn][axis] = reason
    replies, flagged, named = Counter[str](), Counter[str](), Counter[tuple[str, str]]()
    shown = Counter[str]()
    for name, lines in dialogues.items():
        for i, (who, text, truth) in enumerate(lines):
            if who != "model":
                continue
            reasons = why.get((name, i), {})
            replies[truth] += 1
            flagged[truth] += bool(reasons)
            said_as = (
                "rude"
                if "tone" in reasons
                else "loop"
                if "Says the same" in reasons.get("helpfulness", "")
                else "other"
                if reasons
                else ""
            )
            named[truth.split(":")[0], said_as] += 1
            if bool(reasons) == truth.startswith(GOOD) and shown[truth] < args.misses:
                shown[truth] += 1
                said_next = lines[i + 1][1] if i + 1 < len(lines) else None
                print(
                    f"[{truth}] {lines[i - 1][1]!r}: {text!r} -> {sorted(set(reasons.values()))}; next: {said_next!r}"
                )
    print(f"{sum(replies.values())} replies of {len(dialogues)} dialogues judged in {took:.1f} s")
    for truth in sorted(replies):
        print(f"{truth:28} {replies[truth]:6}  flagged {flagged[truth] / replies[truth]:7.1%}")
    for kind in ("rude", "loop"):
        hit = named[kind, kind]
        called = sum(n for (_, said_as), n in named.items() if said_as == kind)
        of = sum(n for truth, n in replies.items() if truth.split(":")[0] == kind)
        precision, recall = hit / max(called, 1), hit / max(of, 1)
        f1 = 2 * precision * recall / max(precision + recall, 1e-9)
        print(f"{kind}: P {precision:.3f}  R {recall:.3f}  F1 {f1:.3f}")
    good = sum(n for truth, n in replies.items() if truth.startswith(GOOD))
    print(f"good replies flagged: {sum(n for t, n in flagged.items() if t.startswith(GOOD)) / good:.2%}")


if __name__ == "__main__":
    main()
