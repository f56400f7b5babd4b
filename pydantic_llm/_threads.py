"""Between threads and event loops: blocking functions for callers that await, and coroutines for callers that block.

`call_async` awaits a coroutine function and runs any other function in a thread of its own.
`Once` runs a blocking function once for all waiters.
`run_blocking` and `BlockingContext` are for callers that do not await. They share one event loop, in its own thread, so
that connections outlive a call, and so that they also work inside a running loop (a notebook).
"""

from __future__ import annotations

import asyncio
import atexit
import contextvars
import inspect
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, suppress
from functools import partial
from types import TracebackType
from typing import Any, Generic, TypeVar, cast

from .exceptions import UserError

__all__ = ('BlockingContext', 'Once', 'call_async', 'is_async', 'run_blocking', 'run_in_thread')

T = TypeVar('T')
R = TypeVar('R')

_CLOSING_SECONDS = 5.0
"""How long an interrupted call may take to close what it had opened."""

# ------------------------------------------------------------------------------- blocking functions, for who awaits


def is_async(function: Callable[..., Any]) -> bool:
    """Whether calling this gives something to await."""
    called = getattr(type(function), '__call__', None)  # noqa: B004 -- its kind is asked for, not whether it is there
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(called)


async def call_async(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Await a coroutine function, or run any other function in a thread and wait for it."""
    if is_async(function):
        return await function(*args, **kwargs)
    result = await run_in_thread(partial(function, *args, **kwargs))
    return await result if inspect.isawaitable(result) else result


async def run_in_thread(function: Callable[[], T]) -> T:
    """Run a function in a thread of its own, with the caller's context variables.

    There is no pool that blocked functions could fill, and none that a closing loop would wait for. A cancelled caller
    stops waiting; the thread cannot be stopped.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[tuple[T | None, BaseException | None]] = loop.create_future()
    context = contextvars.copy_context()

    def work() -> None:
        outcome = _outcome(context, function)
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(_settle, done, outcome)

    threading.Thread(target=work, name='pydantic_llm function', daemon=True).start()
    value, error = await done
    if error is not None:
        try:
            raise error
        finally:
            del error
    return cast('T', value)


def _outcome(context: contextvars.Context, function: Callable[[], T]) -> tuple[T | None, BaseException | None]:
    try:
        return context.run(function), None
    except BaseException as error:  # noqa: BLE001 -- raised where it is awaited
        return None, error


def _settle(future: asyncio.Future[T], value: T) -> None:
    if not future.done():
        future.set_result(value)


class Once(Generic[T]):
    """A blocking function that runs once, in a thread of its own, for all who ask, in whichever event loop or thread.

    Its value is kept. A failure is not: it is raised to those who waited, and the next one to ask tries again.
    """

    def __init__(self, function: Callable[[], T]) -> None:
        self._function = function
        self._lock = threading.Lock()
        self._outcome: Future[T] | None = None

    async def get(self) -> T:
        """The function's value. Who gives up waiting does not end it for the others."""
        outcome = self._begin()
        return outcome.result() if outcome.done() else await asyncio.wrap_future(outcome)

    def wait(self) -> T:
        """The function's value, for callers that block."""
        return self._begin().result()

    def _begin(self) -> Future[T]:
        with self._lock:
            if self._outcome is None:
                self._outcome = Future()
                self._outcome.set_running_or_notify_cancel()
                threading.Thread(
                    target=self._run, args=(self._outcome,), name='pydantic_llm function', daemon=True
                ).start()
            return self._outcome

    def _run(self, outcome: Future[T]) -> None:
        try:
            value = self._function()
        except BaseException as error:  # noqa: BLE001 -- raised where it is awaited
            with self._lock:
                self._outcome = None
            outcome.set_exception(error)
        else:
            outcome.set_result(value)


# ------------------------------------------------------------------------------------- coroutines, for who blocks


class _BackgroundLoop:
    """An event loop that runs in a thread of its own until the process ends."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._run, name='pydantic_llm loop', daemon=True)
        self.thread.start()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self.loop) as runner:
            runner.get_loop().run_forever()

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(timeout=_CLOSING_SECONDS)


_background: _BackgroundLoop | None = None
_starting = threading.Lock()


def _background_loop() -> _BackgroundLoop:
    global _background
    with _starting:
        if _background is None:
            _background = _BackgroundLoop()
            atexit.register(_background.stop)
        return _background


def _forget_background_loop() -> None:
    global _background, _starting
    _starting = threading.Lock()
    if _background is not None:
        atexit.unregister(_background.stop)
        _background = None


if hasattr(os, 'register_at_fork'):
    os.register_at_fork(after_in_child=_forget_background_loop)  # a fork has the loop, but not its thread


def run_blocking(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end and give what it gives; from any thread, with or without a running loop."""
    background = _background_loop()
    if threading.current_thread() is background.thread:
        return _run_in_another_thread(coroutine)
    return _wait(_submit(background, coroutine))


def _submit(background: _BackgroundLoop, coroutine: Coroutine[Any, Any, T]) -> _Submitted[T]:
    submitted = _Submitted[T]()
    background.loop.call_soon_threadsafe(submitted.start, coroutine)
    return submitted


class _Submitted(Generic[T]):
    """A coroutine that runs as a task of the background loop."""

    def __init__(self) -> None:
        self.outcome: Future[T] = Future()
        self.task: asyncio.Task[None] | None = None

    def start(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self.task = asyncio.create_task(self._run(coroutine))

    async def _run(self, coroutine: Coroutine[Any, Any, T]) -> None:
        try:
            self.outcome.set_result(await coroutine)
        except BaseException as error:  # noqa: BLE001 -- raised where it is waited for
            self.outcome.set_exception(error)

    def cancel(self) -> None:
        if self.task is not None:
            self.task.cancel()


def _wait(submitted: _Submitted[T]) -> T:
    """Wait for an outcome; a caller that is interrupted (Ctrl-C) takes what it started down with it."""
    try:
        return submitted.outcome.result()
    except BaseException:
        if not submitted.outcome.done():
            _background_loop().loop.call_soon_threadsafe(submitted.cancel)
            with suppress(BaseException):
                submitted.outcome.exception(timeout=_CLOSING_SECONDS)
        raise


def _run_in_another_thread(coroutine: Coroutine[Any, Any, T]) -> T:
    context = contextvars.copy_context()
    outcomes: list[tuple[T | None, BaseException | None]] = []
    thread = threading.Thread(target=lambda: outcomes.append(_outcome(context, partial(asyncio.run, coroutine))))
    thread.start()
    thread.join()
    [(value, error)] = outcomes
    if error is not None:
        raise error
    return cast('T', value)


Command = tuple[Callable[[], Awaitable[Any]], 'Future[Any]']


class BlockingContext(Generic[T]):
    """An async context manager for a caller that does not await.

    Everything from entering to leaving happens in one task, as what is inside may demand.
    """

    def __init__(self, manager: AbstractAsyncContextManager[T], *, name: str) -> None:
        self._manager = manager
        self._background = _background_loop()
        if threading.current_thread() is self._background.thread:
            raise UserError(f'{name}() was called by a coroutine of another blocking call; use {name[:-5]}() there')
        self._commands: asyncio.Queue[Command | None] = asyncio.Queue()
        self._ready: Future[T] = Future()
        self._served: _Submitted[None] | None = None

    def __enter__(self) -> T:
        self._served = _submit(self._background, self._serve())
        try:
            return self._ready.result()
        except BaseException:
            self.close(cancel=True)
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close(cancel=error is not None)

    @property
    def is_open(self) -> bool:
        """Whether it was entered and not left yet."""
        return self._served is not None and not self._served.outcome.done()

    def call(self, function: Callable[[], Awaitable[R]]) -> R:
        """Run a coroutine function inside the context, and wait for what it gives."""
        if not self.is_open:
            raise UserError('The stream is closed; read it inside the with block')
        answer: Future[R] = Future()
        self._background.loop.call_soon_threadsafe(self._commands.put_nowait, (function, answer))
        try:
            return answer.result()
        except BaseException:
            if not answer.done():
                self.close(cancel=True)
            raise

    def iterate(self, source: AsyncIterator[R]) -> Iterator[R]:
        """The items of an async iterator, each fetched when it is asked for."""
        while True:
            try:
                item = self.call(lambda: anext(source))
            except StopAsyncIteration:
                return
            yield item

    def close(self, *, cancel: bool = False) -> None:
        """Leave the context. `cancel` ends what is going on inside it."""
        if self._served is None:
            return
        served, self._served = self._served, None
        loop = self._background.loop
        if cancel:
            loop.call_soon_threadsafe(served.cancel)
            with suppress(BaseException):
                served.outcome.result(timeout=_CLOSING_SECONDS)
        else:
            loop.call_soon_threadsafe(self._commands.put_nowait, None)
            served.outcome.result()

    def abandon(self) -> None:
        """End what is going on inside, without waiting; for a finalizer, which may run in any thread."""
        if self._served is not None:
            with suppress(RuntimeError):  # the loop is closed
                self._background.loop.call_soon_threadsafe(self._served.cancel)

    async def _serve(self) -> None:
        try:
            async with self._manager as value:
                self._ready.set_result(value)
                while (command := await self._commands.get()) is not None:
                    await _obey(*command)
        except BaseException as error:
            if not self._ready.done():
                self._ready.set_exception(error)
            raise


async def _obey(function: Callable[[], Awaitable[R]], answer: Future[R]) -> None:
    try:
        answer.set_result(await function())
    except asyncio.CancelledError as error:
        answer.set_exception(error)
        raise
    except BaseException as error:  # noqa: BLE001 -- raised where it is waited for
        answer.set_exception(error)
