"""Faults that a server injects into its responses on request, for tests of clients: error statuses, delays, broken
connections, invalid events.

`Fault` describes one fault, `inject_fault` applies it to the frames of a response.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Any, Protocol

from .._checks import check_number

__all__ = ('Fault', 'FaultPlan')

KEEP_ALIVE_FRAME = b': keep-alive\n\n'
"""A comment in a stream of server-sent events, which clients skip."""

INVALID_FRAME = b'data: {"this is no JSON\n\n'
"""A server-sent event whose data is not JSON."""


@dataclass(frozen=True, slots=True)
class Fault:
    """The fault to inject into one response. A field that is not set injects nothing.

    An event is one frame of the protocol's stream, including the frame that ends it. A response that is not streamed
    is one event.
    """

    status: int | None = None
    """The HTTP status; the body is an error of the protocol unless `body` is set."""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    """Headers to add to the response, e.g. `retry-after`."""
    body: bytes | None = None
    """The bytes to send as the body, unchanged."""
    content_type: str = 'application/json'
    """The content type of `body`."""
    delay: float = 0.0
    """Seconds of silence before the headers."""
    delay_first: float = 0.0
    """Seconds of silence between the headers and the first event."""
    delay_each: float = 0.0
    """Seconds of silence before every event."""
    stall_after: int | None = None
    """Send nothing more after this many events, and keep the connection open."""
    keep_alive: float = 0.0
    """Seconds between the comments that a stream sends during a silence; 0 sends none."""
    end_after: int | None = None
    """End the stream regularly after this many events, as if it were complete."""
    cut_after: int | None = None
    """Break the connection after this many events."""
    garbage_after: int | None = None
    """Send an event that is not JSON after this many events, and continue."""
    error_after: int | None = None
    """Send an error of the protocol after this many events, and end."""

    def __post_init__(self) -> None:
        check_number('status', self.status, least=100, whole=True)
        for name in ('delay', 'delay_first', 'delay_each', 'keep_alive'):
            check_number(name, getattr(self, name), least=0, required=True)
        for name in ('stall_after', 'end_after', 'cut_after', 'garbage_after', 'error_after'):
            check_number(name, getattr(self, name), least=0, whole=True)


FaultPlan = Callable[[Mapping[str, Any]], Fault | None]
"""Chooses the fault of a response by the body of its request."""


class ConnectionBreak(Exception):
    """Raised while a response is sent, to make the server break the connection."""


class FaultFrames(Protocol):
    """The frames that a fault inserts into a stream of one protocol."""

    @property
    def keep_alive_frame(self) -> bytes: ...

    @property
    def invalid_frame(self) -> bytes: ...


async def inject_fault(
    frames: AsyncGenerator[bytes], fault: Fault, inserts: FaultFrames, *, error_frame: Callable[[], bytes]
) -> AsyncGenerator[bytes]:
    """Yield the frames of a response, changed by the fault. Raises `ConnectionBreak` if the connection must break.

    `error_frame` encodes the error that `Fault.error_after` sends.
    """
    async for frame in _stay_silent(fault.delay_first, fault, inserts):
        yield frame
    count = 0
    async for event in frames:
        async for frame in _inject_after(count, fault, inserts, error_frame):
            yield frame
        if count in (fault.end_after, fault.error_after):
            return
        async for frame in _stay_silent(fault.delay_each, fault, inserts):
            yield frame
        yield event
        count += 1
    async for frame in _inject_after(count, fault, inserts, error_frame):
        yield frame


async def _inject_after(
    count: int, fault: Fault, inserts: FaultFrames, error_frame: Callable[[], bytes]
) -> AsyncIterator[bytes]:
    """Yield the frames that the fault inserts after `count` events; break the connection or stall if it is due."""
    if fault.garbage_after == count:
        yield inserts.invalid_frame
    if fault.error_after == count:
        yield error_frame()
    if fault.cut_after == count:
        raise ConnectionBreak
    if fault.stall_after == count:
        async for frame in _stay_silent(inf, fault, inserts):
            yield frame


async def _stay_silent(seconds: float, fault: Fault, inserts: FaultFrames) -> AsyncIterator[bytes]:
    """Wait, forever if `seconds` is `inf`. Yield a keep-alive frame every `fault.keep_alive` seconds."""
    while fault.keep_alive and seconds > fault.keep_alive:
        await asyncio.sleep(fault.keep_alive)
        seconds -= fault.keep_alive
        yield inserts.keep_alive_frame
    if seconds == inf:
        await asyncio.Event().wait()
    await asyncio.sleep(seconds)
