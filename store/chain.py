"""How a stage is put into the chain: each room lists its steps, `cli.py` puts them together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from schemas.table import Table
from store.layout import Store
from store.resolve import Flow
from store.stage import Stage


@dataclass(frozen=True)
class Site:
    """Where a command works: the store, and where the sources lie whose logs are in it."""

    store: Store
    roots: Mapping[str, str]


def _never(settings: Any) -> str | None:
    del settings
    return None


@dataclass(frozen=True)
class Step:
    """A stage and how it is made from the settings of the whole chain.

    ``make`` is None for the source, which is made from the logs a command names. ``left_out`` says why `run` leaves the
    stage out with these settings; None: it runs.
    """

    stage: type[Stage]
    make: Callable[[Any, Site], Stage] | None
    left_out: Callable[[Any], str | None] = _never


@dataclass(frozen=True)
class Chain:
    """The steps of every room, in the order the data flows."""

    steps: tuple[Step, ...]

    @classmethod
    def of(cls, steps: Iterable[Step], tables: Mapping[str, Table]) -> Chain:
        """Put steps into the order of the tables they write."""
        order = list(tables)
        return cls(tuple(sorted(steps, key=lambda step: order.index(step.stage.writes.name))))

    @property
    def stages(self) -> list[type[Stage]]:
        """The stages, in order."""
        return [step.stage for step in self.steps]

    @property
    def flow(self) -> Flow:
        """What each table is made from."""
        return Flow.of(self.stages)

    def named(self, names: Iterable[str]) -> list[Step]:
        """The steps of these stages, in order."""
        wanted = set(names)
        return [step for step in self.steps if step.stage.name in wanted]


def run_steps(steps: Sequence[Step], settings: Any, made: Iterable[str]) -> tuple[list[Step], list[str]]:
    """What `run` does with these settings, and why it leaves out what it leaves out.

    A stage that reads what only a left-out stage writes is left out as well, unless an earlier run has ``made`` it.
    """
    kept: list[Step] = []
    reasons: list[str] = []
    lacking: set[str] = set()
    there = set(made)
    for step in steps:
        reason = step.left_out(settings)
        if reason is not None:
            reasons.append(reason)
        if reason is not None or any(table.name in lacking for table in step.stage.reads):
            lacking |= {step.stage.writes.name} - there
        else:
            kept.append(step)
    return kept, reasons
