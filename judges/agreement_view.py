"""What the `judges` commands print."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from judges.against_detector import JUDGE_ONLY, TimingAgreement
from judges.agreement import Agreement, Cells, Estimate
from judges.calibrate import Calibration, Unmatched
from judges.consistency import Consistency

_SHOWN = 5
_FIGURES = ("exact", "within 1", "kappa", "rho", "rho within", "prec.", "recall")
_WIDE = 115
"""Cells a terminal needs for intervals on one line."""


def print_calibration(console: Console, found: Calibration, against: str, max_score: int) -> None:
    """Calibration against the labels of a file."""
    raters = f" of {found.raters} raters" if found.raters > 1 else ""
    console.print(f"{found.labels:,} labels{raters} in {against}: {found.compared:,} compared", markup=False)
    for line in _apart(found):
        console.print(line, markup=False)
    if found.judge:
        console.print("\nthe judge beside people; precision and recall: of its flags, people for the truth")
        console.print(agreement_table(found.judge, console.width))
        _print_not_applicable(console, found.judge, "the judge", "people")
    else:
        console.print("\nno label stands beside a score of the judge: score replies that it scored, and run this again")
    if found.people:
        console.print("\npeople beside each other, every two raters of a reply; neither is the truth")
        console.print(agreement_table(found.people, console.width))
    if found.judge or found.people:
        _print_key(console, max_score)


def print_consistency(
    console: Console, found: Consistency, runs: tuple[str, str], changed: Sequence[str], max_score: int
) -> None:
    """Two runs of the judge. ``changed``: settings that differ between them."""
    first, second = runs
    console.print(f"run {first} beside run {second}: {found.compared:,} verdicts compared", markup=False)
    for line in changed:
        console.print(f"  {line}", markup=False)
    for count, what in (
        (found.unscored_first, f"unscored in {first} alone"),
        (found.unscored_second, f"unscored in {second} alone"),
        (found.unscored_both, "unscored in both"),
        (found.only_first, f"only in {first}: other turns, dialogues or axes"),
        (found.only_second, f"only in {second}: other turns, dialogues or axes"),
    ):
        if count:
            console.print(f"  {count:,} {what}", markup=False)
    console.print(f"\nprecision and recall: of the flags of {first}, taking {second} for the truth", markup=False)
    console.print(agreement_table(found.agreement, console.width))
    _print_not_applicable(console, found.agreement, first, second)
    _print_key(console, max_score)


def print_timing(console: Console, found: Sequence[TimingAgreement], max_score: int) -> None:
    """The judge's timing axes beside the detector."""
    for one in found:
        fault = one.event
        console.print(f"{one.axis}: the judge beside the detector's {fault}, {one.n:,} replies scored")
        table = RichTable("", f"detector: {fault}", f"no {fault}", box=None, pad_edge=False, header_style="bold")
        table.add_row("judge: fault", f"{one.flags.both:,}", f"{one.flags.first_only:,}")
        table.add_row("no fault", f"{one.flags.second_only:,}", f"{one.flags.neither:,}")
        console.print(table)
        figures = (("precision", one.precision), ("recall", one.recall), ("kappa", one.kappa))
        console.print(", ".join(f"{name} {_inline(figure)}" for name, figure in figures))
        for count, what in (
            (one.unscored, "replies unscored: in no figure"),
            (one.not_applicable, "replies scored -1 (does not apply): no fault"),
            (one.no_reply, f"{fault} of the detector at no judged reply: in no figure"),
        ):
            if count:
                console.print(f"{count:,} {what}")
        if one.examples:
            console.print("disagreements to look at with `duplex-miner show DIALOGUE`:")
            console.print(_examples(one))
        console.print()
    console.print(
        f"{_flag_words(max_score)}. Precision and recall: of the judge's flags, the detector for the truth.",
        style="dim",
    )


def _examples(found: TimingAgreement) -> RenderableType:
    table = RichTable(box=None, pad_edge=False, header_style="bold")
    for name in ("flagged by", "dialogue", "turn", "t_s", "score", "why"):
        table.add_column(name, justify="right" if name in ("turn", "t_s", "score") else "left", overflow="fold")
    for one in found.examples:
        why = one.justification if one.flagged_by == JUDGE_ONLY else f"{found.event} {one.subtype}"
        cells = (one.flagged_by, one.dialogue_id, str(one.turn_index), f"{one.t_s:.2f}", str(one.score), why)
        table.add_row(*map(Text, cells))
    return table


def agreement_table(rows: Sequence[Agreement], width: int) -> RenderableType:
    """One row per axis; under each figure its interval, on two lines where ``width`` (cells) is small."""
    table = RichTable(box=None, pad_edge=False, header_style="bold")
    for name in ("axis", "n", "dial.", *_FIGURES):
        table.add_column(name, justify="left" if name == "axis" else "right", overflow="fold")
    between = ".." if width >= _WIDE else "\n"
    for one in rows:
        figures = [one.exact, one.within_one, one.kappa, one.spearman, one.spearman_within, one.precision, one.recall]
        shown = [_stacked(figure, between) for figure in figures]
        if one.within:
            shown[4] = _stacked(one.spearman_within, between, f" ({one.within:,})")
        table.add_row(one.axis, f"{one.n:,}", f"{one.dialogues:,}", *shown)
    return table


def _print_key(console: Console, max_score: int) -> None:
    console.print(
        f"\n{_flag_words(max_score)}. Kappa: quadratic weights. Rho: Spearman's, over all rows, and within a dialogue "
        "(mean of so many, weighted by rows). Below each figure: its 95 % interval, drawn by dialogue. -: not defined.",
        style="dim",
    )


def _flag_words(max_score: int) -> str:
    return "Flagged: called problematic" + (f", or a score of {max_score} or less" if max_score >= 0 else "")


def _print_not_applicable(console: Console, rows: Sequence[Agreement], first: str, second: str) -> None:
    per_axis = rows[:-1] if len(rows) > 1 else rows
    odd = [(one.axis, one.applies) for one in per_axis if _not_applicable(one.applies)]
    if odd:
        console.print("does not apply (-1): in no figure of scores, and no flag", markup=False)
    for axis, applies in odd:
        counts = (
            f"{applies.neither:,} by both",
            f"{applies.second_only:,} by {first} alone",
            f"{applies.first_only:,} by {second} alone",
        )
        console.print(f"  {axis}: {', '.join(counts)}", markup=False)


def _not_applicable(applies: Cells) -> int:
    return applies.neither + applies.first_only + applies.second_only


def _apart(found: Calibration) -> Iterator[str]:
    """The labels that were not compared, and why."""
    if found.open:
        yield f"  {found.open:,} without a score: left open by their raters"
    if found.again:
        yield f"  {found.again:,} given again for the same reply and axis: the last counts (name raters in `rater`)"
    for axis, reasons in found.unscored.items():
        said = ", ".join(f"{reason} {count:,}" for reason, count in reasons.items())
        yield f"  {sum(reasons.values()):,} unscored by the judge on {axis}: {said}"
    if found.unmatched:
        yield f"  {len(found.unmatched):,} match no verdict:"
        yield from (f"    {describe(one)}" for one in found.unmatched[:_SHOWN])
        if len(found.unmatched) > _SHOWN:
            yield "    ... (all of them with --json)"


def describe(one: Unmatched) -> str:
    """A label that matches nothing, in words."""
    where = f"at {one.t_s:g} s" if one.turn_index is None else f"turn {one.turn_index}"
    return f"row {one.row}: {one.dialogue_id}, {where}, {one.axis}: {one.why}"


def _stacked(figure: Estimate, between: str, after: str = "") -> Text:
    if figure.value is None:
        return Text("-")
    shown = Text(f"{figure.value:.2f}{after}")
    if figure.low is not None:
        shown.append(f"\n{figure.low:.2f}{between}{figure.high:.2f}", style="dim")
    return shown


def _inline(figure: Estimate) -> str:
    if figure.value is None:
        return "-"
    return f"{figure.value:.2f}" + ("" if figure.low is None else f" ({figure.low:.2f}..{figure.high:.2f})")
