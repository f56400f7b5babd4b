"""Short work on the event loop, one piece in each turn of the loop: many requests at once do not hold others up."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

__all__ = ('in_turn',)

_locks: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = weakref.WeakKeyDictionary()


@asynccontextmanager
async def in_turn() -> AsyncGenerator[None]:
    """Wait for one's turn. A lone caller does not wait; the next one begins when the loop has done all else once."""
    loop = asyncio.get_running_loop()
    lock = _locks.get(loop)
    if lock is None:
        lock = _locks[loop] = asyncio.Lock()
    await lock.acquire()
    try:
        yield
    finally:
        loop.call_soon(lock.release)
