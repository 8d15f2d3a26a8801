"""`duplex-miner ingest|listen|transcribe|turns|detect|pairs`, `run` and `show`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import polars as pl
import typer

from miner.ingest.detect import KINDS, open_source
from miner.mine import CHAIN, mine
from miner.settings import Settings
from miner.show import DialogueView
from miner.summary import count_found, print_found
from store.console import (
    DEFAULT_STORE,
    EXIT_QUARANTINED,
    Installation,
    JsonOption,
    RunOption,
    StageProgress,
    StoreOption,
    out,
    print_json,
    quarantine_lines,
    report_dict,
)
from store.layout import Store, StoreError
from store.ledger import QUARANTINED
from store.parts import read_rows
from store.resolve import Resolver
from store.runner import StageReport
from store.runs import active_run, load_run, open_run
from store.settings import load_settings

LogsArgument = Annotated[str, typer.Argument(help="Folder of logs or manifest (.jsonl); fsspec URLs work too.")]
ModelChannelOption = Annotated[
    str | None, typer.Option("--model-channel", help="left or right: the model's channel in stereo files.")
]
KindOption = Annotated[
    str | None, typer.Option("--kind", help=f"Layout of the logs, else found out: {', '.join(KINDS)}.")
]
SourceOption = Annotated[
    str | None, typer.Option("--source", help="Name of this source in the store; without it the folder's name.")
]
ConfigOption = Annotated[Path | None, typer.Option("--config", "-c", help="Settings file (TOML, docs/settings.md).")]
SetOption = Annotated[list[str] | None, typer.Option("--set", help="One setting, e.g. detect.no_response_s=2.5.")]
WorkersOption = Annotated[int | None, typer.Option("--workers", "-j", min=1, help="Tasks at once; default: all cores.")]
EngineOption = Annotated[str | None, typer.Option("--engine", help="local (processes) or ray.")]
RetryOption = Annotated[
    bool, typer.Option("--retry-quarantined", help="Try again what was quarantined by these settings.")
]


def ingest(
    logs: LogsArgument,
    store: StoreOption = DEFAULT_STORE,
    model_channel: ModelChannelOption = None,
    kind: KindOption = None,
    source: SourceOption = None,
    run: RunOption = None,
    config: ConfigOption = None,
    settings: SetOption = None,
    workers: WorkersOption = None,
    engine: EngineOption = None,
    retry_quarantined: RetryOption = False,
    as_json: JsonOption = False,
) -> None:
    """Take in logs: check every file and write the table `dialogues`."""
    loaded = _settings(config, settings, workers, engine)
    logs_source = open_source(logs, kind=kind, model_channel=model_channel, source_id=source)
    opened = Store.create(store, n_buckets=loaded.execution.buckets)
    with StageProgress(quiet=as_json) as progress:
        mine(
            opened,
            loaded,
            ["ingest"],
            run_name=run,
            source=logs_source,
            progress=progress,
            retry_quarantined=retry_quarantined,
        )
    _finish(progress.reports, as_json)


def run_all(
    context: typer.Context,
    logs: Annotated[
        str | None, typer.Argument(help="Folder of logs or manifest (.jsonl); without it, the logs taken in before.")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    model_channel: ModelChannelOption = None,
    kind: KindOption = None,
    source: SourceOption = None,
    run: RunOption = None,
    config: ConfigOption = None,
    settings: SetOption = None,
    workers: WorkersOption = None,
    engine: EngineOption = None,
    retry_quarantined: RetryOption = False,
    as_json: JsonOption = False,
) -> None:
    """Mine logs from audio to preference pairs: ingest, listen, transcribe, turns, detect, pairs.

    Run it again at any time: what is done is kept, what changed is computed, a killed run goes on.
    """
    installation: Installation = context.obj
    loaded = _settings(config, settings, workers, engine)
    logs_source = None
    if logs is not None:
        logs_source = open_source(logs, kind=kind, model_channel=model_channel, source_id=source)
        opened = Store.create(store, n_buckets=loaded.execution.buckets)
    else:
        opened = Store.open(store)
    with StageProgress(quiet=as_json) as progress:
        mine(
            opened,
            loaded,
            [stage.name for stage in CHAIN],
            run_name=run,
            source=logs_source,
            progress=progress,
            retry_quarantined=retry_quarantined,
        )
    found = count_found(opened, open_run(opened, run), installation.flow)
    if not as_json:
        print_found(found, opened)
    _finish(progress.reports, as_json, found)


def add_stage_commands(app: typer.Typer) -> None:
    """One command per stage after `ingest`, each with the same options."""
    for stage in CHAIN[1:]:
        app.command(stage.name, help=f"{(stage.__doc__ or '').splitlines()[0]}")(_stage_command(stage.name))


def _stage_command(name: str):  # type: ignore[no-untyped-def]
    def command(
        store: StoreOption = DEFAULT_STORE,
        run: RunOption = None,
        config: ConfigOption = None,
        settings: SetOption = None,
        workers: WorkersOption = None,
        engine: EngineOption = None,
        retry_quarantined: RetryOption = False,
        as_json: JsonOption = False,
    ) -> None:
        loaded = _settings(config, settings, workers, engine)
        with StageProgress(quiet=as_json) as progress:
            mine(
                Store.open(store),
                loaded,
                [name],
                run_name=run,
                source=None,
                progress=progress,
                retry_quarantined=retry_quarantined,
            )
        _finish(progress.reports, as_json)

    return command


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
        known = ", ".join(resolver.done("dialogues")["dialogue_id"].head(5))
        raise StoreError(f"run {chosen.name} has no dialogue {dialogue!r}; it has {known or 'none'}, ...")
    if as_json:
        print_json({name: frame.to_dicts() for name, frame in rows.items()})
        return
    out().print(DialogueView.of(rows, all_events=all_events))


def _settings(config: Path | None, settings: list[str] | None, workers: int | None, engine: str | None) -> Settings:
    overrides = list(settings or [])
    if workers is not None:
        overrides.append(f"execution.workers={workers}")
    if engine is not None:
        overrides.append(f"execution.engine={engine}")
    return load_settings(Settings, config, overrides)


def _finish(reports: list[StageReport], as_json: bool, found: dict[str, dict[str, int]] | None = None) -> None:
    """Print what is left to print and leave with the right code: 3 when some dialogues are quarantined."""
    reasons = Counter[str]()
    for report in reports:
        reasons.update(report.quarantined)
    if as_json:
        print_json({"stages": [report_dict(report) for report in reports], **(found or {})})
    elif reasons:
        console = out()
        console.print("quarantined:")
        console.print("\n".join(quarantine_lines(reasons)), markup=False)
    raise typer.Exit(EXIT_QUARANTINED if reasons else 0)
