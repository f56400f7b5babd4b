"""Misbehaviour on request, for testing clients: error statuses, delays, cuts, garbage."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any, Protocol

__all__ = ('Fault', 'FaultPlan')

COMMENT = b': keep-alive\n\n'
"""What a server sends to show that it is alive, where events are server-sent ones; clients skip it."""

GARBAGE = b'data: {"this is no JSON\n\n'
"""A server-sent event that nobody can read."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with one answer. Everything that is not set goes well.

    An event is what the protocol sends at once, the mark at the end included; a whole answer is one event.
    """

    status: int | None = None
    """Answer with this status; with an error of the protocol's unless there is a `body`."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    """Headers beside the answer's own, e.g. `retry-after`."""
    body: bytes | None = None
    """Send these bytes as the body, whatever they are."""
    content_type: str = 'application/json'
    """What `body` claims to be."""
    delay: float = 0.0
    """Seconds of silence before the headers."""
    delay_first: float = 0.0
    """Seconds of silence between the headers and the first event."""
    delay_each: float = 0.0
    """Seconds of silence before every event."""
    stall_after: int | None = None
    """Say nothing more after this many events, and keep the connection open."""
    keep_alive: float = 0.0
    """In the silences of a stream, send a comment this often, in seconds."""
    end_after: int | None = None
    """End the stream properly after this many events, as if it were over."""
    cut_after: int | None = None
    """Break the connection after this many events."""
    garbage_after: int | None = None
    """Send an event that is no JSON after this many events, and go on."""
    error_after: int | None = None
    """Send an error of the protocol's after this many events, and end."""


FaultPlan = Callable[[Mapping[str, Any]], Fault | None]
"""From a request's body to what shall go wrong with its answer."""


class Broken(Exception):
    """Raised inside an answer to make the server break the connection."""


class Words(Protocol):
    """What a protocol says where something goes wrong."""

    @property
    def comment(self) -> bytes:
        """What shows that the server is alive."""
        ...

    @property
    def garbage(self) -> bytes:
        """An event that nobody can read."""
        ...


async def misbehave(
    frames: AsyncGenerator[bytes], fault: Fault, words: Words, *, error_frame: Callable[[], bytes]
) -> AsyncGenerator[bytes]:
    """The frames of a stream with a fault."""
    async for kept in _silence(fault.delay_first, fault, words):
        yield kept
    count = 0
    async for frame in frames:
        async for replaced in _interfere(count, fault, words, error_frame):
            yield replaced
        if count in (fault.end_after, fault.error_after):
            return
        async for kept in _silence(fault.delay_each, fault, words):
            yield kept
        yield frame
        count += 1
    async for replaced in _interfere(count, fault, words, error_frame):
        yield replaced


async def _interfere(count: int, fault: Fault, words: Words, error_frame: Callable[[], bytes]) -> AsyncIterator[bytes]:
    """What is done after so many events."""
    if fault.garbage_after == count:
        yield words.garbage
    if fault.error_after == count:
        yield error_frame()
    if fault.cut_after == count:
        raise Broken
    if fault.stall_after == count:
        async for kept in _silence(inf, fault, words):
            yield kept


async def _silence(seconds: float, fault: Fault, words: Words) -> AsyncIterator[bytes]:
    """Wait, with comments in between where the fault wants them."""
    while fault.keep_alive and seconds > fault.keep_alive:
        await asyncio.sleep(fault.keep_alive)
        seconds -= fault.keep_alive
        yield words.comment
    if seconds == inf:
        await asyncio.Event().wait()
    await asyncio.sleep(seconds)
