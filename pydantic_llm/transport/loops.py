"""One client per event loop, closed when its loop ends.

A connection belongs to the loop that opened it. `LoopClients` gives every loop a client of its own with the same
configuration; the first loop gets the original. When a loop ends, its connections are closed: `asyncio.run` closes
every async generator that is still open in its loop, so we keep one open whose `finally` closes the connections. Loops
that are closed without that (a bare `loop.close()`) are found on the next use or at the end, and their sockets are
closed without the loop. What there is to know about a kind of client stands in `pools`.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import AsyncGenerator, Awaitable
from contextlib import suppress
from typing import Generic, Protocol, TypeVar

__all__ = ('ClientOperations', 'LoopClients')

RELEASE_TIMEOUT = 1.0
"""Seconds that closing all connections of a loop may take; what is still open then is dropped."""

Client = TypeVar('Client')

Clients = dict[asyncio.AbstractEventLoop, tuple[Client, AsyncGenerator[None]]]
"""The client of each loop, with the generator that ends when the loop does."""


class ClientOperations(Protocol[Client]):
    """What `LoopClients` must know about a kind of client."""

    def is_fresh(self, client: Client) -> bool:
        """Whether the client has no connection, which would belong to we do not know which loop."""
        ...

    def fork(self, client: Client) -> Client:
        """A client with the same configuration and no connection."""
        ...

    def release(self, client: Client) -> Awaitable[None]:
        """Close the connections, in their own loop. The client stays usable for the next loop."""
        ...

    def abandon(self, client: Client) -> None:
        """Close the sockets of a client whose loop is closed."""
        ...


class LoopClients(Generic[Client]):
    """The clients of one provider, one for each running loop. May be used from any thread."""

    def __init__(self, original: Client, kind: ClientOperations[Client]) -> None:
        self._original = original
        self._kind = kind
        self._pristine = kind.fork(original)  # before its first use; every other loop's client is forked from it
        self._original_is_free = True
        self._clients: Clients[Client] = {}
        self._lock = threading.Lock()
        weakref.finalize(self, _abandon_closed_loops, self._clients, kind)

    def get(self) -> Client:
        """The client of the running loop."""
        loop = asyncio.get_running_loop()
        entry = self._clients.get(loop)
        if entry is not None:
            return entry[0]
        with self._lock:
            self._free(_abandon_closed_loops(self._clients, self._kind))
            client = self._take()
            keeper = _keep_until_loop_ends(weakref.ref(self), client, self._kind)
            self._clients[loop] = (client, keeper)
        _start(keeper)
        return client

    async def aclose(self) -> None:
        """Close the connections of the running loop. Its next use opens new ones."""
        with self._lock:
            entry = self._clients.pop(asyncio.get_running_loop(), None)
        if entry is not None:
            await entry[1].aclose()

    def forget(self, client: Client) -> None:
        """The connections of a client are closed: another loop can have it."""
        with self._lock:
            for loop in [loop for loop, entry in self._clients.items() if entry[0] is client]:
                del self._clients[loop]
            self._free([client])

    def _take(self) -> Client:
        if self._original_is_free and self._kind.is_fresh(self._original):
            self._original_is_free = False
            return self._original
        return self._kind.fork(self._pristine)

    def _free(self, clients: list[Client]) -> None:
        if any(client is self._original for client in clients):
            self._original_is_free = True


def _abandon_closed_loops(clients: Clients[Client], kind: ClientOperations[Client]) -> list[Client]:
    """Close what belongs to loops that were closed without telling anyone."""
    abandoned = [clients.pop(loop)[0] for loop in list(clients) if loop.is_closed()]
    for client in abandoned:
        kind.abandon(client)
    return abandoned


async def _keep_until_loop_ends(
    owner: weakref.ref[LoopClients[Client]], client: Client, kind: ClientOperations[Client]
) -> AsyncGenerator[None]:
    try:
        yield
    finally:
        try:
            with suppress(Exception):  # thrown away: how a connection breaks does not matter
                async with asyncio.timeout(RELEASE_TIMEOUT):
                    await kind.release(client)
        finally:
            if (clients := owner()) is not None:
                clients.forget(client)


def _start(generator: AsyncGenerator[None]) -> None:
    """Run an async generator to its first `yield`, which awaits nothing. This registers it with the running loop."""
    with suppress(StopIteration):
        generator.asend(None).send(None)
