"""`WorkerEngine`: an engine in a thread of its own, which loads the model and runs one step after another for all jobs.

Jobs are added and removed between two steps. Callers enter by `submit`; the thread begins at `_run`.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
import weakref
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import ClassVar, Literal

from ...exceptions import ModelAPIError, OverloadedError
from .engine import Counts, Job, Loaded, Runner, wake
from .failures import make_engine_error, make_request_error
from .isolation import IsolatingRunner
from .queue_slots import QueueSlots

__all__ = ('WhenFull', 'WorkerEngine')

WhenFull = Literal['wait', 'error']
"""If the queue is full, let a request wait, or raise `OverloadedError`."""

CLOSING_SECONDS = 10.0
"""Maximum time to wait for the thread, which ends after the current step."""


class WorkerEngine(ABC):
    """A model with a thread and a queue, for callers in any thread. Subclasses implement the abstract methods."""

    resumes_jobs: ClassVar[bool] = True
    """True if a new runner resumes jobs that have tokens, so that a failed step harms only the jobs at fault."""

    def __init__(self, model_name: str, *, max_queue: int, when_full: WhenFull) -> None:
        self.model_name = model_name
        self._max_queue = max_queue
        self._when_full: WhenFull = when_full
        self.reset()
        _ENGINES.add(self)

    @abstractmethod
    def load_model(self) -> Loaded:
        """Load the model; called in the thread. Raises `UserError` if it cannot be loaded with these options."""

    @abstractmethod
    def make_runner(self, loaded: Loaded) -> Runner:
        """Return a runner for the loaded model; called in the thread, and again after a failure."""

    def unload_model(self) -> None:
        """Free the memory of the model. Engines that hold any override this."""

    def free_memory(self) -> None:
        """Free the memory that the library keeps for later; called in the thread. Engines with such memory override."""

    def drop_cache(self) -> bool:
        """Drop what is kept for later requests; return whether there was any. Engines with a cache override this."""
        return False

    def end_thread(self) -> None:
        """Free what the library keeps for the thread; called last in it. Engines that need it override this."""

    def check(self, job: Job) -> None:
        """Raise `UserError` if the engine does not support the job. Engines with limits override this."""

    # for callers, in any thread

    @property
    def counts(self) -> Counts:
        with self._changed:
            return Counts(len(self._active), len(self._waiting))

    async def load(self) -> Loaded:
        """Load the model in the thread. Concurrent calls share one load; after a failure, the next call retries."""
        return await asyncio.wrap_future(self._start_thread())

    async def submit(self, job: Job) -> None:
        """Add a job to the queue. If the queue is full, wait for a slot in it or raise `OverloadedError`."""
        self.check(job)
        with self._changed:
            if not self._queue_slots and self._has_queue_slot():
                self._enqueue(job)
                return
            if self._when_full == 'error':
                raise self._make_overloaded_error()
            slot = self._queue_slots.request()
        try:
            await slot.granted
        except BaseException:
            with self._changed:
                self._queue_slots.release(slot)
                self._grant_queue_slots()
            raise
        with self._changed:
            self._queue_slots.use()
            self._enqueue(job)

    def cancel(self, job: Job) -> None:
        """Stop a job and free its slot, before the next step. Does nothing if the job is done."""
        with self._changed:
            if job in self._active:
                self._cancelled.append(job)
                self._changed.notify()
            elif job in self._waiting:
                self._waiting.remove(job)
                self._grant_queue_slots()

    async def aclose(self) -> None:
        """Stop the thread, fail all jobs that are not done and free the memory. The next `load` starts again."""
        if (thread := self._request_stop()) is not None:
            await asyncio.get_running_loop().run_in_executor(None, thread.join, CLOSING_SECONDS)

    def abandon(self) -> None:
        """Close without waiting, for a finalizer."""
        self._request_stop()

    def close(self) -> None:
        """Close and block until the thread has ended, for callers without an event loop."""
        thread = self._request_stop()
        if thread is not None and thread is not threading.current_thread():
            thread.join(CLOSING_SECONDS)

    def _has_queue_slot(self) -> bool:
        return len(self._active) + len(self._waiting) + self._queue_slots.reserved < self._slots + self._max_queue

    def _make_overloaded_error(self) -> OverloadedError:
        counts = f'{len(self._active)} responses, {len(self._waiting)} requests wait (max_queue={self._max_queue})'
        message = f"{self.model_name} generates {counts}: try again later, or make the model with when_full='wait'"
        return OverloadedError(503, self.model_name, message=message, provider_name='local')

    def _enqueue(self, job: Job) -> None:
        """Add a job to the queue, and start the thread if none runs."""
        self._start_thread()
        self._waiting.append(job)
        self._changed.notify()

    def _grant_queue_slots(self) -> None:
        """Grant queue slots to waiting callers while the queue has room."""
        while self._has_queue_slot() and self._queue_slots.grant_next():
            pass

    def reset(self) -> None:
        """Set the initial state: no thread, no jobs. Also called in a forked child, which has no threads."""
        self._changed = threading.Condition(threading.RLock())
        self._thread: threading.Thread | None = None
        self._loading: Future[Loaded] | None = None
        self.loaded: Loaded | None = None
        """The facts about the model; `None` until it is loaded."""
        self._waiting: deque[Job] = deque()
        self._active: dict[Job, None] = {}
        self._cancelled: list[Job] = []
        self._queue_slots = QueueSlots()
        self._slots = 1
        self._closing = False

    def _start_thread(self) -> Future[Loaded]:
        """Start the thread if none runs; return the result of its loading."""
        with self._changed:
            if self._closing and self._thread is not None:
                raise ModelAPIError(self.model_name, f'{self.model_name} is being closed', retryable=True)
            if self._thread is None:
                self._closing = False
                self._loading = Future()
                self._loading.set_running_or_notify_cancel()  # a caller that is cancelled does not cancel it for others
                self._thread = threading.Thread(target=self._run, name=f'pydantic_llm {self.model_name}', daemon=True)
                _THREADS.add(self._thread)
                self._thread.start()
            assert self._loading is not None, 'it is set when the thread is started'
            return self._loading

    def _request_stop(self) -> threading.Thread | None:
        """Ask the thread to stop after its step and return it; if none runs, free the memory here."""
        with self._changed:
            thread = self._thread
            self._closing = thread is not None
            self._changed.notify_all()
        if thread is None:
            self.loaded = None
            self.unload_model()
        return thread

    def _run(self) -> None:
        """Load the model, run steps until the engine closes or fails, then fail the remaining jobs."""
        loading = self._loading
        assert loading is not None, 'it is set when the thread is started'
        failure: Exception = ModelAPIError(self.model_name, f'{self.model_name} was closed', retryable=True)
        try:
            self.loaded = self.loaded or self.load_model()
            runner = self._open_runner(self.loaded)
            with self._changed:
                self._slots = runner.slots
                self._grant_queue_slots()
            loading.set_result(self.loaded)
            while self._step_once(runner):
                pass
        except Exception as error:  # noqa: BLE001 -- raised where the jobs are awaited
            failure = make_engine_error(self.model_name, error)
        finally:
            self._shut_down(failure)
            if not loading.done():
                loading.set_exception(failure)  # now that the thread is forgotten: a caller may load again at once
            self.end_thread()

    def _open_runner(self, loaded: Loaded) -> Runner:
        """Return a runner whose failed steps harm only the jobs at fault, if the engine can resume jobs."""
        if not self.resumes_jobs:
            return self.make_runner(loaded)
        return IsolatingRunner(self, loaded)

    def _shut_down(self, failure: Exception) -> None:
        """Fail the remaining jobs and forget the thread; free the memory if the engine is closing."""
        with self._changed:
            remaining = [*self._active, *self._waiting]
            self._active, self._waiting, self._cancelled = {}, deque(), []
            for job in remaining:
                job.fail(failure)
            if self._closing:
                self.loaded = None
                self.unload_model()
            self._thread, self._closing = None, False
            self._grant_queue_slots()
        wake(remaining)

    def _step_once(self, runner: Runner) -> bool:
        """Wait for jobs, remove cancelled ones, add waiting ones, run one step. Return False if the engine closes."""
        with self._changed:
            while not (self._active or self._waiting or self._closing):
                self._changed.wait()
            if self._closing:
                return False
            cancelled, self._cancelled = self._cancelled, []
            for job in cancelled:
                self._active.pop(job, None)
            added = [self._waiting.popleft() for _ in range(min(len(self._waiting), runner.slots - len(self._active)))]
            self._active.update(dict.fromkeys(added))
        for job in cancelled:
            if not job.done:
                runner.remove(job)
        rejected = [job for job in added if not self._add_to_runner(runner, job)]
        self._publish([*runner.step(), *rejected] if len(rejected) < len(self._active) else rejected, runner)
        return True

    def _add_to_runner(self, runner: Runner, job: Job) -> bool:
        """Give a job a slot of the runner; if the runner rejects it, fail the job and return False."""
        try:
            runner.add(job)
        except Exception as error:  # noqa: BLE001 -- raised where the job is awaited
            job.fail(make_request_error(self.model_name, error))
            return False
        return True

    def _publish(self, jobs: Sequence[Job], runner: Runner) -> None:
        """Wake the callers of the jobs that changed; free the slots of jobs that are done or have no caller."""
        self._free_slots([job for job in jobs if job.done])
        orphans = [job for job in wake(jobs) if not job.done]
        for job in orphans:
            runner.remove(job)
        self._free_slots(orphans)

    def _free_slots(self, jobs: Sequence[Job]) -> None:
        if jobs:
            with self._changed:
                for job in jobs:
                    self._active.pop(job, None)
                self._grant_queue_slots()


_ENGINES: weakref.WeakSet[WorkerEngine] = weakref.WeakSet()

_THREADS: weakref.WeakSet[threading.Thread] = weakref.WeakSet()
"""All threads of engines, including those that are still freeing memory after their engine has ended."""


def _close_all(engines: Iterable[WorkerEngine], threads: Iterable[threading.Thread]) -> None:
    """Close all engines at exit: a thread that computes while the interpreter shuts down can crash the process."""
    for engine in [*engines]:
        with suppress(Exception):
            engine.close()
    for thread in [*threads]:
        with suppress(RuntimeError):  # a thread cannot join itself
            thread.join(CLOSING_SECONDS)


def _reset_all() -> None:
    for engine in [*_ENGINES]:
        engine.reset()


atexit.register(_close_all, _ENGINES, _THREADS)
if hasattr(os, 'register_at_fork'):
    os.register_at_fork(after_in_child=_reset_all)
