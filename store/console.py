"""What commands print: progress to stderr, results to stdout; pictures on a terminal, plain lines or JSON in a pipe."""

from __future__ import annotations

import json
import os
import sys
import time
from dataclasses import asdict, dataclass, field
from types import TracebackType
from typing import Annotated, Any

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from schemas.reasons import WHAT_TO_DO, Reason
from schemas.table import Table
from store.chain import Chain
from store.resolve import Flow
from store.runner import StageReport
from store.work import TaskResult

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_QUARANTINED = 3

StoreOption = Annotated[
    str, typer.Option("--store", "-s", envvar="DUPLEX_MINER_STORE", help="Folder or fsspec URL of the store.")
]
RunOption = Annotated[str | None, typer.Option("--run", help="Name of the run; without it the active one.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
DEFAULT_STORE = "duplex-store"


@dataclass(frozen=True)
class Installation:
    """What `cli.py` wires together for the commands: the tables there are, what makes them, and all settings."""

    chain: Chain
    tables: dict[str, Table]
    settings: type[BaseModel]

    @property
    def flow(self) -> Flow:
        """What each table is made from."""
        return self.chain.flow


def out(piped_width: int = 200) -> Console:
    """Console for results. In a pipe: no colours, and a width of its own unless COLUMNS gives one."""
    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else piped_width
    return Console(width=width, highlight=False, soft_wrap=not sys.stdout.isatty())


def print_json(value: object) -> None:
    """Print a value as JSON."""
    typer.echo(json.dumps(value, indent=1, default=str, ensure_ascii=False))


@dataclass
class StageProgress:
    """Progress of the stages of a command: bars with rate and time left on a terminal, a line per stage elsewhere."""

    quiet: bool = False
    reports: list[StageReport] = field(default_factory=list)
    _bars: Progress | None = None
    _task: TaskID | None = None
    _began: float = 0.0
    _done: int = 0

    def __enter__(self) -> StageProgress:
        console = Console(stderr=True)
        if console.is_terminal and not self.quiet:
            self._bars = Progress(
                TextColumn("{task.description:<10}"),
                BarColumn(bar_width=30),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}"),
                TimeRemainingColumn(),
                console=console,
            )
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars is not None:
            self._bars.stop()
        if kind is KeyboardInterrupt:
            typer.echo("stopped; nothing is lost: the same command goes on where it was", err=True)

    def start(self, stage: str, total: int, done_before: int) -> None:
        """A stage begins, or its next group of buckets."""
        self._began, self._done = time.monotonic(), 0
        if self._bars is not None and total:
            self._task = self._bars.add_task(stage, total=total, rate="")

    def advance(self, result: TaskResult) -> None:
        """A task ended."""
        self._done += result.dialogues
        rate = self._done / max(time.monotonic() - self._began, 1e-6)
        if self._bars is not None and self._task is not None:
            self._bars.update(self._task, advance=result.dialogues, rate=f"{rate:,.1f} dialogues/s")

    def finish(self, report: StageReport) -> None:
        """The stage ended."""
        self.reports.append(report)
        if self._bars is not None:  # above the bars, which the console they live on makes room for
            self._bars.console.print(describe(report), highlight=False)
        elif not self.quiet:
            typer.echo(describe(report), err=True)


def describe(report: StageReport) -> str:
    """One line about a stage."""
    bad = sum(report.quarantined.values())
    extra = "".join(
        f", {count:,} {what}"
        for count, what in ((bad, "quarantined"), (report.blocked, "without input"), (report.forgotten, "forgotten"))
        if count
    )
    return f"{report.stage:<10} {report.computed:>7,} computed, {report.reused:,} up to date{extra}"


def quarantine_lines(reasons: dict[str, int]) -> list[str]:
    """What was quarantined and what to do about it, most frequent first."""
    ordered = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    return [f"  {count:>6,}  {reason:<20} {WHAT_TO_DO[Reason(reason)]}" for reason, count in ordered]


def report_dict(report: StageReport) -> dict[str, Any]:
    """A stage report as plain values."""
    return {**asdict(report), "quarantined": dict(report.quarantined)}
