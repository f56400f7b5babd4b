"""`MCPConnection`: a session with an MCP server, in a task of its own, for all runs of an event loop.

A session must be closed in the task that opened it, and runs begin and end in any order.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..exceptions import UserError
from ..transport.failure_reasons import find_reason, iterate_details

__all__ = ('Emit', 'MCPConnection', 'MCPLog', 'MCPProgress')

CLOSING_SECONDS = 5.0
"""Maximum time to wait for a session to end. The `mcp` package kills a server that does not end by itself."""


@dataclass(frozen=True, slots=True)
class MCPProgress:
    """A progress notification of a server: the value of a `ToolProgressEvent`."""

    progress: float
    total: float | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class MCPLog:
    """A log message of a server during a tool call: the value of a `ToolProgressEvent`."""

    level: str
    """`debug`, `info`, `notice`, `warning`, `error`, `critical`, `alert` or `emergency`."""
    data: Any
    logger: str | None = None


Emit = Callable[[Any], None]
"""Receives the notifications of a server during a tool call."""


class MCPConnection:
    """A session with a server. `make_client` returns a new `mcp.Client`; it gets the functions for notifications."""

    def __init__(self, name: str, make_client: Callable[..., Any], *, connect_timeout: float) -> None:
        self.users = 0
        """The number of runs that use the session."""
        self.is_broken: bool = False
        """True if the server has ended, or cannot be reached any more."""
        self.client: Any = None
        """The open `mcp.Client`."""
        self.calls: list[Emit] = []
        """The receivers of notifications: one for each tool call that is being executed."""
        self._name = name
        self._make_client = make_client
        self._connect_timeout = connect_timeout
        self._tools: Sequence[Any] | None = None
        self._end = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connect to the server. Raises `UserError` if it cannot be reached in time."""
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run(ready), name=f'pydantic_llm mcp {self._name}')
        try:
            async with asyncio.timeout(self._connect_timeout):
                await asyncio.shield(ready)
        except TimeoutError:
            await self.close()
            raise UserError(
                f'The MCP server {self._name!r} did not answer within {self._connect_timeout:g} s'
            ) from None
        except asyncio.CancelledError:
            await self.close()
            raise
        except Exception as error:
            raise UserError(f'The MCP server {self._name!r} cannot be reached: {_describe(error)}') from error

    async def close(self) -> None:
        """Close the session, in bounded time."""
        if self._task is None:
            return
        self._end.set()
        _, running = await asyncio.wait({self._task}, timeout=CLOSING_SECONDS if self.client else 0)
        if running:
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=CLOSING_SECONDS)

    async def list_tools(self) -> Sequence[Any]:
        """Return the tools of the server. They are listed again after the server has said that they changed."""
        if self._tools is None:
            self._tools = [tool async for page in iterate_pages(self.client.list_tools) for tool in page.tools]
        return self._tools

    async def _run(self, ready: asyncio.Future[None]) -> None:
        try:
            client = self._make_client(logging_callback=self._receive_log, message_handler=self._receive_message)
            async with client as self.client:
                if not ready.done():
                    ready.set_result(None)
                await self._end.wait()
        except Exception as error:  # noqa: BLE001 -- raised in `open`, or in the call that finds the session broken
            if not ready.done():
                ready.set_exception(error)
        finally:
            self.is_broken = True
            if not ready.done():
                ready.cancel()

    async def _receive_log(self, params: Any) -> None:
        for emit in [*self.calls]:
            emit(MCPLog(params.level, params.data, params.logger))

    async def _receive_message(self, message: Any) -> None:
        if type(message).__name__ == 'ToolListChangedNotification':
            self._tools = None


async def iterate_pages(fetch: Callable[..., Awaitable[Any]]) -> AsyncIterator[Any]:
    """Yield the pages of a list. `fetch` is the method of `mcp.Client` that requests one."""
    page = await fetch()
    yield page
    while page.next_cursor:
        page = await fetch(cursor=page.next_cursor)
        yield page


def _describe(error: BaseException) -> str:
    """Return the first error inside groups, in which anyio raises those of its tasks."""
    match error:
        case BaseExceptionGroup(exceptions=[first, *_]):
            return _describe(first)
        case FileNotFoundError(filename=str(name)):
            return f'the command {name!r} was not found'
        case _:
            return find_reason(str(error) or type(error).__name__, iterate_details(error))[0]
