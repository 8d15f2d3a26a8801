"""Score found timing issues against planted truth.

    duplex-miner sql "select dialogue_id, issue_type as type, t_s as t from issues" --format jsonl > found.jsonl
    python bench/score_timing.py TRUTH_DIR found.jsonl

TRUTH_DIR holds the ``ID.json`` files of ``generate_dialogues.py``. ``t`` is, for B, the onset of the model's intrusion,
for C the end of the unanswered user turn, for A the onset of the faulty answer. A found issue is right when it lies
within ``--tolerance`` of a planted one of its type in the same dialogue, each used once, nearest pairs first.

Faults and traps named in ``--leave-out`` count on neither side (``cut_off`` can be told from words only, and so can
``goodbye``). Prints precision, recall, F1 and the error of t by type and condition, then every miss and false alarm.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

NEAR_S = 3.0
"""A false alarm is described by what was planted this close to it."""


@dataclass
class Tally:
    """Counts of one type under one condition, and the |dt| of its hits in seconds."""

    hits: int = 0
    misses: int = 0
    false_alarms: int = 0
    errors: list[float] = field(default_factory=list)

    def row(self) -> dict[str, float | int | None]:
        """Precision, recall, F1 and the errors' quantiles; None where nothing was counted."""
        found, planted = self.hits + self.false_alarms, self.hits + self.misses
        return {
            "planted": planted,
            "found": found,
            "precision": round(self.hits / found, 4) if found else None,
            "recall": round(self.hits / planted, 4) if planted else None,
            "f1": round(2 * self.hits / (found + planted), 4) if found + planted else None,
            "median_dt_s": round(float(np.median(self.errors)), 3) if self.errors else None,
            "p95_dt_s": round(float(np.percentile(self.errors, 95)), 3) if self.errors else None,
        }


@dataclass
class Report:
    """All tallies by (type, condition), and the misses and false alarms in words."""

    tallies: dict[tuple[str, str], Tally] = field(default_factory=dict)
    misses: list[str] = field(default_factory=list)
    false_alarms: list[str] = field(default_factory=list)

    def at(self, issue_type: str, condition: str) -> tuple[Tally, Tally]:
        """The tallies that one outcome counts in: its condition's and the total."""
        mine = self.tallies.setdefault((issue_type, condition), Tally())
        return mine, self.tallies.setdefault((issue_type, "all"), Tally())


def match(planted: list[float], found: list[float], tolerance_s: float) -> list[tuple[int, int]]:
    """Pairs (index planted, index found) within the tolerance, nearest first, each index used once."""
    gaps = np.abs(np.subtract.outer(np.array(planted), np.array(found)))
    pairs: list[tuple[int, int]] = []
    for flat in np.argsort(gaps, axis=None, kind="stable"):
        i, j = (int(k) for k in np.unravel_index(flat, gaps.shape))
        if gaps[i, j] > tolerance_s:
            break
        if all(i != a and j != b for a, b in pairs):
            pairs.append((i, j))
    return pairs


def condition_of(truth: dict[str, Any]) -> str:
    """``clean`` or ``noisy``: as the truth says, else noisy when it has noise, leak or a lowered level."""
    condition = truth["condition"]
    harmed = condition.get("snr_db") is not None or condition.get("echo_db") is not None or condition.get("gain_db")
    return str(condition.get("name") or ("noisy" if harmed else "clean"))


def score_dialogue(
    report: Report, truth: dict[str, Any], found: list[dict[str, Any]], left_out: set[str], tolerance_s: float
) -> None:
    """Add one dialogue's outcomes to the report."""
    events, condition = truth["events"], condition_of(truth)
    ignored = [event["t"] for event in events if event["subtype"] in left_out]
    for issue_type in sorted({e["type"] for e in events if e["type"] != "neg"} | {f["type"] for f in found}):
        planted = [e for e in events if e["type"] == issue_type and e["subtype"] not in left_out]
        alarms = [f["t"] for f in found if f["type"] == issue_type]
        pairs = match([e["t"] for e in planted], alarms, tolerance_s)
        hit, used = {i for i, _ in pairs}, {j for _, j in pairs}
        missed = [e for i, e in enumerate(planted) if i not in hit]
        false = [
            t
            for j, t in enumerate(alarms)
            if j not in used and all(abs(t - at) > max(tolerance_s, 1.5) for at in ignored)
        ]
        for tally in report.at(issue_type, condition):
            tally.hits += len(pairs)
            tally.misses += len(missed)
            tally.false_alarms += len(false)
            tally.errors += [abs(planted[i]["t"] - alarms[j]) for i, j in pairs]
        where = f"{truth['id']} ({condition})"
        report.misses += [f"{issue_type} {e['subtype']:<18} {where} at {e['t']:.2f} s" for e in missed]
        report.false_alarms += [f"{issue_type} {where} at {t:.2f} s, {nearest(events, t)}" for t in false]


def nearest(events: list[dict[str, Any]], t: float) -> str:
    """What was planted near ``t``, in words."""
    event = min(events, key=lambda e: abs(e["t"] - t), default=None)
    if event is None or abs(event["t"] - t) > NEAR_S:
        return "nothing planted near it"
    return f"near {event['type']} {event['subtype']} at {event['t']:.2f} s"


def score(truth_dir: Path, found_path: Path, left_out: set[str], tolerance_s: float, types: set[str]) -> Report:
    """Score one file of found issues. Raises ValueError for issues of a dialogue without truth."""
    found: dict[str, list[dict[str, Any]]] = {}
    for line in found_path.read_text().splitlines():
        issue = json.loads(line)
        found.setdefault(issue["dialogue_id"], []).append(issue)
    report = Report()
    for path in sorted(truth_dir.glob("*.json")):
        truth = json.loads(path.read_text())
        truth["events"] = [e for e in truth["events"] if e["type"] in types or e["type"] == "neg"]
        issues = [f for f in found.pop(truth["id"], []) if f["type"] in types]
        score_dialogue(report, truth, issues, left_out, tolerance_s)
    if found:
        raise ValueError(f"no truth for {len(found)} dialogues, such as {min(found)}; is {truth_dir} the right folder?")
    return report


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("truth", type=Path, help="folder of ID.json truth files")
    parser.add_argument("found", type=Path, help="JSONL of dialogue_id, type, t (seconds)")
    parser.add_argument("--tolerance", type=float, default=1.0, help="seconds (default 1.0)")
    parser.add_argument("--types", default="B,C", help="types to score (default B,C)")
    parser.add_argument("--leave-out", default="cut_off", help="subtypes that count on neither side (default cut_off)")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of the table")
    options = parser.parse_args(arguments)
    left_out, types = set(options.leave_out.split(",")), set(options.types.split(","))
    try:
        report = score(options.truth, options.found, left_out, options.tolerance, types)
    except ValueError as error:
        parser.error(str(error))
    rows = {" ".join(key): tally.row() for key, tally in sorted(report.tallies.items())}
    if options.json:
        print(json.dumps({"scores": rows, "misses": report.misses, "false_alarms": report.false_alarms}))
        return
    columns = ("planted", "found", "precision", "recall", "f1", "median_dt_s", "p95_dt_s")
    print(f"{'':10}" + "".join(f"{name:>13}" for name in columns))
    for name, row in rows.items():
        print(f"{name:10}" + "".join(f"{'-' if row[column] is None else row[column]:>13}" for column in columns))
    for title, lines in (("misses", report.misses), ("false alarms", report.false_alarms)):
        print(f"\n{len(lines)} {title}")
        print("".join(f"  {line}\n" for line in lines), end="")


if __name__ == "__main__":
    main()
