"""The corpus figures of runs and models: read from a store, laid side by side, printed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import polars as pl
from rich.table import Table as RichTable

from miner.figures import Figures
from miner.mine import make_engine
from miner.settings import Execution
from schemas.dialogues import DIALOGUES
from schemas.figures import FIGURES, SIDES
from schemas.timing_events import TIMING_EVENTS, Event
from schemas.turns import TURNS
from store.console import StageProgress, out
from store.layout import Store, StoreError
from store.lock import writing
from store.parts import read_rows, scan_rows
from store.resolve import Flow, Resolver
from store.runner import Runner
from store.runs import Run
from timing.corpus import CORPUS_FIGURES, PEOPLE, corpus_figures

UNKNOWN = "unknown"
"""Group of the dialogues that do not say what they are grouped by."""


class By(StrEnum):
    """What dialogues can be grouped by: columns of the table ``dialogues``."""

    MODEL = "model_id"
    CHECKPOINT = "model_checkpoint"
    LANGUAGE = "language"
    VOICE = "voice"
    SOURCE = "source_id"


@dataclass(frozen=True)
class Report:
    """Corpus figures by group (``timing.corpus.corpus_figures``), and dialogues that have none."""

    rows: pl.DataFrame
    without: int


def bring_up_to_date(store: Store, run: Run, flow: Flow, execution: Execution, *, quiet: bool) -> Resolver:
    """Count what the run's table ``figures`` lacks; only read when it lacks nothing. Returns the run's tables."""
    stage = Figures()
    if run.tables.get(FIGURES.name) == stage.variant:
        resolver = Resolver(store, flow, run.tables)
        if resolver.units(FIGURES.name).height == resolver.inputs(stage.reads, ()).height:
            return resolver
    engine = make_engine(execution)
    try:
        with writing(store), StageProgress(quiet=quiet) as progress:
            runner = Runner(store, run, flow, engine, progress)
            runner.run_stage(stage)
    finally:
        engine.close()
    return runner.resolver()


def report(runs: Mapping[str, Resolver], by: By | None = None, models: Sequence[str] = ()) -> Report:
    """Figures of the dialogues of some runs, by run (where there are several) and by what ``by`` says.

    ``models`` leaves out all others. Groups stand in the order of the runs, then of the models, then of their names.
    """
    groups = _Groups(by, tuple(models), len(runs) > 1)
    found = [_read(run, resolver, groups) for run, resolver in runs.items()]
    rows = corpus_figures(
        pl.concat([one.figures for one in found]),
        pl.concat([one.transfers for one in found]),
        pl.concat([one.yields for one in found]),
    )
    order = [group for one in found for group in one.order]
    rows = rows.sort(pl.col("group").replace_strict(order, range(len(order)), return_dtype=pl.Int64))
    return Report(rows, sum(one.without for one in found))


@dataclass(frozen=True)
class _Groups:
    by: By | None
    models: tuple[str, ...]
    name_run: bool

    def of(self, run: str) -> pl.Expr:
        """The group of a dialogue of a run."""
        if self.by is None:
            return pl.lit(run)
        value = pl.col(self.by.value).fill_null(UNKNOWN)
        return pl.concat_str(pl.lit(f"{run} "), value) if self.name_run else value

    def order(self, names: Sequence[str], run: str) -> list[str]:
        """Group names of a run in the order they are shown."""
        wanted = [f"{run} {model}" if self.name_run else model for model in self.models]
        return sorted(names, key=lambda name: (wanted.index(name) if name in wanted else 0, name))


@dataclass(frozen=True)
class _Read:
    figures: pl.DataFrame
    transfers: pl.DataFrame
    yields: pl.DataFrame
    order: list[str]
    without: int


def _read(run: str, resolver: Resolver, groups: _Groups) -> _Read:
    """What the figures of a run are made from, with a column ``group``."""
    store = resolver.store
    columns = list(dict.fromkeys(["dialogue_id", By.MODEL.value, *([groups.by.value] if groups.by else [])]))
    known = scan_rows(store, DIALOGUES, resolver.done(DIALOGUES.name)).select(columns).collect()
    models = known[By.MODEL].drop_nulls().unique().sort().to_list()
    if missing := [model for model in groups.models if model not in models]:
        raise StoreError(
            f"run {run} has no dialogue of model {', '.join(missing)}; it has {', '.join(models) or 'none named'}"
        )
    chosen = known.filter(pl.col(By.MODEL).is_in(groups.models)) if groups.models else known
    own = chosen.select("dialogue_id", groups.of(run).alias("group"))
    figures = read_rows(store, FIGURES, resolver.done(FIGURES.name)).join(own, on="dialogue_id", how="inner")
    if figures.is_empty():
        raise StoreError(f"run {run} has no figures yet: mine it with `duplex-miner run --run {run}`")
    with_figures = figures.lazy().select("dialogue_id", "group")
    transfers = (
        scan_rows(store, TURNS, resolver.done(TURNS.name))
        .filter(pl.col("fto_s").is_not_null())
        .select("dialogue_id", "channel", "fto_s")
        .join(with_figures, on="dialogue_id", how="inner")
    )
    yields = (
        scan_rows(store, TIMING_EVENTS, resolver.done(TIMING_EVENTS.name))
        .filter(pl.col("event") == Event.BARGE_IN.value)
        .select("dialogue_id", (pl.col("end_s") - pl.col("t_s")).round(3).alias("yield_s"))
        .join(with_figures, on="dialogue_id", how="inner")
    )
    return _Read(
        figures,
        transfers.select("group", "channel", "fto_s").collect(),
        yields.select("group", "yield_s").collect(),
        groups.order(figures["group"].unique().to_list(), run),
        chosen.height - figures.height,
    )


def as_json(made: Report) -> dict[str, Any]:
    """The report for scripts: per group each side's figures, and those of people."""
    groups = []
    for row in made.rows.iter_rows(named=True):
        sides = {
            side: {f.name: row[f"{side}_{f.name}"] for f in CORPUS_FIGURES if f"{side}_{f.name}" in row}
            for side in SIDES
        }
        groups.append({"group": row["group"], "dialogues": row["dialogues"], "minutes": row["minutes"], **sides})
    return {"groups": groups, "people": PEOPLE, "without_figures": made.without}


def print_report(made: Report) -> None:
    """One line per figure; two columns per group, model and user; people last."""
    table = RichTable(box=None, pad_edge=False, header_style="bold")
    table.add_column("figure", no_wrap=True)
    rows = made.rows.to_dicts()
    several = len(rows) > 1
    for row in rows:
        for side in SIDES:
            table.add_column(f"{row['group']}\n{side}" if several else side, justify="right")
    table.add_column("people", justify="right")
    if not several:
        table.add_column("what it is")
    table.add_row("dialogues", *(cell for row in rows for cell in (f"{row['dialogues']:,}", "")), "", "")
    table.add_row(
        "minutes", *(cell for row in rows for cell in (f"{row['minutes']:,.1f}", "")), "", "length of the logs"
    )
    for figure in CORPUS_FIGURES:
        cells = [_cell(figure.name, row.get(f"{side}_{figure.name}")) for row in rows for side in SIDES]
        doc = () if several else (figure.doc,)
        table.add_row(figure.name, *cells, _cell(figure.name, PEOPLE.get(figure.name)), *doc)
    console = out()
    console.print(table)
    if made.without:
        console.print(f"{made.without:,} dialogues have no figures: `duplex-miner status` says why", markup=False)


def _cell(name: str, value: float | None) -> str:
    if value is None:
        return ""
    if name.endswith("_n"):
        return f"{value:,}"
    if name.endswith("_share"):
        return f"{100 * value:.2f} %"
    return f"{value:,.1f}" if name == "words_per_min" else f"{value:.3f}"
