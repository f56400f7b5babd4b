"""Turns on the event loop: short blocking work, one piece per iteration, so that many requests do not delay others."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

__all__ = ('loop_turn',)

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
