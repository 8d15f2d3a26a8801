"""`duplex-miner show`: one dialogue, readable in a terminal."""

from __future__ import annotations

from typing import Annotated

import polars as pl
import typer

from miner.show import DialogueView
from store.console import DEFAULT_STORE, Installation, JsonOption, RunOption, StoreOption, out, print_json
from store.layout import Store, StoreError
from store.ledger import QUARANTINED
from store.parts import read_rows
from store.resolve import Resolver
from store.runs import active_run, load_run


def show(
    context: typer.Context,
    dialogue: Annotated[str, typer.Argument(help="Id of the dialogue.")],
    store: StoreOption = DEFAULT_STORE,
    run: RunOption = None,
    all_events: Annotated[bool, typer.Option("--all", help="Pauses, gaps and overlaps too.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show a dialogue: both lanes on one clock, faults and events where they happened, and its pairs."""
    installation: Installation = context.obj
    opened = Store.open(store)
    chosen = load_run(opened, run) if run else active_run(opened)
    resolver = Resolver(opened, installation.flow, chosen.tables)
    own = pl.col("dialogue_id") == dialogue
    units = {name: resolver.units(name).filter(own) for name in installation.tables}
    failed = {name: found.filter(pl.col("status") == QUARANTINED) for name, found in units.items()}
    rows = {
        name: read_rows(opened, table, resolver.done(name).filter(own)) for name, table in installation.tables.items()
    }
    for name, bad in failed.items():
        for unit in bad.to_dicts():
            out().print(f"{dialogue}: quarantined, no {name}: {unit['reason']} ({unit['detail']})", markup=False)
    if rows["dialogues"].is_empty():
        if any(bad.height for bad in failed.values()):
            return
        known = ", ".join(resolver.done("dialogues")["dialogue_id"].sort().head(5))
        raise StoreError(f"run {chosen.name} has no dialogue {dialogue!r}; it has {known or 'none'}, ...")
    if as_json:
        print_json({name: frame.to_dicts() for name, frame in rows.items()})
        return
    out(piped_width=120).print(DialogueView.of(rows, all_events=all_events), soft_wrap=False)
