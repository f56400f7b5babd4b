"""`MCPToolset`: the tools of an MCP server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from os import PathLike
from types import TracebackType
from typing import Any, Literal, Protocol, Self, cast

import httpx2
from typing_extensions import TypeVar

from .._checks import check_number
from .._extras import import_extra
from .._type_checks import check_callable, check_choice, check_type
from ..exceptions import ModelRetry, ToolFailed, UserError
from ..json_schemas import normalize_schema
from ..tools.context import RunContext
from ..tools.definition import ToolDefinition
from ..toolsets import AbstractToolset, ToolsetTool
from ..toolsets.external import ANY_ARGUMENTS
from .connection import MCPConnection, MCPProgress, iterate_pages
from .content import read_resource, read_result, read_text

__all__ = ('CallToolFunc', 'MCPToolset', 'ProcessToolCallback', 'ToolErrorBehavior')

DepsT = TypeVar('DepsT', default=None)

SERVER_ERRORS = ('ClosedResourceError', 'BrokenResourceError', 'EndOfStream')
"""The names of anyio's errors for a session whose server has ended."""

CONNECTION_CLOSED = -32000
"""The code of the error that the `mcp` package raises for calls that are open when the connection ends
(`mcp_types.CONNECTION_CLOSED`)."""

ToolErrorBehavior = Literal['retry', 'failed']
"""What the model gets for a call that the server could not do: a request to try again, or a failed result."""


class CallToolFunc(Protocol):
    """Calls a tool of the server."""

    def __call__(
        self, name: str, tool_args: dict[str, Any], *, metadata: dict[str, Any] | None = None
    ) -> Awaitable[Any]:
        """Return the content of the result. `metadata` is sent to the server next to the arguments (`_meta`)."""
        ...


ProcessToolCallback = Callable[[RunContext[Any], CallToolFunc, str, dict[str, Any]], Awaitable[Any]]
"""Called in place of a tool, with the context, a function that calls it, its name and the arguments."""


class MCPToolset(AbstractToolset[DepsT]):
    """The tools of an MCP server, over streamable HTTP, SSE or the standard streams of a process.

    The session is opened with the first run that uses the toolset, and closed with the last one; concurrent runs share
    it. `async with toolset:` (or `async with agent:`) keeps it open. If the server ends in the middle of a call, the
    model gets a failed result, and the next request connects again.

    Args:
        server: The URL of a server for streamable HTTP, or for SSE if it ends in `/sse`; `StdioServerParameters` of the
            `mcp` package; a server of that package in this process; or a function that returns one of its transports.
        headers: Headers of each request to a URL, for example an `Authorization`.
        http_client: The `httpx2.AsyncClient` for a URL, instead of `headers`.
        id: A name of the toolset, for error messages.
        include_instructions: If true, the server's instructions are sent to the model.
        max_retries: Number of consecutive failures allowed for each tool. The default is the agent's.
        connect_timeout: Seconds in which the server must be ready.
        read_timeout: Seconds that a tool call may take.
        process_tool_call: A coroutine function that is called in place of each tool: it gets the context, a function
            that calls the tool, the name and the arguments, and returns the result. It can add metadata for the server.
        tool_error_behavior: `'retry'` asks the model to try again after an error of a tool, `'failed'` gives it a
            failed result.
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
        process_tool_call: ProcessToolCallback | None = None,
        tool_error_behavior: ToolErrorBehavior = 'retry',
        client_options: Mapping[str, Any] | None = None,
    ) -> None:
        self._mcp = import_extra('mcp', extra='mcp', what='MCPToolset')
        check_type(id, str, parameter='id')
        check_number('max_retries', max_retries, least=0, whole=True)
        check_number('connect_timeout', connect_timeout, above=0, required=True)
        check_number('read_timeout', read_timeout, above=0)
        check_callable(process_tool_call, parameter='process_tool_call')
        check_choice(tool_error_behavior, ('retry', 'failed'), parameter='tool_error_behavior')
        self._process_tool_call = process_tool_call
        self._error_type = ModelRetry if tool_error_behavior == 'retry' else ToolFailed
        self._make_server = self._read_server(server, headers, http_client)
        self._id = id
        self._name = id or _find_server_name(server)
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
        toolset = MCPToolset[Any](lambda: _open_sse_transport(url, headers), **options)
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
            if server.partition('?')[0].rstrip('/').endswith('/sse') and http_client is None:
                return lambda: _open_sse_transport(server, headers)
            return lambda: _open_http_transport(server, headers, http_client)
        if isinstance(server, (self._mcp.StdioServerParameters, *_list_server_classes())):
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
        """Call the tool. Raises `ModelRetry` or `ToolFailed` for its errors, `ToolFailed` if the server ends."""

        async def call(name: str, tool_args: dict[str, Any], *, metadata: dict[str, Any] | None = None) -> Any:
            return await self._call(name, tool_args, ctx, metadata)

        if self._process_tool_call is None:
            return await call(name, tool_args)
        return await self._process_tool_call(ctx, call, name, tool_args)

    async def _call(
        self, name: str, tool_args: dict[str, Any], ctx: RunContext[Any], metadata: dict[str, Any] | None
    ) -> Any:
        """Call the tool and read its result; report its progress as events of the run."""
        connection = await self._use()

        async def report(progress: float, total: float | None, message: str | None) -> None:
            ctx.emit(MCPProgress(progress, total, message))

        connection.calls.append(ctx.emit)
        try:
            result = await connection.client.call_tool(name, tool_args, progress_callback=report, meta=metadata)
        except Exception as error:
            if self._note_failure(error):
                raise ToolFailed(f'The server of the tool {name!r} ended before it answered.') from error
            raise self._error_type(str(getattr(error, 'message', '') or error)) from error
        finally:
            connection.calls.remove(ctx.emit)
        if result.is_error:
            raise self._error_type(read_text(result) or f'The tool {name!r} failed without a message.')
        return read_result(result)

    # --------------------------------------------------------------------------------------------------- the resources

    async def list_resources(self) -> list[Any]:
        """Return all resources of the server, as `Resource` objects of the `mcp` package."""
        async with self:
            pages = iterate_pages((await self._use()).client.list_resources)
            return [resource async for page in pages for resource in page.resources]

    async def read_resource(self, uri: Any) -> Any:
        """Return a resource, by its URI or as one of `list_resources`: text, `BinaryContent`, or a list of these."""
        async with self:
            result = await (await self._use()).client.read_resource(str(getattr(uri, 'uri', uri)))
            items = [read_resource(item) for item in result.contents]
            return items[0] if len(items) == 1 else items

    def _note_failure(self, error: Exception) -> bool:
        """Return whether the server has ended, and remember that."""
        is_closed = type(error).__name__ in SERVER_ERRORS or getattr(error, 'code', None) == CONNECTION_CLOSED
        connection = self._connections.get(asyncio.get_running_loop())
        if connection is not None and is_closed:
            connection.is_broken = True
        return is_closed or (connection is not None and connection.is_broken)

    def __repr__(self) -> str:
        return f'MCPToolset({self._name!r})'


def _open_sse_transport(url: str, headers: Mapping[str, str] | None) -> Any:
    sse = import_extra('mcp.client.sse', extra='mcp', what='MCPToolset')
    return sse.sse_client(url, headers={**(headers or {})})


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


def _list_server_classes() -> tuple[type, ...]:
    server = import_extra('mcp.server', extra='mcp', what='MCPToolset')
    mcpserver = import_extra('mcp.server.mcpserver', extra='mcp', what='MCPToolset')
    return (server.Server, mcpserver.MCPServer)


def _find_server_name(server: Any) -> str:
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
