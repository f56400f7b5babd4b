"""`run_concurrently`: apply a function to many items, with a bounded number of them in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from typing import Generic, TypeVar

__all__ = ('run_concurrently',)

WINDOW = 4
"""The number of items that are taken and whose results were not yet read, as a multiple of the concurrency."""

T = TypeVar('T')
R = TypeVar('R')


async def run_concurrently(
    items: AsyncIterator[T], run: Callable[[T], Awaitable[R]], *, concurrency: int, ordered: bool
) -> AsyncGenerator[R]:
    """Yield the results of `run` for all items: in the order of the items, or as they are completed.

    An item is taken only if few results wait to be read. After an error of `items` or `run`, no item is taken; the
    results of those that are under way are yielded, and then the error is raised. Leaving the loop cancels all.
    """
    pool = _WorkerPool(items, run, concurrency=concurrency)
    workers = [asyncio.create_task(pool.work()) for _ in range(concurrency)]
    waiting: dict[int, R] = {}
    try:
        while (done := await pool.next_result()) is not None:
            waiting[done[0]] = done[1]
            for ready in _take_ready(waiting, ordered=ordered, first=pool.yielded):
                yield ready
                pool.release()
        for position in sorted(waiting):  # those after an item that failed
            yield waiting[position]
        if pool.error is not None:
            raise pool.error
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)


def _take_ready(waiting: dict[int, R], *, ordered: bool, first: int) -> Iterator[R]:
    """Yield, and remove, the results that can be read now."""
    if not ordered:
        yield waiting.popitem()[1]
        return
    while first in waiting:
        yield waiting.pop(first)
        first += 1


class _WorkerPool(Generic[T, R]):
    """Workers that share a source of items."""

    def __init__(self, items: AsyncIterator[T], run: Callable[[T], Awaitable[R]], *, concurrency: int) -> None:
        self.error: Exception | None = None
        """The first error of the source or of a worker."""
        self.yielded = 0
        """The number of results that were read."""
        self._items = items
        self._run = run
        self._capacity = asyncio.Semaphore(concurrency * WINDOW)
        self._source = asyncio.Lock()
        self._taken = 0
        self._has_ended = False
        self._running = concurrency
        self._done: asyncio.Queue[tuple[int, R] | None] = asyncio.Queue()

    async def work(self) -> None:
        """Take items and run them, until there are no more or something failed."""
        try:
            while (taken := await self._take()) is not None:
                position, item = taken
                self._done.put_nowait((position, await self._run(item)))
        except Exception as error:  # noqa: BLE001 -- raised by `run_concurrently`
            self.error = self.error or error
            self._has_ended = True
        finally:
            self._capacity.release()
            self._running -= 1
            if not self._running:
                self._done.put_nowait(None)

    async def next_result(self) -> tuple[int, R] | None:
        """Wait for the next result, with the position of its item. Return `None` when all workers have ended."""
        return await self._done.get()

    def release(self) -> None:
        """Count a result that was read, which frees capacity for another item."""
        self.yielded += 1
        self._capacity.release()

    async def _take(self) -> tuple[int, T] | None:
        """Wait for capacity, and return the next item and its position, or `None` at the end."""
        await self._capacity.acquire()
        async with self._source:
            if self._has_ended:
                return None
            try:
                item = await anext(self._items)
            except StopAsyncIteration:
                self._has_ended = True
                return None
            self._taken += 1
            return self._taken - 1, item
