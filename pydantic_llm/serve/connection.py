"""The connection of one client: it joins small writes, and ends when the client is too slow.

`Connection` is uvicorn's HTTP/1.1 protocol with limits. It writes to a `JoinedWrites`.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any, cast

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

__all__ = ('Connection',)

HEAD_TIMEOUT = 20.0
"""Seconds that a client has to send the head of a request. uvicorn has no such limit."""

SEND_TIMEOUT = 60.0
"""Seconds in which a client that lags behind must read `MIN_READ` bytes, or all that is left."""

MIN_READ = 16 * 1024
"""Bytes that a client must read in `SEND_TIMEOUT`."""

MAX_JOINED_BYTES = 64 * 1024
"""The bytes of joined writes after which they are sent at once."""

SEND_BUFFER = 128 * 1024
"""Bytes that the kernel buffers for a client; the systems' own limits are some megabytes."""

MAX_IDLE_BYTES = 64 * 1024 * 1024
"""The most bytes of a refused body that are received and dropped, so that the client sees the refusal."""

MAX_CONNECTIONS = 4096
"""The most connections at the same time. Further ones are closed."""


class Connection(H11Protocol):
    """uvicorn's protocol, with a deadline for the head of a request, one for a lagging reader, and joined writes."""

    _head_timer: asyncio.TimerHandle | None = None
    _send_timer: asyncio.TimerHandle | None = None
    _idle_bytes = 0
    _joined: JoinedWrites

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        self._joined = JoinedWrites(transport, self.loop)
        super().connection_made(cast('asyncio.Transport', self._joined))
        if len(self.connections) > MAX_CONNECTIONS:
            transport.abort()
            return
        _set_options(transport)
        # Every byte that the socket does not take pauses the app: a slow reader costs no memory but the kernel's.
        transport.set_write_buffer_limits(0)
        self._head_timer = self.loop.call_later(HEAD_TIMEOUT, transport.abort)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._is_serving():
            self._cancel_head_timer()
            self._idle_bytes = 0
            return
        # A part of the next head, or the rest of a body that was refused: closing at once would lose the refusal.
        self._idle_bytes += len(data)
        if self._idle_bytes > MAX_IDLE_BYTES:
            self._joined.abort()
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_TIMEOUT, self._joined.abort)

    def on_response_complete(self) -> None:
        self._joined.flush()
        super().on_response_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._limit_lag()

    def resume_writing(self) -> None:
        self._cancel_send_timer()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_head_timer()
        self._cancel_send_timer()
        super().connection_lost(exc)

    def _is_serving(self) -> bool:
        """Return whether a request has begun and its response has not ended."""
        cycle = cast('RequestResponseCycle | None', self.cycle)  # None before the first request
        return cycle is not None and not cycle.response_complete

    def _limit_lag(self) -> None:
        unread = self._joined.get_write_buffer_size()
        self._send_timer = self.loop.call_later(SEND_TIMEOUT, self._check_lag, unread)

    def _check_lag(self, unread: int) -> None:
        if unread - self._joined.get_write_buffer_size() < MIN_READ:
            self._joined.abort()
        else:
            self._limit_lag()

    def _cancel_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _cancel_send_timer(self) -> None:
        if self._send_timer is not None:
            self._send_timer.cancel()
            self._send_timer = None


class JoinedWrites:
    """A transport that sends what is written during one turn of the event loop with one system call.

    uvicorn writes the head, the body and the end of a response one by one. Without this, a small response needs three
    packets, and each frame of a stream a system call.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self.pause_reading: Callable[[], None] = transport.pause_reading
        self.resume_reading: Callable[[], None] = transport.resume_reading
        self.is_closing: Callable[[], bool] = transport.is_closing
        self.abort: Callable[[], None] = transport.abort

    def write(self, data: bytes) -> None:
        if not data:
            return
        if not self._pending:
            self._loop.call_soon(self.flush)
        self._pending.append(data)
        self._pending_bytes += len(data)
        if self._pending_bytes >= MAX_JOINED_BYTES:
            self.flush()

    def flush(self) -> None:
        """Send what was written."""
        if self._pending:
            data = b''.join(self._pending)
            self._pending.clear()
            self._pending_bytes = 0
            self._transport.write(data)

    def close(self) -> None:
        self.flush()
        self._transport.close()

    def get_write_buffer_size(self) -> int:
        return self._transport.get_write_buffer_size() + self._pending_bytes

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)


def _set_options(transport: asyncio.Transport) -> None:
    """Limit the kernel's buffer, and send small packets without waiting for earlier ones' acknowledgements (RFC 896).

    asyncio does the latter for sockets with the protocol number of TCP only, which `socket.create_server` leaves at 0.
    """
    connected: socket.socket | None = transport.get_extra_info('socket')
    if connected is not None and connected.family in (socket.AF_INET, socket.AF_INET6):
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
