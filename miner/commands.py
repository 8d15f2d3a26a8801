"""`duplex-miner ingest`, one command for each stage after it, and `run`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from miner.figures import Figures
from miner.ingest.detect import KINDS, open_source
from miner.ingest.ingest import Ingest
from miner.ingest.refs import Source, SourceError
from miner.mine import mine
from miner.redact import how_names_are_found
from miner.settings import Settings
from miner.summary import count_found, print_found
from miner.transcribe import Transcribe
from store.chain import Chain, Step, run_steps
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
from store.layout import Store
from store.resolve import Resolver
from store.runner import StageReport
from store.runs import known_tables
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
MovedOption = Annotated[bool, typer.Option("--moved", help="The source's folder moved: these are the same logs.")]
ConfigOption = Annotated[Path | None, typer.Option("--config", "-c", help="Settings file (TOML, docs/settings.md).")]
SetOption = Annotated[list[str] | None, typer.Option("--set", help="One setting, e.g. detect.no_response_ms=2500.")]
WorkersOption = Annotated[int | None, typer.Option("--workers", "-j", min=1, help="Tasks at once; default: all cores.")]
EngineOption = Annotated[str | None, typer.Option("--engine", help="local (processes) or ray.")]
AsrOption = Annotated[
    str | None,
    typer.Option("--asr", help="Who hears the words: auto, faster-whisper, openai-whisper, pocketsphinx, given."),
]
RetryOption = Annotated[
    bool, typer.Option("--retry-quarantined", help="Try again what was quarantined by these settings.")
]


@dataclass(frozen=True)
class _Logs:
    """What a command says of the logs to take in."""

    path: str
    model_channel: str | None
    kind: str | None
    source: str | None
    moved: bool


@dataclass(frozen=True)
class _How:
    """What every mining command says of the run and of the work."""

    store: str
    run: str | None
    config: Path | None
    settings: list[str] | None
    workers: int | None
    engine: str | None
    retry_quarantined: bool
    as_json: bool
    asr: str | None = None


def ingest(
    context: typer.Context,
    logs: LogsArgument,
    store: StoreOption = DEFAULT_STORE,
    model_channel: ModelChannelOption = None,
    kind: KindOption = None,
    source: SourceOption = None,
    moved: MovedOption = False,
    run: RunOption = None,
    config: ConfigOption = None,
    settings: SetOption = None,
    workers: WorkersOption = None,
    engine: EngineOption = None,
    retry_quarantined: RetryOption = False,
    as_json: JsonOption = False,
) -> None:
    """Take in logs: check every file and write the table `dialogues`."""
    how = _How(store, run, config, settings, workers, engine, retry_quarantined, as_json)
    mined = _mine(context.obj, [Ingest.name], how, _Logs(logs, model_channel, kind, source, moved))
    _finish(mined.reports, as_json)


def run_all(
    context: typer.Context,
    logs: Annotated[
        str | None, typer.Argument(help="Folder of logs or manifest (.jsonl); without it, the logs taken in before.")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    model_channel: ModelChannelOption = None,
    kind: KindOption = None,
    source: SourceOption = None,
    moved: MovedOption = False,
    run: RunOption = None,
    config: ConfigOption = None,
    settings: SetOption = None,
    asr: AsrOption = None,
    workers: WorkersOption = None,
    engine: EngineOption = None,
    retry_quarantined: RetryOption = False,
    as_json: JsonOption = False,
) -> None:
    """Mine logs from audio to preference pairs: every stage in its order.

    Content faults are looked for when a judge is configured (judge.client), replies are written when a rewriter is
    (rewrite.client).
    Run it again at any time: what is done is kept, what changed is computed, a killed run goes on.
    """
    how = _How(store, run, config, settings, workers, engine, retry_quarantined, as_json, asr)
    taken_in = None if logs is None else _Logs(logs, model_channel, kind, source, moved)
    mined = _mine(context.obj, None, how, taken_in)
    found = count_found(mined.store, mined.resolver)
    if not as_json:
        print_found(found, mined.store)
        for reason in mined.left_out:
            out().print(f"note:    {reason}", markup=False)
    _finish(mined.reports, as_json, {**found, "left_out": mined.left_out})


def add_stage_commands(app: typer.Typer, chain: Chain) -> None:
    """One command per stage after `ingest`, each with the same options; `figures` has its own, which prints them."""
    for stage in chain.stages[1:]:
        if stage is Figures:
            continue
        command = transcribe if stage is Transcribe else _stage_command(stage.name)
        app.command(stage.name, help=(stage.__doc__ or "").splitlines()[0])(command)


def transcribe(
    context: typer.Context,
    store: StoreOption = DEFAULT_STORE,
    run: RunOption = None,
    config: ConfigOption = None,
    settings: SetOption = None,
    asr: AsrOption = None,
    workers: WorkersOption = None,
    engine: EngineOption = None,
    retry_quarantined: RetryOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write the words of each channel."""
    how = _How(store, run, config, settings, workers, engine, retry_quarantined, as_json, asr)
    _finish(_mine(context.obj, [Transcribe.name], how, None).reports, as_json)


def _stage_command(name: str) -> Callable[..., None]:
    def command(
        context: typer.Context,
        store: StoreOption = DEFAULT_STORE,
        run: RunOption = None,
        config: ConfigOption = None,
        settings: SetOption = None,
        workers: WorkersOption = None,
        engine: EngineOption = None,
        retry_quarantined: RetryOption = False,
        as_json: JsonOption = False,
    ) -> None:
        how = _How(store, run, config, settings, workers, engine, retry_quarantined, as_json)
        _finish(_mine(context.obj, [name], how, None).reports, as_json)

    return command


@dataclass(frozen=True)
class _Mined:
    """What a command did, the tables of its run after it, and why `run` left stages out."""

    store: Store
    reports: list[StageReport]
    resolver: Resolver
    left_out: list[str]


def _mine(installation: Installation, stages: list[str] | None, how: _How, logs: _Logs | None) -> _Mined:
    """Run the named stages; without names all that the settings ask for."""
    overrides = list(how.settings or [])
    if how.workers is not None:
        overrides.append(f"execution.workers={how.workers}")
    if how.engine is not None:
        overrides.append(f"execution.engine={how.engine}")
    if how.asr is not None:
        overrides.append(f"transcribe.asr={how.asr}")
    settings = load_settings(installation.settings, how.config, overrides)
    assert isinstance(settings, Settings)
    if stages is None or Transcribe.name in stages:
        settings = settings.resolved()
        if settings.transcribe.redact.enabled and not how.as_json:
            redact = settings.transcribe.redact
            out().print(f"personal data is redacted by {redact.versions}; {how_names_are_found(redact)}", markup=False)
    source = None
    if logs is not None:
        source = _source(logs)
        if next(_source(logs).refs(), None) is None:
            raise SourceError(f"no logs in {source.root}: it holds nothing that a {source.kind} source lists")
        store = Store.create(how.store, n_buckets=settings.execution.buckets)
    else:
        store = Store.open(how.store)
    steps, left_out = _steps(installation.chain, stages, settings, store, how.run)
    with StageProgress(quiet=how.as_json) as progress:
        reports, resolver = mine(
            store,
            settings,
            steps,
            flow=installation.flow,
            run_name=how.run,
            source=source,
            progress=progress,
            retry_quarantined=how.retry_quarantined,
            moved=logs is not None and logs.moved,
        )
    if source is not None and source.skipped and not how.as_json:
        passed_over = ", ".join(f"{count:,} {what}" for what, count in source.skipped.items())
        out().print(f"passed over in {source.root}: {passed_over}", markup=False)
    return _Mined(store, reports, resolver, left_out)


def _steps(
    chain: Chain, stages: list[str] | None, settings: Settings, store: Store, run: str | None
) -> tuple[list[Step], list[str]]:
    if stages is not None:
        return chain.named(stages), []
    return run_steps(chain.steps, settings, made=known_tables(store, run))


def _source(logs: _Logs) -> Source:
    return open_source(logs.path, kind=logs.kind, model_channel=logs.model_channel, source_id=logs.source)


def _finish(reports: list[StageReport], as_json: bool, found: Mapping[str, object] | None = None) -> None:
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
