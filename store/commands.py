"""`duplex-miner status`, `runs`, `forget`, `compact`."""

from __future__ import annotations

import json
from collections import Counter
from typing import Annotated, Any

import polars as pl
import typer
from rich.table import Table as RichTable

from store import ledger
from store.compact import compact_variant
from store.console import (
    DEFAULT_STORE,
    Installation,
    JsonOption,
    RunOption,
    StoreOption,
    out,
    print_json,
    quarantine_lines,
)
from store.forget import forget as forget_dialogue
from store.layout import Store
from store.lock import writing
from store.resolve import Resolver, tombstones
from store.runs import Run, activate, active_name, active_run, load_run, run_names
from store.sources import source_roots

runs_app = typer.Typer(help="List, choose and compare runs.", invoke_without_command=True)


def status(
    context: typer.Context, store: StoreOption = DEFAULT_STORE, run: RunOption = None, as_json: JsonOption = False
) -> None:
    """Say how far a run is: per table what is done, quarantined and still to do."""
    installation: Installation = context.obj
    opened = Store.open(store)
    chosen = load_run(opened, run) if run else active_run(opened)
    states = table_states(opened, chosen, installation)
    reasons = Counter[str]()
    for state in states:
        reasons.update(state["quarantined"])
    if as_json:
        print_json({"store": opened.url, "run": chosen.name, "tables": states, "forgotten": len(tombstones(opened))})
        return
    table = RichTable(box=None, pad_edge=False, header_style="bold")
    for name in ("table", "dialogues", "rows", "quarantined", "to do", "made by"):
        table.add_column(name, justify="left" if name in ("table", "made by") else "right")
    for state in states:
        bad = sum(state["quarantined"].values())
        cells = [state["done"], state["rows"], bad, state["to_do"]]
        table.add_row(state["table"], *(f"{cell:,}" for cell in cells), state["made_by"])
    console = out()
    console.print(f"store {opened.url}, run {chosen.name}")
    console.print(table)
    if reasons:
        console.print("\nquarantined (SELECT * FROM quarantine says which):")
        console.print("\n".join(quarantine_lines(reasons)), markup=False)
    for source_id, root in source_roots(opened).items():
        console.print(f"source {source_id}: {root}", markup=False)


def table_states(store: Store, run: Run, installation: Installation) -> list[dict[str, Any]]:
    """Per table of a run: dialogues done, rows, quarantined by reason, dialogues still to do, stage and variant."""
    resolver = Resolver(store, installation.flow, run.tables)
    states = []
    for name in installation.tables:
        units = resolver.units(name)
        done = units.filter(pl.col("status") == ledger.DONE)
        required, optional = installation.flow.reads[name]
        ready = resolver.inputs(required, optional).height if required else units.height
        variant = run.tables.get(name)
        failed = units.filter(pl.col("status") == ledger.QUARANTINED)["reason"].to_list()
        states.append(
            {
                "table": name,
                "done": done.height,
                "rows": int(done["n_rows"].sum()),
                "quarantined": dict(Counter(failed)),
                "to_do": ready - units.height,
                "made_by": "-" if variant is None else _made_by(store, name, variant),
                "variant": variant,
            }
        )
    return states


def _made_by(store: Store, table: str, variant: str) -> str:
    described = ledger.describe_variant(store, table, variant)
    return f"{described['stage']} v{described['version']} {variant[:8]}"


@runs_app.callback()
def runs(context: typer.Context, store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """List the runs of a store; `*` marks the one that views read."""
    context.meta["store"] = store
    if context.invoked_subcommand is not None:
        return
    opened = Store.open(store)
    active = active_name(opened)
    found = [load_run(opened, name) for name in run_names(opened)]
    if as_json:
        print_json([{"run": r.name, "active": r.name == active, "tables": r.tables} for r in found])
        return
    table = RichTable("", "run", "created", "tables", box=None, pad_edge=False, header_style="bold")
    for run in found:
        variants = ", ".join(f"{name} {variant[:8]}" for name, variant in run.tables.items())
        table.add_row("*" if run.name == active else "", run.name, run.created_at, variants)
    out().print(table)


@runs_app.command("use")
def use(context: typer.Context, name: Annotated[str, typer.Argument(help="Run to make active.")]) -> None:
    """Make a run the one that `sql`, `show` and `status` read."""
    activate(Store.open(context.meta["store"]), name)
    out().print(f"run {name} is active")


@runs_app.command("diff")
def diff(
    context: typer.Context,
    first: Annotated[str, typer.Argument(help="A run.")],
    second: Annotated[str, typer.Argument(help="Another run.")],
) -> None:
    """Compare two runs: settings that differ, and per table how many dialogues have other rows."""
    installation: Installation = context.obj
    opened = Store.open(context.meta["store"])
    left, right = load_run(opened, first), load_run(opened, second)
    resolvers = [Resolver(opened, installation.flow, run.tables) for run in (left, right)]
    table = RichTable("table", "dialogues", "same rows", "other rows", "only one", box=None, header_style="bold")
    console = out()
    for name in installation.tables:
        mine, theirs = (r.done(name).select("dialogue_id", "output_hash") for r in resolvers)
        both = mine.join(theirs, on="dialogue_id", how="full", coalesce=True)
        same = both.filter(pl.col("output_hash") == pl.col("output_hash_right")).height
        alone = both.filter(pl.col("output_hash").is_null() | pl.col("output_hash_right").is_null()).height
        table.add_row(name, *(f"{n:,}" for n in (both.height, same, both.height - same - alone, alone)))
        for line in _setting_changes(opened, name, left, right):
            console.print(line, markup=False)
    console.print(table)


def _setting_changes(store: Store, table: str, left: Run, right: Run) -> list[str]:
    variants = [run.tables.get(table) for run in (left, right)]
    if None in variants or variants[0] == variants[1]:
        return []
    described = [ledger.describe_variant(store, table, str(variant)) for variant in variants]
    before, after = (_flatten(d["config"]) | {"version": str(d["version"])} for d in described)
    keys = [key for key in after if before.get(key) != after[key]]
    return [f"{described[0]['stage']}.{key}: {before.get(key)} -> {after[key]}" for key in keys]


def _flatten(value: Any, prefix: str = "") -> dict[str, str]:
    if not isinstance(value, dict):
        return {prefix.rstrip("."): json.dumps(value)}
    flat: dict[str, str] = {}
    for key, inner in value.items():
        flat |= _flatten(inner, f"{prefix}{key}.")
    return flat


def forget(
    context: typer.Context,
    dialogue: Annotated[str, typer.Argument(help="Id of the dialogue.")],
    store: StoreOption = DEFAULT_STORE,
    as_json: JsonOption = False,
) -> None:
    """Remove everything derived from a dialogue, in every run, and keep it out for good."""
    installation: Installation = context.obj
    opened = Store.open(store)
    with writing(opened):
        report = forget_dialogue(opened, dialogue, installation.tables)
    if as_json:
        print_json(vars(report))
        return
    console = out()
    if not report.known:
        console.print(f"the store held nothing of {dialogue!r}; it is barred from now on", markup=False)
        return
    console.print(f"forgot {dialogue!r}; it stays out of this store", markup=False)
    for name, rows in report.rows.items():
        console.print(f"  {name}: {rows:,} rows, {report.units[name]} ledger entries")
    if report.cached:
        console.print(f"  cache: {report.cached:,} files of answers")
    console.print("the log itself is yours and was not touched")


def compact(context: typer.Context, store: StoreOption = DEFAULT_STORE) -> None:
    """Merge small files: one part per bucket and table. Rows stay what they are."""
    installation: Installation = context.obj
    opened = Store.open(store)
    merged = 0
    with writing(opened):
        for name, table in installation.tables.items():
            for variant in ledger.variants(opened, name):
                merged += compact_variant(opened, table, variant, above=1)
    out().print(f"compacted {merged} buckets")
