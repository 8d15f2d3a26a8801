"""`duplex-miner judges`: how far a judge can be trusted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import polars as pl
import typer

from judges.agreement import SAMPLES
from judges.settings import FlagConfig
from schemas.content_issues import CONTENT_ISSUES
from schemas.table import Table
from schemas.timing_events import ISSUE_EVENTS, TIMING_EVENTS
from schemas.verdicts import TIMING_AXES, VERDICTS
from store.commands import setting_changes
from store.console import DEFAULT_STORE, Installation, JsonOption, RunOption, StoreOption, out, print_json
from store.layout import Store, StoreError
from store.ledger import describe_variant
from store.parts import scan_rows
from store.resolve import Resolver
from store.runs import Run, active_run, load_run

judges_app = typer.Typer(
    help="Say how far the judge agrees with people, with itself and with the detector.", no_args_is_help=True
)

SamplesOption = Annotated[
    int, typer.Option("--samples", min=0, help="Bootstrap samples behind each interval; 0: none.")
]

_GRADES = ("dialogue_id", "turn_index", "axis", "t_s", "score", "problematic", "unscored")


@judges_app.command("calibrate")
def calibrate(
    context: typer.Context,
    labels: Annotated[
        Path,
        typer.Argument(
            help="JSONL, CSV or Parquet: dialogue_id, turn_index or t_s, axis, score[, rater, problematic]."
        ),
    ],
    store: StoreOption = DEFAULT_STORE,
    run: RunOption = None,
    tolerance_s: Annotated[
        float, typer.Option("--tolerance-s", min=0, help="Distance of a label's t_s from its reply's start, seconds.")
    ] = 0.5,
    samples: SamplesOption = SAMPLES,
    as_json: JsonOption = False,
) -> None:
    """Compare the verdicts of a run with scores that people gave."""
    from judges.agreement_view import describe, print_calibration  # what other commands need not load
    from judges.calibrate import calibrate as calibrate_labels
    from judges.labels import read_labels

    read = read_labels(labels)
    if read.is_empty():
        raise StoreError(f"{labels} holds no labels: score some replies first (docs/judges-calibrate.md)")
    opened, chosen, resolver = _open(context, store, run)
    verdicts = _judged(opened, chosen, resolver, only=read["dialogue_id"].unique())
    max_score = _max_score(opened, chosen)
    found = calibrate_labels(read, verdicts, max_score=max_score, tolerance_s=tolerance_s, samples=samples)
    if len(found.unmatched) == found.labels:
        raise StoreError(
            f"no label of {labels} stands beside a verdict of run {chosen.name}; {describe(found.unmatched[0])}: "
            "`duplex-miner show DIALOGUE --json` lists a dialogue's turns"
        )
    if as_json:
        print_json({"run": chosen.name, "max_score": max_score, **asdict(found)})
        return
    print_calibration(out(), found, str(labels), max_score)


@judges_app.command("agree")
def agree(
    context: typer.Context,
    against: Annotated[str, typer.Option("--against", help="The other run.")],
    store: StoreOption = DEFAULT_STORE,
    run: RunOption = None,
    samples: SamplesOption = SAMPLES,
    as_json: JsonOption = False,
) -> None:
    """Compare the verdicts of two runs: the judge with itself, asked again or asked in another order."""
    from judges.agreement_view import print_consistency
    from judges.consistency import consistency

    opened, first, mine = _open(context, store, run)
    _, second, theirs = _open(context, store, against)
    rows = [_judged(opened, chosen, resolver) for chosen, resolver in ((first, mine), (second, theirs))]
    if first.tables[VERDICTS.name] == second.tables[VERDICTS.name]:
        raise StoreError(
            f"runs {first.name} and {second.name} share their verdicts, made with the same settings: judge once more "
            "under another name with others, e.g. `duplex-miner judge --run again --set judge.seed=1`"
        )
    max_score = _max_score(opened, first)
    found = consistency(*rows, max_score=max_score, samples=samples)
    if not found.compared:
        raise StoreError(
            f"runs {first.name} and {second.name} scored no reply in common: see `duplex-miner runs diff "
            f"{first.name} {second.name}`"
        )
    changed = setting_changes(opened, VERDICTS.name, first, second)
    if as_json:
        runs = {"run": first.name, "against": second.name, "changed": changed, "max_score": max_score}
        print_json({**runs, **asdict(found)})
        return
    print_consistency(out(), found, (first.name, second.name), changed, max_score)


@judges_app.command("timing")
def timing(
    context: typer.Context,
    store: StoreOption = DEFAULT_STORE,
    run: RunOption = None,
    examples: Annotated[int, typer.Option("--examples", min=0, help="Disagreements to show, of each kind.")] = 5,
    samples: SamplesOption = SAMPLES,
    as_json: JsonOption = False,
) -> None:
    """Compare the judge's two timing axes with the faults of timing that the detector found."""
    from judges.against_detector import timing_agreement
    from judges.agreement_view import print_timing

    opened, chosen, resolver = _open(context, store, run)
    detected = resolver.done(TIMING_EVENTS.name).select("dialogue_id")
    judged = _judged(opened, chosen, resolver, only=detected["dialogue_id"], more=("justification",))
    of_timing = judged.filter(pl.col("axis").is_in([axis.value for axis in TIMING_AXES]))
    if of_timing.is_empty():
        raise StoreError(
            f"run {chosen.name} judged no timing in dialogues that the detector has done: add "
            f"{' and '.join(TIMING_AXES)} to judge.axes and run again (`duplex-miner status` says what is done)"
        )
    events = _rows(
        opened, resolver, TIMING_EVENTS, TIMING_EVENTS.schema.names(), only=resolver.done(VERDICTS.name)["dialogue_id"]
    )
    faults = events.filter(pl.col("event").is_in([event.value for event in ISSUE_EVENTS]))
    max_score = _max_score(opened, chosen)
    found = timing_agreement(of_timing, faults, max_score=max_score, examples=examples, samples=samples)
    if as_json:
        print_json({"run": chosen.name, "max_score": max_score, "axes": [asdict(one) for one in found]})
        return
    print_timing(out(), found, max_score)


def _open(context: typer.Context, store: str, run: str | None) -> tuple[Store, Run, Resolver]:
    installation: Installation = context.obj
    opened = Store.open(store)
    chosen = load_run(opened, run) if run else active_run(opened)
    return opened, chosen, Resolver(opened, installation.flow, chosen.tables)


def _judged(
    store: Store, run: Run, resolver: Resolver, *, only: pl.Series | None = None, more: Sequence[str] = ()
) -> pl.DataFrame:
    """Rows of ``verdicts`` of these dialogues, or of all. Raises StoreError where the run has none at all."""
    if resolver.done(VERDICTS.name).is_empty():
        raise StoreError(
            f"run {run.name} has no verdicts: set judge.client and run `duplex-miner judge` (docs/judge.md)"
        )
    return _rows(store, resolver, VERDICTS, (*_GRADES, *more), only)


def _rows(
    store: Store, resolver: Resolver, table: Table, columns: Sequence[str], only: pl.Series | None
) -> pl.DataFrame:
    units = resolver.done(table.name)
    if only is not None:
        units = units.filter(pl.col("dialogue_id").is_in(only.implode()))
    return scan_rows(store, table, units).select(columns).collect()


def _max_score(store: Store, run: Run) -> int:
    """Scores up to this are faults in this run: what its flags were made with, or the default before there are any."""
    variant = run.tables.get(CONTENT_ISSUES.name)
    if variant is None:
        return FlagConfig().max_score
    config: Any = describe_variant(store, CONTENT_ISSUES.name, variant)["config"]
    return int(config["max_score"])
