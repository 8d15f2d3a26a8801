"""The one Protocol behind which tasks run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from store.work import Task, TaskResult


@dataclass(frozen=True)
class WorkerLost:
    """The process that ran a task died (out of memory, a native crash). Nothing is known of the task itself."""

    detail: str


class Engine(Protocol):
    """Runs tasks in any order, a bounded number at once, and yields each with what came of it."""

    @property
    def workers(self) -> int:
        """How many tasks run at once."""
        ...

    def map(
        self, function: Callable[[Task], TaskResult], tasks: Iterable[Task]
    ) -> Iterator[tuple[Task, TaskResult | WorkerLost]]:
        """Run ``function`` on every task. ``tasks`` is drawn from lazily."""
        ...

    def close(self) -> None:
        """Let the workers go."""
        ...
