"""A dialogue as a person reads it: both lanes on one clock, with what was found where it happened."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
from rich.console import Console, ConsoleOptions, RenderResult
from rich.markup import escape
from rich.table import Table as RichTable
from rich.text import Text

_STYLE = {"model": "cyan", "user": "green"}
_ISSUE_STYLE = {"A": "bold yellow", "B": "bold red", "C": "bold magenta"}
_EXPLAIN = {
    "cut_in": "the model talks over the user",
    "pause_takeover": "the model takes over in a pause of the user",
    "cut_off": "the model cuts the user off",
    "no_response": "the model leaves the user without an answer",
    "late": "the model answers late",
    "barge_in": "the user barges in",
    "D1": "the model talks on over a barge-in",
    "E": "the model yields to a backchannel",
    "I": "the model repeats itself",
    "J": "the reply breaks off",
    "K": "the model speaks to nobody",
    "L": "long talk-over",
    "slow_answer": "slow answer",
    "terminal_overlap": "overlap at the turn's end",
    "censored": "the log ends before an answer was due",
}


@dataclass(frozen=True)
class DialogueView:
    """Everything `show` draws of one dialogue: rows of each table as plain dicts, in order of time."""

    dialogue: Mapping[str, Any]
    activity: Sequence[Mapping[str, Any]]
    turns: Sequence[Mapping[str, Any]]
    events: Sequence[Mapping[str, Any]]
    pairs: Sequence[Mapping[str, Any]]
    all_events: bool = False

    @classmethod
    def of(cls, tables: Mapping[str, pl.DataFrame], *, all_events: bool) -> DialogueView:
        """From the rows of one dialogue, by table name."""
        return cls(
            tables["dialogues"].to_dicts()[0],
            tables["activity"].to_dicts(),
            tables["turns"].to_dicts(),
            [*tables["content_issues"].sort("t_s").to_dicts(), *tables["timing_events"].sort("t_s").to_dicts()],
            tables["pairs"].sort("t0_s").to_dicts(),
            all_events,
        )

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text(self._headline(), style="bold")
        yield from self._strips(options.max_width)
        yield Text()
        yield self._lanes()
        if self.pairs:
            yield Text()
            yield self._pair_table()

    def _headline(self) -> str:
        dialogue = self.dialogue
        facts = [f"{dialogue['duration_s']:.1f} s", f"{dialogue['sample_rate_hz'] / 1000:g} kHz"]
        facts += [str(dialogue[key]) for key in ("model_id", "language") if dialogue[key]]
        for side in self.activity:
            if side["leak_db"] is not None:
                facts.append(f"model leaks into the {side['channel']}'s channel at {side['leak_db']:.0f} dB")
        facts += [f"warning: {warning}" for warning in dialogue["warnings"]]
        return f"{dialogue['dialogue_id']}   {', '.join(facts)}"

    def _strips(self, width: int) -> Iterator[Text]:
        """The whole dialogue on one line per side, and the faults under it."""
        duration = self.dialogue["duration_s"]
        cells = max(20, min(width - 8, 110))
        for side in sorted(self.activity, key=lambda row: row["channel"]):
            filled = [False] * cells
            for segment in side["speech"]:
                first = int(segment["start_s"] / duration * cells)
                last = max(first + 1, round(segment["end_s"] / duration * cells))
                filled[first:last] = [True] * (min(last, cells) - first)
            bar = "".join("█" if cell else "·" for cell in filled)
            yield Text(f"{side['channel']:<6} ") + Text(bar, style=_STYLE[side["channel"]])
        marks = [" "] * cells
        for event in self.events:
            if event["issue_type"]:
                marks[min(cells - 1, int(event["t_s"] / duration * cells))] = event["issue_type"]
        yield Text("faults ") + Text("".join(marks), style="bold red")

    def _lanes(self) -> RichTable:
        table = RichTable(box=None, pad_edge=False, header_style="bold", expand=True)
        table.add_column("time (s)", justify="right", no_wrap=True)
        table.add_column("MODEL", ratio=1, overflow="fold")
        table.add_column("USER", ratio=1, overflow="fold")
        for _, kind, row in sorted(self._rows(), key=lambda item: (item[0], item[1])):
            if kind == 0:
                said = Text(_said(row), style=_STYLE[row["channel"]])
                lanes = (said, "") if row["channel"] == "model" else ("", said)
                table.add_row(f"{row['start_s']:.2f}-{row['end_s']:.2f}", *lanes)
            else:
                label = Text(_label(row), style=_ISSUE_STYLE.get(row["issue_type"] or "", "dim"))
                lanes = (label, "") if row["issue_type"] != "C" else ("", label)
                table.add_row(Text(f"{row['t_s']:.2f}", style="dim"), *lanes)
        return table

    def _rows(self) -> Iterator[tuple[float, int, Mapping[str, Any]]]:
        for turn in self.turns:
            yield turn["start_s"], 0, turn
        quiet = {"pause", "gap", "overlap_between", "overlap_within"}
        for event in self.events:
            if event["issue_type"] or self.all_events or event["event"] not in quiet:
                yield event["t_s"], 1, event

    def _pair_table(self) -> RichTable:
        table = RichTable("pair", "type", "t0 (s)", "status", "chosen", "rejected", box=None, header_style="bold")
        for pair in self.pairs:
            reason = f" ({pair['status_reason']})" if pair["status_reason"] else ""
            table.add_row(
                pair["pair_id"][:8],
                f"{pair['pair_type']} {pair['subtype']}",
                f"{pair['t0_s']:.2f}",
                escape(pair["status"] + reason),
                _side(pair["chosen_speech"], pair["chosen_words"], pair["chosen_end_s"]),
                _side(pair["rejected_speech"], pair["rejected_words"], pair["rejected_end_s"]),
            )
        return table


def _said(turn: Mapping[str, Any]) -> str:
    text = turn["text"] or f"[{turn['end_s'] - turn['start_s']:.1f} s of speech]"
    return f"({text})" if turn["kind"] == "backchannel" else text


def _label(event: Mapping[str, Any]) -> str:
    return _content_label(event) if event["issue_type"] == "A" else _timing_label(event)


def _content_label(issue: Mapping[str, Any]) -> str:
    worst, *others = issue["axes"]
    reason = json.loads(issue["evidence"])[worst]
    also = f"; {', '.join(others)} too" if others else ""
    return f"◆ A {worst}: {reason['justification']} (score {reason['score']}{also})"


def _timing_label(event: Mapping[str, Any]) -> str:
    name = event["subtype"] or event["event"]
    what = _EXPLAIN.get(event["subtype"]) or _EXPLAIN.get(event["event"]) or event["event"].replace("_", " ")
    numbers = ", ".join(
        f"{key} {value:g}" if isinstance(value, float | int) and not isinstance(value, bool) else f"{key} {value}"
        for key, value in json.loads(event["evidence"]).items()
        if value is not None
    )
    head = f"◆ {event['issue_type']} {name}" if event["issue_type"] else f"◇ {name}"
    return f"{head}: {what} ({numbers})" if numbers else f"{head}: {what}"


def _side(speech: Sequence[Mapping[str, Any]], words: Sequence[Mapping[str, Any]], end_s: float | None) -> str:
    if end_s is None:
        return "-"
    if not speech:
        return f"silence to {end_s:.2f}"
    text = " ".join(word["text"] for word in words)
    span = f"{speech[0]['start_s']:.2f}-{speech[-1]['end_s']:.2f}"
    return escape(f"{span} {text}".strip())
