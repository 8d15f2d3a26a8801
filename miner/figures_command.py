"""`duplex-miner figures`: corpus figures of runs and models, and the measures of Full-Duplex-Bench."""

from __future__ import annotations

from typing import Annotated

import typer

from miner.commands import WorkersOption
from miner.figures_report import By, as_json, bring_up_to_date, print_report, report
from miner.full_duplex_bench import measure
from miner.full_duplex_bench_report import print_sets, summarise
from miner.settings import Execution
from store.console import DEFAULT_STORE, Installation, JsonOption, StoreOption, print_json
from store.layout import Store, StoreError
from store.runs import active_run, load_run


def figures(
    context: typer.Context,
    store: StoreOption = DEFAULT_STORE,
    run: Annotated[str | None, typer.Option("--run", help="Name of the run; without it the active one.")] = None,
    against: Annotated[str | None, typer.Option("--against", help="Another run, to lay beside it.")] = None,
    by: Annotated[By | None, typer.Option("--by", help="A column of figures for each value of this.")] = None,
    models: Annotated[
        str | None, typer.Option("--models", help="Only these models, side by side: ids, with commas between.")
    ] = None,
    full_duplex_bench: Annotated[
        str | None,
        typer.Option("--full-duplex-bench", help="Measure a Full-Duplex-Bench folder instead (v1, v1.5); no store."),
    ] = None,
    compat: Annotated[
        bool, typer.Option("--compat", help="With --full-duplex-bench: as its own scripts compute it, quirks and all.")
    ] = False,
    reference: Annotated[
        str | None,
        typer.Option("--reference", help="With --full-duplex-bench: its icc_gt_distribution.json, for the JSD."),
    ] = None,
    workers: WorkersOption = None,
    json_output: JsonOption = False,
) -> None:
    """Print how a corpus takes turns: floor transfer offsets, pauses, gaps, overlaps, rates of faults, beside people.

    Counts what the table `figures` lacks first.
    """
    if full_duplex_bench is not None:
        sets = summarise(measure(full_duplex_bench, reference, compat=compat), compat=compat)
        if json_output:
            print_json(sets)
        else:
            print_sets(sets)
        return
    if compat or reference is not None:
        raise typer.BadParameter("--compat and --reference go with --full-duplex-bench FOLDER", param_hint="--compat")
    if models is not None and by not in (None, By.MODEL):
        raise typer.BadParameter("--models lays models side by side; leave --by out", param_hint="--by")
    installation: Installation = context.obj
    opened = Store.open(store)
    runs = [load_run(opened, run) if run else active_run(opened)]
    if against is not None:
        runs.append(load_run(opened, against))
        if against == runs[0].name:
            raise StoreError(f"--against names the run itself, {against!r}: `duplex-miner runs` lists the others")
    execution = Execution() if workers is None else Execution(workers=workers)
    tables = {one.name: bring_up_to_date(opened, one, installation.flow, execution, quiet=json_output) for one in runs}
    chosen = list(dict.fromkeys(model.strip() for model in models.split(","))) if models is not None else []
    made = report(tables, By.MODEL if chosen else by, chosen)
    if json_output:
        print_json(as_json(made))
    else:
        print_report(made)
