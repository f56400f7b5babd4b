"""Connects threads and event loops: blocking functions for async callers, and coroutines for blocking callers.

`call_async` awaits a coroutine function and runs any other function in a thread of its own.
`Once` runs a blocking function once for all waiters.
`run_blocking` and `BlockingContext` are for blocking callers. They share one event loop in a thread of its own, so that
connections outlive a call, and so that they also work inside a running loop (a notebook).
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

from ._caller import BLOCKING_CALLER, find_caller, shorten_traceback
from .exceptions import LLMError, UserError

__all__ = ('BlockingContext', 'Once', 'call_async', 'is_async', 'run_blocking', 'run_in_thread')

T = TypeVar('T')
R = TypeVar('R')

_CLOSING_SECONDS = 5.0
"""Seconds that an interrupted call may take to close what it has opened."""

# ------------------------------------------------------------------------------- blocking functions for async callers


def is_async(function: Callable[..., Any]) -> bool:
    """Return whether calling this function returns an awaitable."""
    called = getattr(type(function), '__call__', None)  # noqa: B004 -- the kind of `__call__` matters, not its presence
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(called)


async def call_async(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a function and return its result. Awaits a coroutine function; runs any other function in a thread."""
    if is_async(function):
        return await function(*args, **kwargs)
    result = await run_in_thread(partial(function, *args, **kwargs))
    return await result if inspect.isawaitable(result) else result


async def run_in_thread(function: Callable[[], T]) -> T:
    """Run a function in a new thread, with the caller's context variables, and return its result.

    A new thread, because blocked functions could fill a pool, and a closing loop would wait for it. A cancelled caller
    stops waiting; the thread cannot be stopped.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[tuple[T | None, BaseException | None]] = loop.create_future()
    context = contextvars.copy_context()

    def work() -> None:
        outcome = _run_and_capture(context, function)
        with suppress(RuntimeError):  # the loop is closed, so there is no waiter left
            loop.call_soon_threadsafe(_set_result_if_pending, done, outcome)

    threading.Thread(target=work, name='pydantic_llm function', daemon=True).start()
    value, error = await done
    if error is not None:
        try:
            raise error
        finally:
            del error
    return cast('T', value)


def _run_and_capture(context: contextvars.Context, function: Callable[[], T]) -> tuple[T | None, BaseException | None]:
    try:
        return context.run(function), None
    except BaseException as error:  # noqa: BLE001 -- raised to the awaiting caller
        return None, error


def _set_result_if_pending(future: asyncio.Future[T], value: T) -> None:
    if not future.done():
        future.set_result(value)


class Once(Generic[T]):
    """A blocking function that runs once, in a new thread, for all callers in any event loop or thread.

    Its value is cached. An error is raised to the current waiters, and the next caller runs the function again.
    """

    def __init__(self, function: Callable[[], T]) -> None:
        self._function = function
        self._lock = threading.Lock()
        self._outcome: Future[T] | None = None

    async def get(self) -> T:
        """Return the function's value. A cancelled waiter does not stop the function for the others."""
        outcome = self._start_or_join()
        return outcome.result() if outcome.done() else await asyncio.wrap_future(outcome)

    def wait(self) -> T:
        return self._start_or_join().result()

    def _start_or_join(self) -> Future[T]:
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
        except BaseException as error:  # noqa: BLE001 -- raised to the awaiting caller
            with self._lock:
                self._outcome = None
            outcome.set_exception(error)
        else:
            outcome.set_result(value)


# ------------------------------------------------------------------------------------- coroutines for blocking callers


class _BackgroundLoop:
    """An event loop in its own thread that runs until the process ends."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._run, name='pydantic_llm loop', daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            self.loop.run_forever()
        finally:
            self._close()

    def _close(self) -> None:
        """Cancel what still runs, and close the loop.

        `asyncio.Runner` would start a thread to end the executor, which Python 3.12.0 to 3.12.2 refuse at exit:
        https://github.com/python/cpython/issues/113964
        """
        tasks = asyncio.all_tasks(self.loop)
        for task in tasks:
            task.cancel()
        if tasks:
            self.loop.run_until_complete(asyncio.wait(tasks))
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(timeout=_CLOSING_SECONDS)


_background: _BackgroundLoop | None = None
_starting = threading.Lock()


def _get_background_loop() -> _BackgroundLoop:
    global _background
    with _starting:
        if _background is None:
            _background = _BackgroundLoop()
            atexit.register(_background.stop)
        return _background


def _drop_background_loop() -> None:
    global _background, _starting
    _starting = threading.Lock()
    if _background is not None:
        atexit.unregister(_background.stop)
        _background = None


if hasattr(os, 'register_at_fork'):
    os.register_at_fork(after_in_child=_drop_background_loop)  # a forked process has the loop, but not its thread


def run_blocking(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine and return its result. Works in any thread, with or without a running event loop."""
    background = _get_background_loop()
    if threading.current_thread() is background.thread:
        context = contextvars.copy_context()
        return Once(lambda: context.run(asyncio.run, coroutine)).wait()
    return _wait_for(_start_task(background, coroutine))


def _start_task(background: _BackgroundLoop, coroutine: Coroutine[Any, Any, T]) -> _BackgroundTask[T]:
    task = _BackgroundTask[T]()
    token = BLOCKING_CALLER.set(find_caller())
    background.loop.call_soon_threadsafe(task.start, coroutine)  # with the caller's context
    BLOCKING_CALLER.reset(token)
    return task


class _BackgroundTask(Generic[T]):
    """A coroutine that runs as a task of the background loop."""

    def __init__(self) -> None:
        self.outcome: Future[T] = Future()
        self.task: asyncio.Task[None] | None = None

    def start(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self.task = asyncio.create_task(self._run(coroutine))

    async def _run(self, coroutine: Coroutine[Any, Any, T]) -> None:
        try:
            self.outcome.set_result(await coroutine)
        except BaseException as error:  # noqa: BLE001 -- raised to the waiting caller
            self.outcome.set_exception(error)

    def cancel(self) -> None:
        if self.task is not None:
            self.task.cancel()


def _wait_for(task: _BackgroundTask[T]) -> T:
    """Wait for a task and return its result. If the caller is interrupted (Ctrl-C), the task is cancelled."""
    try:
        return task.outcome.result()
    except LLMError as error:
        shorten_traceback(error)
        raise
    except BaseException:
        if not task.outcome.done():
            _get_background_loop().loop.call_soon_threadsafe(task.cancel)
            with suppress(BaseException):
                task.outcome.exception(timeout=_CLOSING_SECONDS)
        raise


CLOSED = 'The stream is closed; read it inside the with block'
"""The message of the error for a stream that is used after its end."""

Command = tuple[Callable[[], Awaitable[Any]], 'Future[Any]']


class BlockingContext(Generic[T]):
    """An async context manager for a blocking caller: one task does it all, as `asyncio.timeout` inside it requires."""

    def __init__(self, manager: AbstractAsyncContextManager[T], *, name: str) -> None:
        self._manager = manager
        self._background = _get_background_loop()
        if threading.current_thread() is self._background.thread:
            raise UserError(f'{name}() was called by a coroutine of another blocking call; use {name[:-5]}() there')
        self._commands: asyncio.Queue[Command | None] = asyncio.Queue()
        self._ready: Future[T] = Future()
        self._task: _BackgroundTask[None] | None = None

    def __enter__(self) -> T:
        self._task = _start_task(self._background, self._run())
        try:
            return self._ready.result()
        except BaseException as error:
            self.close(cancel=True)
            if isinstance(error, LLMError):
                shorten_traceback(error)
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close(cancel=error is not None)

    @property
    def is_open(self) -> bool:
        return self._task is not None and not self._task.outcome.done()

    def call(self, function: Callable[[], Awaitable[R]]) -> R:
        """Run a coroutine function inside the context, wait for it and return its result."""
        if not self.is_open:
            raise UserError(CLOSED)
        future: Future[R] = Future()
        self._background.loop.call_soon_threadsafe(self._enqueue, (function, future))
        try:
            return future.result()
        except BaseException:
            if not future.done():
                self.close(cancel=True)
            raise

    def _enqueue(self, command: Command) -> None:
        """Pass a command to the task, or fail it if the task has ended meanwhile. Runs in the background loop."""
        self._commands.put_nowait(command)
        if not self.is_open:
            self._refuse_commands()

    def iterate(self, source: AsyncIterator[R]) -> Iterator[R]:
        """Yield the items of an async iterator. Each one is fetched on demand."""
        while True:
            try:
                item = self.call(lambda: anext(source))
            except StopAsyncIteration:
                return
            yield item

    def close(self, *, cancel: bool = False) -> None:
        """Exit the context. If `cancel` is true, the work inside it is cancelled."""
        if self._task is None:
            return
        task, self._task = self._task, None
        loop = self._background.loop
        if cancel:
            loop.call_soon_threadsafe(task.cancel)
            with suppress(BaseException):
                task.outcome.result(timeout=_CLOSING_SECONDS)
        else:
            loop.call_soon_threadsafe(self._commands.put_nowait, None)
            task.outcome.result()

    def abandon(self) -> None:
        """Cancel the work inside the context without waiting. For finalizers, which may run in any thread."""
        if self._task is not None:
            with suppress(RuntimeError):  # the loop is closed
                self._background.loop.call_soon_threadsafe(self._task.cancel)

    async def _run(self) -> None:
        try:
            async with self._manager as value:
                self._ready.set_result(value)
                while (command := await self._commands.get()) is not None:
                    await _run_command(*command)
        except BaseException as error:
            if not self._ready.done():
                self._ready.set_exception(error)
            raise
        finally:
            self._refuse_commands()

    def _refuse_commands(self) -> None:
        """Fail the commands that no task will run any more, so that their callers do not wait forever."""
        while not self._commands.empty():
            if (command := self._commands.get_nowait()) is not None:
                command[1].set_exception(UserError(CLOSED))


async def _run_command(function: Callable[[], Awaitable[R]], future: Future[R]) -> None:
    try:
        future.set_result(await function())
    except asyncio.CancelledError as error:
        future.set_exception(error)
        raise
    except BaseException as error:  # noqa: BLE001 -- raised to the waiting caller
        future.set_exception(error)
