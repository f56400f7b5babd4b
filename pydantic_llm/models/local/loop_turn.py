"""Turns on the event loop: short blocking work, one piece per iteration, so that many requests do not delay others."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from ..._threads import run_in_thread

__all__ = ('loop_turn', 'run_blocking')

T = TypeVar('T')

_locks: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = weakref.WeakKeyDictionary()


@asynccontextmanager
async def loop_turn() -> AsyncGenerator[None]:
    """Wait for a turn on the running loop. A lone caller does not wait; the next turn is one iteration later."""
    loop = asyncio.get_running_loop()
    lock = _locks.get(loop)
    if lock is None:
        lock = _locks[loop] = asyncio.Lock()
    await lock.acquire()
    try:
        yield
    finally:
        loop.call_soon(lock.release)


async def run_blocking(function: Callable[[], T], *, is_slow: bool) -> T:
    """Run a blocking function and return its result: in a thread if it is slow, else in a turn of the event loop."""
    if is_slow:
        return await run_in_thread(function)
    async with loop_turn():
        return function()
