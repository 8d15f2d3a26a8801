"""The mining chain: its stages in order, and how one command brings some of them up to date."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice

import polars as pl

from audio.asr.choose import Choice, choose
from miner.detect import Detect
from miner.figures import Figures
from miner.ingest.ingest import Ingest
from miner.ingest.refs import Source, refs_frame
from miner.listen import Listen
from miner.pairs import Pairs
from miner.settings import Execution, Settings
from miner.tokens import Tokens
from miner.transcribe import Transcribe
from miner.turns import Turns
from store.chain import Site, Step
from store.engines.base import Engine
from store.engines.local import InlineEngine, LocalEngine
from store.layout import Store
from store.lock import writing
from store.resolve import Flow, Resolver, tombstones
from store.runner import Progress, Runner, StageReport
from store.runs import activate, active_name, open_run
from store.sources import register_source, source_roots
from store.stage import Stage

CHAIN: tuple[type[Stage], ...] = (Ingest, Listen, Tokens, Transcribe, Turns, Detect, Figures, Pairs)

FLOW = Flow.of(CHAIN)

_REFS_AT_ONCE = 20_000

_BUILD: Mapping[str, Callable[[Settings, Mapping[str, str]], Stage]] = {
    Listen.name: lambda settings, roots: Listen(settings.listen, sources=roots),
    Tokens.name: lambda settings, roots: Tokens(settings.tokens, sources=roots),
    Transcribe.name: lambda settings, roots: Transcribe(
        settings.transcribe, choice=recogniser(settings), sources=roots, how=settings.execution.asr_work()
    ),
    Turns.name: lambda settings, roots: Turns(settings.turns),
    Detect.name: lambda settings, roots: Detect(settings.detect),
    Figures.name: lambda settings, roots: Figures(),
    Pairs.name: lambda settings, roots: Pairs(settings.pairs),
}


def _step(stage: type[Stage]) -> Step:
    build = _BUILD.get(stage.name)
    return Step(stage, None if build is None else lambda settings, site: build(settings, site.roots))


STEPS = tuple(_step(stage) for stage in CHAIN)


def mine(
    store: Store,
    settings: Settings,
    steps: Sequence[Step],
    *,
    flow: Flow,
    run_name: str | None,
    source: Source | None,
    progress: Progress,
    retry_quarantined: bool = False,
    moved: bool = False,
) -> tuple[list[StageReport], Resolver]:
    """Bring the stages of a run up to date, in the order of the steps. Returns reports, and the run's tables.

    ``source`` is what `ingest` lists; without one `ingest` is left out and the logs already taken in are used.
    """
    with writing(store):
        run = open_run(store, run_name)
        if active_name(store) is None or run_name is not None:
            activate(store, run.name)
        engine = make_engine(settings.execution)
        runner = Runner(store, run, flow, engine, progress, retry_quarantined)
        reports = []
        try:
            taken_in = source if any(step.stage is Ingest for step in steps) else None
            if taken_in is not None:
                register_source(store, taken_in.source_id, taken_in.kind, taken_in.root, moved=moved)
            site = Site(store, source_roots(store))
            # Before anything runs, so that a setting that cannot be met is told at once.
            made = [step.make(settings, site) for step in steps if step.make is not None]
            if taken_in is not None:
                reports.append(_take_in(runner, settings, taken_in))
            for stage in made:
                if stage.told:
                    progress.note(stage.told)
                reports.append(runner.run_stage(stage))
        finally:
            engine.close()
        return reports, runner.resolver()


def _take_in(runner: Runner, settings: Settings, source: Source) -> StageReport:
    graves = tombstones(runner.store)
    ingest = Ingest(settings.ingest, root=source.root, source_id=source.source_id, forgotten=graves)
    return runner.run_source(ingest, _listing(source), source.source_id)


def _listing(source: Source) -> Iterator[pl.DataFrame]:
    """What a source lists, some ten thousand logs at a time."""
    refs = source.refs()
    while chunk := list(islice(refs, _REFS_AT_ONCE)):
        yield refs_frame(chunk)


def recogniser(settings: Settings) -> Choice:
    """Who hears the words by these settings. Raises MissingBackendError or ModelMissingError."""
    asked = settings.transcribe
    return choose(asked.asr, asked.model, download=settings.execution.asr.download)


def make_engine(execution: Execution) -> Engine:
    """The engine the settings ask for."""
    if execution.engine == "ray":
        from store.engines.ray import RayEngine

        return RayEngine(execution.workers, execution.ray_address)
    return InlineEngine() if execution.workers == 1 else LocalEngine(execution.workers)
