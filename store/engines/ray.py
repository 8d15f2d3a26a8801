"""Ray: the same tasks on a local Ray or on a cluster that shares the store's filesystem."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from store.engines.base import WorkerLost
from store.layout import StoreError
from store.work import Task, TaskResult

_QUEUED_PER_WORKER = 2


class RayEngine:
    """Ray tasks, one CPU each. ``address`` joins a running cluster; without it a local Ray is started."""

    def __init__(self, workers: int, address: str | None = None) -> None:
        try:
            import ray
        except ImportError as error:
            raise StoreError("the Ray engine is not installed: pip install 'duplex-miner[ray]'") from error
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        self._ray: Any = ray
        self._started_here = not ray.is_initialized()
        if self._started_here:
            ray.init(
                address=address,
                num_cpus=None if address else workers,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                runtime_env={
                    "env_vars": {
                        "POLARS_MAX_THREADS": "1",
                        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
                    }
                },
            )
        self.workers = workers

    def map(
        self, function: Callable[[Task], TaskResult], tasks: Iterable[Task]
    ) -> Iterator[tuple[Task, TaskResult | WorkerLost]]:
        """Run the tasks, at most two queued per worker, and yield them as they end."""
        remote = self._ray.remote(num_cpus=1, max_retries=0)(function)
        source = iter(tasks)
        running: dict[Any, Task] = {}
        while True:
            free = self.workers * _QUEUED_PER_WORKER - len(running)
            running.update((remote.remote(task), task) for task in islice(source, free))
            if not running:
                return
            finished, _ = self._ray.wait(list(running), num_returns=1)
            for reference in finished:
                task = running.pop(reference)
                try:
                    yield task, self._ray.get(reference)
                except (self._ray.exceptions.WorkerCrashedError, self._ray.exceptions.OutOfMemoryError) as error:
                    yield task, WorkerLost(str(error))

    def close(self) -> None:
        """Stop Ray if this engine started it."""
        if self._started_here:
            self._ray.shutdown()
