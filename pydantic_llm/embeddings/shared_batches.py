"""`SharedBatches` runs the work of concurrent calls together, in one thread: a model then reads many texts at once."""

from __future__ import annotations

import asyncio
import os
import threading
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

__all__ = ('SharedBatches',)

Item = TypeVar('Item')
Result = TypeVar('Result')

MAX_ITEMS = 4096
"""The number of items of several calls that run together. A single call can have more."""


@dataclass
class _Job(Generic[Item, Result]):
    items: Sequence[Item]
    options: Hashable
    future: Future[Sequence[Result]] = field(default_factory=Future[Any])


class SharedBatches(Generic[Item, Result]):
    """Calls `work` with the items of all calls that wait and have the same options.

    `work` takes the items and the options, and returns one result for each item. If it fails for several calls
    together, it is called for each of them alone, so that only the call at fault fails.
    """

    def __init__(self, work: Callable[[Sequence[Item], Any], Sequence[Result]], *, name: str) -> None:
        self._work = work
        self._name = name
        self._waiting: deque[_Job[Item, Result]] = deque()
        self._lock = threading.Lock()
        self._executor: ThreadPoolExecutor | None = None
        self._process = os.getpid()

    async def run(self, items: Sequence[Item], options: Hashable) -> Sequence[Result]:
        """Return the results for the items. A call that is cancelled before its turn is not run."""
        job = _Job[Item, Result](items, options)
        self._forget_parent()
        with self._lock:
            executor = self._get_executor()
            self._waiting.append(job)
        executor.submit(self._run_next)
        return await asyncio.wrap_future(job.future)

    def close(self) -> None:
        """Stop the thread after the work that waits. A later call starts it again."""
        with self._lock:
            executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown(wait=False)

    def _forget_parent(self) -> None:
        """Drop the thread, the lock and the calls of the parent process in the child of a fork."""
        if self._process != os.getpid():
            self._process, self._lock, self._executor = os.getpid(), threading.Lock(), None
            self._waiting.clear()

    def _get_executor(self) -> ThreadPoolExecutor:
        if self._executor is None:
            self._executor = ThreadPoolExecutor(1, thread_name_prefix=self._name)
        return self._executor

    def _run_next(self) -> None:
        jobs = [job for job in self._take_alike() if job.future.set_running_or_notify_cancel()]
        if not jobs:
            return
        try:
            results = self._work([item for job in jobs for item in job.items], jobs[0].options)
        except Exception as error:  # noqa: BLE001 -- raised in the call at fault
            if len(jobs) == 1:
                jobs[0].future.set_exception(error)
                return
            self._run_alone(jobs)
            return
        begin = 0
        for job in jobs:
            job.future.set_result(results[begin : begin + len(job.items)])
            begin += len(job.items)

    def _run_alone(self, jobs: Sequence[_Job[Item, Result]]) -> None:
        for job in jobs:
            try:
                job.future.set_result(self._work(job.items, job.options))
            except Exception as error:  # noqa: BLE001 -- raised in the call at fault
                job.future.set_exception(error)

    def _take_alike(self) -> list[_Job[Item, Result]]:
        """Take the first job that waits, and those after it with the same options."""
        with self._lock:
            taken: list[_Job[Item, Result]] = []
            count = 0
            while self._waiting:
                job = self._waiting[0]
                if taken and (job.options != taken[0].options or count + len(job.items) > MAX_ITEMS):
                    break
                taken.append(self._waiting.popleft())
                count += len(job.items)
            return taken
