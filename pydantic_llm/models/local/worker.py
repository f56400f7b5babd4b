"""An engine in a thread of its own: it loads there, and writes there for all jobs at once, a step at a time.

For engines that are driven by calls (Transformers, MLX). Such an engine subclasses `WorkerEngine` with `load_model` and
`make_runner`; the runner owns the slots and knows how to take a step. Jobs come in and leave between two steps.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import threading
import weakref
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Literal

from ...exceptions import LLMError, ModelAPIError, OverloadedError, UserError
from .engine import Counts, Job, Loaded, wake
from .places import Places
from .runner import Runner

__all__ = ('WhenFull', 'WorkerEngine')

logger = logging.getLogger('pydantic_llm.local')

WhenFull = Literal['wait', 'error']
"""What happens to a request that finds the queue full."""

CLOSING_SECONDS = 10.0
"""How long closing waits for the step that is going on."""


class WorkerEngine(ABC):
    """An engine driven by calls, with a queue in front of it."""

    def __init__(self, model_name: str, *, max_queue: int, when_full: WhenFull) -> None:
        if max_queue < 0:
            raise UserError(f'max_queue is {max_queue!r}: give 0 or more')
        if when_full not in ('wait', 'error'):
            raise UserError(f"when_full is 'wait' or 'error', not {when_full!r}")
        self.model_name = model_name
        """What the engine runs, for messages."""
        self._max_queue = max_queue
        self._when_full: WhenFull = when_full
        self.reset()
        _ENGINES.add(self)

    @abstractmethod
    def load_model(self) -> Loaded:
        """Load the model; in the engine's thread. Raises `UserError` for what cannot be loaded as it was asked for."""

    @abstractmethod
    def make_runner(self, loaded: Loaded) -> Runner:
        """What runs the loaded model; made again after it broke."""

    def unload_model(self) -> None:
        """Let go of the model's memory. Overridden by engines that hold any."""

    def check(self, job: Job) -> None:
        """Raise `UserError` for a job that the engine cannot do. Overridden."""

    # for callers, in any thread

    @property
    def counts(self) -> Counts:
        """What there is to do at this moment."""
        with self._changed:
            return Counts(len(self._active), len(self._waiting))

    async def load(self) -> Loaded:
        """Load the model, once, off the event loop."""
        return await asyncio.shield(asyncio.wrap_future(self._start()))

    async def submit(self, job: Job) -> None:
        """Take a job, or wait for a place in the queue, or raise `OverloadedError`."""
        self.check(job)
        with self._changed:
            if not self._places and self._has_room():
                self._enqueue(job)
                return
            if self._when_full == 'error':
                raise self._full()
            place = self._places.new()
        try:
            await place.granted
        except BaseException:
            with self._changed:
                self._places.give_back(place)
                self._grant()
            raise
        with self._changed:
            self._places.use()
            self._enqueue(job)

    def cancel(self, job: Job) -> None:
        """Nobody wants the answer any more: free its slot."""
        with self._changed:
            if job in self._active:
                self._leaving.append(job)
                self._changed.notify()
            elif job in self._waiting:
                self._waiting.remove(job)
                self._grant()

    async def aclose(self) -> None:
        """Stop, fail what is not done, and free the memory."""
        thread = self._request_stop()
        if thread is not None:
            await asyncio.get_running_loop().run_in_executor(None, thread.join, CLOSING_SECONDS)

    def abandon(self) -> None:
        """The same without waiting, for a finalizer."""
        self._request_stop()

    def close(self) -> None:
        """The same for callers that do not await."""
        thread = self._request_stop()
        if thread is not None and thread is not threading.current_thread():
            thread.join(CLOSING_SECONDS)

    # the queue

    def _has_room(self) -> bool:
        return len(self._active) + len(self._waiting) + self._places.reserved < self._slots + self._max_queue

    def _full(self) -> OverloadedError:
        said = f'{self.model_name} writes {len(self._active)} answers and {len(self._waiting)} wait (max_queue='
        message = f"{said}{self._max_queue}): try again later, or make the model with when_full='wait'"
        return OverloadedError(503, self.model_name, message=message, provider_name='local')

    def _enqueue(self, job: Job) -> None:
        self._start()
        self._waiting.append(job)
        self._changed.notify()

    def _grant(self) -> None:
        """Let those in who wait for a place, as far as there is room."""
        while self._has_room() and self._places.grant():
            pass

    # the thread

    def reset(self) -> None:
        """Be as if nothing had ever run: at the start, and in the child of a fork, which has no threads."""
        self._changed = threading.Condition(threading.RLock())
        self._thread: threading.Thread | None = None
        self._loading: Future[Loaded] | None = None
        self._loaded: Loaded | None = None
        self._waiting: deque[Job] = deque()
        self._active: dict[Job, None] = {}
        self._leaving: list[Job] = []
        self._places = Places()
        self._slots = 1
        self._closing = False

    def _start(self) -> Future[Loaded]:
        with self._changed:
            if self._closing and self._thread is not None:
                raise ModelAPIError(self.model_name, f'{self.model_name} is being closed', retryable=True)
            if self._thread is None:
                self._closing = False
                self._loading = Future()
                self._thread = threading.Thread(target=self._run, name=f'pydantic_llm {self.model_name}', daemon=True)
                _THREADS.add(self._thread)
                self._thread.start()
            assert self._loading is not None, 'it is set where the thread is started'
            return self._loading

    def _request_stop(self) -> threading.Thread | None:
        with self._changed:
            thread = self._thread
            self._closing = thread is not None
            self._changed.notify_all()
        if thread is None:
            self._loaded = None
            self.unload_model()
        return thread

    def _run(self) -> None:
        """The life of the thread: load, step until it is told to stop or something breaks, and fail what is left."""
        loading = self._loading
        assert loading is not None, 'it is set where the thread is started'
        failure: Exception = ModelAPIError(self.model_name, f'{self.model_name} was closed', retryable=True)
        try:
            if self._loaded is None:
                self._loaded = self.load_model()
            runner = self.make_runner(self._loaded)
            with self._changed:
                self._slots = runner.slots
                self._grant()
            loading.set_result(self._loaded)
            while self._turn(runner):
                pass
        except Exception as error:
            logger.exception('The engine of %s broke', self.model_name)
            failure = self._broken(error)
            if not loading.done():
                loading.set_exception(failure)
        finally:
            self._shut_down(failure)

    def _broken(self, error: Exception) -> Exception:
        if isinstance(error, LLMError):
            return error
        what = f'{type(error).__name__}: {error}'
        failure = ModelAPIError(self.model_name, f'The engine of {self.model_name} broke: {what}', retryable=True)
        failure.__cause__ = error
        return failure

    def _shut_down(self, failure: Exception) -> None:
        with self._changed:
            left = [*self._active, *self._waiting]
            self._active, self._waiting, self._leaving = {}, deque(), []
            for job in left:
                job.fail(failure)
            if self._closing:
                self._loaded = None
                self.unload_model()
            self._thread, self._closing = None, False
            self._grant()
        wake(left)

    def _turn(self, runner: Runner) -> bool:
        """Let jobs leave and come in, and take a step. Whether there will be another turn."""
        with self._changed:
            while not (self._active or self._waiting or self._closing):
                self._changed.wait()
            if self._closing:
                return False
            leaving, self._leaving = self._leaving, []
            free = runner.slots - self._stay(leaving)
            coming = [self._waiting.popleft() for _ in range(min(len(self._waiting), free))]
            self._active.update(dict.fromkeys(coming))
        for job in leaving:
            if not job.done:
                runner.remove(job)
        refused = [job for job in coming if not self._taken(runner, job)]
        told = [*runner.step(), *refused] if len(refused) < len(self._active) else refused
        self._told(told, runner)
        return True

    def _stay(self, leaving: Sequence[Job]) -> int:
        """Drop those who leave from the active ones; how many slots stay taken."""
        for job in leaving:
            self._active.pop(job, None)
        return len(self._active)

    def _taken(self, runner: Runner, job: Job) -> bool:
        try:
            runner.add(job)
        except Exception as error:  # noqa: BLE001 -- raised where the job is awaited
            job.fail(self._broken(error))
            return False
        return True

    def _told(self, jobs: Sequence[Job], runner: Runner) -> None:
        """Let go of what is done, wake those who wait, and let go of what nobody can wait for any more."""
        self._let_go([job for job in jobs if job.done])
        orphans = [job for job in wake(jobs) if not job.done]
        for job in orphans:
            runner.remove(job)
        self._let_go(orphans)

    def _let_go(self, jobs: Sequence[Job]) -> None:
        if jobs:
            with self._changed:
                for job in jobs:
                    self._active.pop(job, None)
                self._grant()


_ENGINES: weakref.WeakSet[WorkerEngine] = weakref.WeakSet()

_THREADS: weakref.WeakSet[threading.Thread] = weakref.WeakSet()
"""The threads of all engines, those too whose engine has let go of them and that are still freeing its memory."""


def _close_all(engines: Iterable[WorkerEngine], threads: Iterable[threading.Thread]) -> None:
    """A thread that computes while the interpreter goes away can bring the process down with it."""
    for engine in [*engines]:
        with suppress(Exception):
            engine.close()
    for thread in [*threads]:
        with suppress(RuntimeError):  # it is this one
            thread.join(CLOSING_SECONDS)


def _forget_all() -> None:
    for engine in [*_ENGINES]:
        engine.reset()


atexit.register(_close_all, _ENGINES, _THREADS)
if hasattr(os, 'register_at_fork'):
    os.register_at_fork(after_in_child=_forget_all)
