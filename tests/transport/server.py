"""A local server. A test writes its responses in a handler: the bytes, pauses and broken connections."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import socket
import struct
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

JSON = 'application/json'
EVENT_STREAM = 'text/event-stream'


@dataclass
class Exchange:
    """One request, with the methods to respond to it."""

    path: str
    headers: dict[str, str]
    body: bytes
    reader: asyncio.StreamReader = field(repr=False)
    writer: asyncio.StreamWriter = field(repr=False)
    connection: int = 0
    kept: bool = True

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    async def respond(self, body: bytes | Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        """Send a complete response. A body that is not bytes is sent as JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        await self.head(status, {'content-type': JSON, 'content-length': str(len(content)), **(headers or {})})
        await self.write(content)

    async def head(self, status: int, headers: Mapping[str, str]) -> None:
        lines = [f'HTTP/1.1 {status} X', *(f'{name}: {value}' for name, value in headers.items() if value)]
        await self.write(('\r\n'.join(lines) + '\r\n\r\n').encode('latin-1'))

    async def begin(self, content_type: str = EVENT_STREAM, headers: Mapping[str, str] | None = None) -> None:
        """Send the head of a stream."""
        await self.head(200, {'content-type': content_type, 'transfer-encoding': 'chunked', **(headers or {})})

    async def chunk(self, data: bytes) -> None:
        await self.write(b'%x\r\n%s\r\n' % (len(data), data))

    async def event(self, data: Any) -> None:
        await self.chunk(b'data: ' + json.dumps(data).encode() + b'\n\n')

    async def end(self) -> None:
        """Send the regular end of a stream."""
        await self.write(b'0\r\n\r\n')

    async def write(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def drop(self) -> None:
        """Close the connection after the handler, even in the middle of a response."""
        self.kept = False

    def reset(self) -> None:
        """Reset the connection, so that the client gets an error instead of an end."""
        sock: socket.socket = self.writer.get_extra_info('socket')
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        self.kept = False

    async def wait_until_gone(self) -> None:
        """Wait until the client closes the connection."""
        with suppress(ConnectionError):
            while await self.reader.read(65536):
                pass
        self.kept = False


Handler = Callable[[Exchange], Awaitable[None]]


def respond_together(count: int, handler: Handler) -> Handler:
    """A handler that responds to nobody before `count` requests have come: each of them has its own connection."""
    arrived = 0
    everyone = asyncio.Event()

    async def respond(exchange: Exchange) -> None:
        nonlocal arrived
        arrived += 1
        if arrived >= count:
            everyone.set()
        await everyone.wait()
        await handler(exchange)

    return respond


class Server:
    """A server with its requests and the number of its open connections."""

    def __init__(self, handler: Handler) -> None:
        self.handler = handler
        self.requests: list[Exchange] = []
        self.connections = 0
        self.open = 0
        self.url = ''
        self.port = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def run(self) -> AsyncIterator[Server]:
        server = await asyncio.start_server(self._serve, '127.0.0.1', 0, backlog=4096, limit=2**26)
        self.port = server.sockets[0].getsockname()[1]
        self.url = f'http://127.0.0.1:{self.port}'
        try:
            yield self
        finally:
            server.close()
            for writer in self._writers:
                writer.close()
            with suppress(TimeoutError):
                await self.wait_until_closed()

    async def wait_until_closed(self, seconds: float = 1.0) -> None:
        """Wait until no connection is open. Raises `TimeoutError`."""
        await self.until(lambda: not self.open, seconds)

    async def until(self, condition: Callable[[], bool], seconds: float = 1.0) -> None:
        """Wait until a condition is true. Raises `TimeoutError`."""
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(condition)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        self._writers.add(writer)
        number = self.connections
        try:
            while await self._exchange(reader, writer, number):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            self._writers.discard(writer)
            self.open -= 1
            await self._notify()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> bool:
        head = (await reader.readuntil(b'\r\n\r\n')).decode('latin-1').split('\r\n')
        headers = {name.lower(): value for name, _, value in (line.partition(': ') for line in head[1:]) if name}
        body = await reader.readexactly(int(headers.get('content-length', 0)))
        exchange = Exchange(head[0].split(' ')[1], headers, body, reader, writer, number)
        self.requests.append(exchange)
        await self._notify()
        await self.handler(exchange)
        return exchange.kept

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()


@contextmanager
def serve_in_thread(handler: Handler) -> Iterator[Server]:
    """Run a server in its own thread and event loop, for tests that start and end loops."""
    ready, stop = threading.Event(), asyncio.Event()
    found: list[tuple[Server, asyncio.AbstractEventLoop]] = []

    async def main() -> None:
        async with Server(handler).run() as server:
            found.append((server, asyncio.get_running_loop()))
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    ready.wait()
    server, loop = found[0]
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()


def is_closed_soon(server: Server, seconds: float = 5.0) -> bool:
    """Return whether a server in another thread has no open connection, now or within some seconds."""
    waiting = threading.Event()
    for _ in range(round(seconds / 0.02)):
        if not server.open:
            return True
        waiting.wait(0.02)
    return not server.open


@contextmanager
def serve_in_process(handler: Handler) -> Iterator[str]:
    """Run a server in its own process and yield its URL, for tests of memory and speed."""
    spawn = multiprocessing.get_context('spawn')
    here, there = spawn.Pipe(duplex=False)
    process = spawn.Process(target=_run_in_process, args=(handler, there), daemon=True)
    process.start()
    there.close()
    try:
        yield here.recv()
    finally:
        process.kill()
        process.join()
        here.close()


def _run_in_process(handler: Handler, listener: Connection) -> None:
    async def main() -> None:
        async with Server(handler).run() as server:
            listener.send(server.url)
            await asyncio.Event().wait()

    asyncio.run(main())


# ---------------------------------------------------------------------- responses of a chat API


def completion(text: str = 'Hello!', **more: Any) -> dict[str, Any]:
    """Return a chat completion."""
    choice = {'index': 0, 'message': {'role': 'assistant', 'content': text}, 'finish_reason': 'stop'}
    usage = {'prompt_tokens': 3, 'completion_tokens': 2, 'total_tokens': 5}
    return {'id': 'c1', 'object': 'chat.completion', 'model': 'm', 'choices': [choice], 'usage': usage, **more}


def chunk(text: str | None = None, *, finish: str | None = None) -> dict[str, Any]:
    """Return a chunk of a streamed chat completion."""
    delta = {} if text is None else {'content': text}
    choice = {'index': 0, 'delta': delta, 'finish_reason': finish}
    return {'id': 'c1', 'object': 'chat.completion.chunk', 'model': 'm', 'choices': [choice]}


async def send_completion(exchange: Exchange) -> None:
    """Send a chat completion, streamed if the request asks for a stream."""
    if b'"stream":true' in exchange.body.replace(b' ', b''):
        await send_stream(exchange)
    else:
        await exchange.respond(completion())


async def send_stream(exchange: Exchange) -> None:
    """Send a streamed chat completion."""
    await exchange.begin()
    for text in ('Hel', 'lo!'):
        await exchange.event(chunk(text))
    await exchange.event(chunk(finish='stop'))
    await exchange.chunk(b'data: [DONE]\n\n')
    await exchange.end()
