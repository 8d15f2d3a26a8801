"""Processes of this machine, kept for the whole run so that each pays its imports once."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice

from store.engines.base import WorkerLost
from store.work import Task, TaskResult

_QUEUED_PER_WORKER = 2


class InlineEngine:
    """Runs tasks in this process, one by one: for small stores, tests and debuggers."""

    workers = 1

    def map(
        self, function: Callable[[Task], TaskResult], tasks: Iterable[Task]
    ) -> Iterator[tuple[Task, TaskResult | WorkerLost]]:
        """Run the tasks in order."""
        for task in tasks:
            yield task, function(task)

    def close(self) -> None:
        """Nothing to let go."""


class LocalEngine:
    """A pool of processes. A worker that dies costs the tasks in flight, which come back as WorkerLost."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._pool: ProcessPoolExecutor | None = None

    def map(
        self, function: Callable[[Task], TaskResult], tasks: Iterable[Task]
    ) -> Iterator[tuple[Task, TaskResult | WorkerLost]]:
        """Run the tasks, at most two queued per worker, and yield them as they end."""
        source = iter(tasks)
        running: dict[Future[TaskResult], Task] = {}
        while True:
            free = self.workers * _QUEUED_PER_WORKER - len(running)
            running.update((self._submit(function, task), task) for task in islice(source, free))
            if not running:
                return
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                task = running.pop(future)
                try:
                    yield task, future.result()
                except BrokenProcessPool as error:
                    self.close()
                    yield task, WorkerLost(str(error))

    def close(self) -> None:
        """Stop the workers; tasks not begun are dropped."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None

    def _submit(self, function: Callable[[Task], TaskResult], task: Task) -> Future[TaskResult]:
        for _ in range(2):
            if self._pool is None:
                self._pool = _new_pool(self.workers)
            try:
                return self._pool.submit(function, task)
            except BrokenProcessPool:  # broken between two results: the next pool takes the task
                self.close()
        raise RuntimeError("worker processes die as soon as they start: run `duplex-miner doctor`")


def _new_pool(workers: int) -> ProcessPoolExecutor:
    context = multiprocessing.get_context("forkserver" if sys.platform == "linux" else "spawn")
    if sys.platform == "linux":
        context.set_forkserver_preload(["store.work"])
    # one core per worker: without this each of them would start a thread per core in polars
    os.environ.setdefault("POLARS_MAX_THREADS", "1")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker)


def _start_worker() -> None:
    """Ctrl-C is the parent's to handle; a worker whose parent was killed must not stay behind."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        sentinel = parent.sentinel

        def leave_with_parent() -> None:
            multiprocessing.connection.wait([sentinel])
            os._exit(1)

        threading.Thread(target=leave_with_parent, daemon=True).start()
