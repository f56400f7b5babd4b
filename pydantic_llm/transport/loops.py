"""Keeps one client per event loop, and closes its connections when the loop ends: `LoopClients`.

A connection belongs to the event loop that opened it. The first loop gets the original client, every other loop a copy
with the same configuration. `asyncio.run` closes every async generator that is still open in its loop, so `LoopClients`
keeps one open for each loop, and its `finally` block closes the connections. A bare `loop.close()` skips that: such
loops are found at the next use, or when the `LoopClients` is garbage-collected, and their sockets are closed without
the loop. `pools` implements `ClientOperations` for each kind of client.
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
"""The client of each loop, and the generator that asyncio closes when the loop ends."""


class ClientOperations(Protocol[Client]):
    """The operations that `LoopClients` needs for a kind of client."""

    def is_fresh(self, client: Client) -> bool:
        """Return whether the client has no open connection, which would belong to an unknown loop."""
        ...

    def fork(self, client: Client) -> Client:
        """Return a client with the same configuration and no connection."""
        ...

    def release(self, client: Client) -> Awaitable[None]:
        """Close the connections, in their own loop. The client stays usable for the next loop."""
        ...

    def abandon(self, client: Client) -> None:
        """Close the sockets of a client whose loop is closed."""
        ...


class LoopClients(Generic[Client]):
    """The clients of one provider, one per running event loop. Can be used from any thread."""

    def __init__(self, original: Client, operations: ClientOperations[Client]) -> None:
        self._original = original
        self._operations = operations
        self._unused = operations.fork(original)  # forked before the first use; the template of all other forks
        self._original_is_free = True
        self._clients: Clients[Client] = {}
        self._lock = threading.Lock()
        weakref.finalize(self, _abandon_closed_loops, self._clients, operations)

    def get(self) -> Client:
        """Return the client of the running event loop."""
        loop = asyncio.get_running_loop()
        entry = self._clients.get(loop)
        if entry is not None:
            return entry[0]
        with self._lock:
            self._mark_free(_abandon_closed_loops(self._clients, self._operations))
            client = self._choose_client()
            keeper = _keep_until_loop_ends(weakref.ref(self), client, self._operations)
            self._clients[loop] = (client, keeper)
        _run_to_first_yield(keeper)
        return client

    async def aclose(self) -> None:
        """Close the connections of the running event loop. The next request opens new ones."""
        with self._lock:
            entry = self._clients.pop(asyncio.get_running_loop(), None)
        if entry is not None:
            await entry[1].aclose()

    def forget(self, client: Client) -> None:
        """Make a client whose connections are closed available to another loop."""
        with self._lock:
            for loop in [loop for loop, entry in self._clients.items() if entry[0] is client]:
                del self._clients[loop]
            self._mark_free([client])

    def _choose_client(self) -> Client:
        if self._original_is_free and self._operations.is_fresh(self._original):
            self._original_is_free = False
            return self._original
        return self._operations.fork(self._unused)

    def _mark_free(self, clients: list[Client]) -> None:
        if any(client is self._original for client in clients):
            self._original_is_free = True


def _abandon_closed_loops(clients: Clients[Client], operations: ClientOperations[Client]) -> list[Client]:
    """Close the sockets of loops that were closed by a bare `loop.close()`, and return their clients."""
    abandoned = [clients.pop(loop)[0] for loop in list(clients) if loop.is_closed()]
    for client in abandoned:
        operations.abandon(client)
    return abandoned


async def _keep_until_loop_ends(
    owner: weakref.ref[LoopClients[Client]], client: Client, operations: ClientOperations[Client]
) -> AsyncGenerator[None]:
    try:
        yield
    finally:
        try:
            with suppress(Exception):  # the connections are discarded, so errors while closing them do not matter
                async with asyncio.timeout(RELEASE_TIMEOUT):
                    await operations.release(client)
        finally:
            if (clients := owner()) is not None:
                clients.forget(client)


def _run_to_first_yield(generator: AsyncGenerator[None]) -> None:
    """Start an async generator that awaits nothing before its first `yield`. This registers it with the loop."""
    with suppress(StopIteration):
        generator.asend(None).send(None)
