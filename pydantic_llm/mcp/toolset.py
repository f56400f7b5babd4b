"""`MCPToolset`: the tools of an MCP server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from os import PathLike
from types import TracebackType
from typing import Any, Self, cast

import httpx2
from typing_extensions import TypeVar

from .._checks import check_number
from .._extras import import_extra
from .._type_checks import check_type
from ..exceptions import ModelRetry, ToolFailed, UserError
from ..json_schemas import normalize_schema
from ..tools.context import RunContext
from ..tools.definition import ToolDefinition
from ..toolsets import AbstractToolset, ToolsetTool
from ..toolsets.external import ANY_ARGUMENTS
from .connection import MCPConnection, MCPProgress
from .content import read_result, read_text

__all__ = ('MCPToolset',)

DepsT = TypeVar('DepsT', default=None)

SERVER_ERRORS = ('ClosedResourceError', 'BrokenResourceError', 'EndOfStream')
"""The names of anyio's errors for a session whose server has ended."""

CONNECTION_CLOSED = -32000
"""The code of the error that the `mcp` package raises for calls that are open when the connection ends
(`mcp_types.CONNECTION_CLOSED`)."""


class MCPToolset(AbstractToolset[DepsT]):
    """The tools of an MCP server, over streamable HTTP, SSE or the standard streams of a process.

    The session is opened with the first run that uses the toolset, and closed with the last one; concurrent runs share
    it. `async with toolset:` (or `async with agent:`) keeps it open. If the server ends in the middle of a call, the
    model is told that the call failed, and the next request connects again.

    Args:
        server: The URL of a server for streamable HTTP; `StdioServerParameters` of the `mcp` package; a server of that
            package in this process; or a function that returns one of its transports.
        headers: Headers of each request to a URL, for example an `Authorization`.
        http_client: The `httpx2.AsyncClient` for a URL, instead of `headers`.
        id: A name of the toolset, for error messages.
        include_instructions: If true, the server's instructions are sent to the model.
        max_retries: Number of consecutive failures allowed for each tool. The default is the agent's.
        connect_timeout: Seconds in which the server must be ready.
        read_timeout: Seconds that a tool call may take.
        client_options: Further arguments of `mcp.Client`, for example `sampling_callback` or `mode`.

    Raises `UserError` for an invalid argument, and in a run if the server cannot be reached.
    """

    def __init__(
        self,
        server: Any,
        *,
        headers: Mapping[str, str] | None = None,
        http_client: Any = None,
        id: str | None = None,
        include_instructions: bool = False,
        max_retries: int | None = None,
        connect_timeout: float = 10,
        read_timeout: float | None = 300,
        client_options: Mapping[str, Any] | None = None,
    ) -> None:
        self._mcp = import_extra('mcp', extra='mcp', what='MCPToolset')
        check_type(id, str, parameter='id')
        check_number('max_retries', max_retries, least=0, whole=True)
        check_number('connect_timeout', connect_timeout, above=0, required=True)
        check_number('read_timeout', read_timeout, above=0)
        self._make_server = self._read_server(server, headers, http_client)
        self._id = id
        self._name = id or _name_of(server)
        self._include_instructions = include_instructions
        self._max_retries = max_retries
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._client_options = {**(client_options or {})}
        self._connections: dict[asyncio.AbstractEventLoop, MCPConnection] = {}
        self._locks: dict[asyncio.AbstractEventLoop, asyncio.Lock] = {}

    @classmethod
    def stdio(
        cls,
        command: str,
        *args: str,
        env: Mapping[str, str] | None = None,
        cwd: str | PathLike[str] | None = None,
        **options: Any,
    ) -> MCPToolset[Any]:
        """Return the tools of a server that is a program on this machine. It is started when a run needs it.

        `env` is added to a few safe variables of this process (`PATH`, `HOME`, ...); keys are not inherited.
        """
        mcp = import_extra('mcp', extra='mcp', what='MCPToolset')
        parameters = mcp.StdioServerParameters(
            command=command, args=[*args], env={**env} if env is not None else None, cwd=cwd
        )
        return MCPToolset[Any](parameters, **options)

    @classmethod
    def sse(cls, url: str, *, headers: Mapping[str, str] | None = None, **options: Any) -> MCPToolset[Any]:
        """Return the tools of a server that still uses the older HTTP transport with server-sent events."""
        sse = import_extra('mcp.client.sse', extra='mcp', what='MCPToolset')
        toolset = MCPToolset[Any](lambda: sse.sse_client(url, headers={**(headers or {})}), **options)
        toolset._name = toolset.id or url
        return toolset

    @property
    def id(self) -> str | None:
        return self._id

    @property
    def label(self) -> str:
        return f'MCPToolset {self._name!r}'

    # ------------------------------------------------------------------------------------------------- the connection

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        async with self._locks.setdefault(loop, asyncio.Lock()):
            connection = self._connections.get(loop)
            if connection is None:
                connection = self._connections[loop] = await self._connect()
            connection.users += 1
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        loop = asyncio.get_running_loop()
        async with self._locks[loop]:
            connection = self._connections[loop]
            connection.users -= 1
            if connection.users == 0:
                del self._connections[loop]
                await connection.close()

    async def _connect(self) -> MCPConnection:
        connection = MCPConnection(self._name, self._make_client, connect_timeout=self._connect_timeout)
        await connection.open()
        return connection

    async def _use(self) -> MCPConnection:
        """Return the open connection. One whose server has ended is replaced by a new one."""
        loop = asyncio.get_running_loop()
        if loop not in self._connections:
            raise UserError(f'{self.label} is not open: use it in a run, or inside `async with toolset:`')
        async with self._locks[loop]:
            connection = self._connections[loop]
            if connection.is_broken:
                await connection.close()
                replacement = self._connections[loop] = await self._connect()
                replacement.users = connection.users
                connection = replacement
        return connection

    def _make_client(self, **callbacks: Any) -> Any:
        options = {'read_timeout_seconds': self._read_timeout, 'log_level': 'info', **callbacks}
        return self._mcp.Client(self._make_server(), **options | self._client_options)

    def _read_server(self, server: Any, headers: Mapping[str, str] | None, http_client: Any) -> Callable[[], Any]:
        """Return a function that returns what `mcp.Client` connects to. A transport is for one connection only."""
        if (headers or http_client) and not isinstance(server, str):
            raise UserError('headers= and http_client= are for the URL of a server')
        if isinstance(server, str):
            if not server.startswith(('http://', 'https://')):
                raise UserError(f'server is a URL, not {server!r}: MCPToolset.stdio(command, ...) starts a program')
            return lambda: _open_http_transport(server, headers, http_client)
        if isinstance(server, (self._mcp.StdioServerParameters, *_classes_of_servers())):
            return lambda: server
        if callable(server):
            return cast('Callable[[], Any]', server)
        raise UserError(
            f'server is a URL, StdioServerParameters, a server, or a function that returns a transport, not {server!r}'
        )

    # ------------------------------------------------------------------------------------------------------- the tools

    async def get_instructions(self, ctx: RunContext[DepsT]) -> str | None:
        instructions: str | None = (await self._use()).client.instructions if self._include_instructions else None
        return instructions

    async def get_tools(self, ctx: RunContext[DepsT]) -> Mapping[str, ToolsetTool[DepsT]]:
        """Return the tools of the server. Raises `UserError` if they cannot be listed."""
        try:
            tools = await (await self._use()).list_tools()
        except UserError:
            raise
        except Exception as error:
            self._note_failure(error)
            raise UserError(f'The tools of the MCP server {self._name!r} cannot be listed: {error}') from error
        return {
            tool.name: ToolsetTool(
                toolset=self,
                tool_def=_build_definition(tool),
                args_validator=ANY_ARGUMENTS,  # the server validates them
                max_retries=self._max_retries,
            )
            for tool in tools
        }

    async def call_tool(
        self, name: str, tool_args: dict[str, Any], ctx: RunContext[DepsT], tool: ToolsetTool[DepsT]
    ) -> Any:
        """Call the tool. An error of the tool is raised as `ModelRetry`, one of the server as `ToolFailed`."""
        connection = await self._use()

        async def report(progress: float, total: float | None, message: str | None) -> None:
            ctx.emit(MCPProgress(progress, total, message))

        connection.calls.append(ctx.emit)
        try:
            result = await connection.client.call_tool(name, tool_args, progress_callback=report)
        except Exception as error:
            if self._note_failure(error):
                raise ToolFailed(f'The server of the tool {name!r} ended before it answered.') from error
            raise ModelRetry(str(getattr(error, 'message', '') or error)) from error
        finally:
            connection.calls.remove(ctx.emit)
        if result.is_error:
            raise ModelRetry(read_text(result) or f'The tool {name!r} failed without a message.')
        return read_result(result)

    def _note_failure(self, error: Exception) -> bool:
        """Return whether the server has ended, and remember that."""
        is_closed = type(error).__name__ in SERVER_ERRORS or getattr(error, 'code', None) == CONNECTION_CLOSED
        connection = self._connections.get(asyncio.get_running_loop())
        if connection is not None and is_closed:
            connection.is_broken = True
        return is_closed or (connection is not None and connection.is_broken)

    def __repr__(self) -> str:
        return f'MCPToolset({self._name!r})'


@asynccontextmanager
async def _open_http_transport(
    url: str, headers: Mapping[str, str] | None, http_client: httpx2.AsyncClient | None
) -> AsyncGenerator[Any]:
    http = import_extra('mcp.client.streamable_http', extra='mcp', what='MCPToolset')
    async with AsyncExitStack() as stack:
        if http_client is None:
            timeout = httpx2.Timeout(30, read=300)  # as the package's own client
            http_client = await stack.enter_async_context(httpx2.AsyncClient(headers=headers, timeout=timeout))
        yield await stack.enter_async_context(http.streamable_http_client(url, http_client=http_client))


def _classes_of_servers() -> tuple[type, ...]:
    server = import_extra('mcp.server', extra='mcp', what='MCPToolset')
    mcpserver = import_extra('mcp.server.mcpserver', extra='mcp', what='MCPToolset')
    return (server.Server, mcpserver.MCPServer)


def _name_of(server: Any) -> str:
    """Return a name for messages: a URL without credentials and query, a command, or a class."""
    if isinstance(server, str):
        return server.partition('?')[0].rpartition('@')[2]
    command: str | None = getattr(server, 'command', None)
    return command or str(getattr(server, 'name', None) or type(server).__name__)


def _build_definition(tool: Any) -> ToolDefinition:
    about = {'annotations': tool.annotations, 'output_schema': tool.output_schema, 'meta': tool.meta}
    return ToolDefinition(
        tool.name,
        normalize_schema(tool.input_schema, f'tool {tool.name!r}'),
        tool.description or tool.title,
        metadata={name: value for name, value in about.items() if value is not None} or None,
    )
