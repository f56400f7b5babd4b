"""A server on loopback whose answers a test writes as a function: what it sends, when it stops, how it breaks."""

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
    """One request, and the means to answer it."""

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

    async def answer(self, body: bytes | Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        """A whole answer; what is not bytes is sent as JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        await self.head(status, {'content-type': JSON, 'content-length': str(len(content)), **(headers or {})})
        await self.write(content)

    async def head(self, status: int, headers: Mapping[str, str]) -> None:
        lines = [f'HTTP/1.1 {status} X', *(f'{name}: {value}' for name, value in headers.items() if value)]
        await self.write(('\r\n'.join(lines) + '\r\n\r\n').encode('latin-1'))

    async def begin(self, content_type: str = EVENT_STREAM, headers: Mapping[str, str] | None = None) -> None:
        """The head of a stream."""
        await self.head(200, {'content-type': content_type, 'transfer-encoding': 'chunked', **(headers or {})})

    async def chunk(self, data: bytes) -> None:
        await self.write(b'%x\r\n%s\r\n' % (len(data), data))

    async def event(self, data: Any) -> None:
        await self.chunk(b'data: ' + json.dumps(data).encode() + b'\n\n')

    async def end(self) -> None:
        """The regular end of a stream."""
        await self.write(b'0\r\n\r\n')

    async def write(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def drop(self) -> None:
        """Close the connection, whatever has been sent."""
        self.kept = False

    def reset(self) -> None:
        """Break the connection: the client gets a reset instead of an end."""
        sock: socket.socket = self.writer.get_extra_info('socket')
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        self.kept = False

    async def gone(self) -> None:
        """Wait until the client closes the connection."""
        with suppress(ConnectionError):
            while await self.reader.read(65536):
                pass
        self.kept = False


Handler = Callable[[Exchange], Awaitable[None]]


class Server:
    """What was asked, and how many connections are open."""

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
                await self.all_closed()

    async def all_closed(self, seconds: float = 1.0) -> None:
        """Wait until no connection is open. Raises `TimeoutError`."""
        await self.until(lambda: not self.open, seconds)

    async def until(self, condition: Callable[[], bool], seconds: float = 1.0) -> None:
        """Wait until something is true of this server. Raises `TimeoutError`."""
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
            await self._tell()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> bool:
        head = (await reader.readuntil(b'\r\n\r\n')).decode('latin-1').split('\r\n')
        headers = {name.lower(): value for name, _, value in (line.partition(': ') for line in head[1:]) if name}
        body = await reader.readexactly(int(headers.get('content-length', 0)))
        exchange = Exchange(head[0].split(' ')[1], headers, body, reader, writer, number)
        self.requests.append(exchange)
        await self._tell()
        await self.handler(exchange)
        return exchange.kept

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()


@contextmanager
def serve_in_thread(handler: Handler) -> Iterator[Server]:
    """A server with a thread and a loop of its own, for tests that begin and end loops."""
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


def closed(server: Server, seconds: float = 5.0) -> bool:
    """Whether a server in another thread has no connection any more, now or soon."""
    waiting = threading.Event()
    for _ in range(round(seconds / 0.02)):
        if not server.open:
            return True
        waiting.wait(0.02)
    return not server.open


@contextmanager
def serve_in_process(handler: Handler) -> Iterator[str]:
    """The address of a server in a process of its own, for tests of what this one holds and how much it can do."""
    spawn = multiprocessing.get_context('spawn')
    here, there = spawn.Pipe(duplex=False)
    process = spawn.Process(target=_run, args=(handler, there), daemon=True)
    process.start()
    there.close()
    try:
        yield here.recv()
    finally:
        process.kill()
        process.join()
        here.close()


def _run(handler: Handler, listener: Connection) -> None:
    async def main() -> None:
        async with Server(handler).run() as server:
            listener.send(server.url)
            await asyncio.Event().wait()

    asyncio.run(main())


# ---------------------------------------------------------------------- what a chat API says


def completion(text: str = 'Hello!', **more: Any) -> dict[str, Any]:
    """A whole chat completion."""
    choice = {'index': 0, 'message': {'role': 'assistant', 'content': text}, 'finish_reason': 'stop'}
    usage = {'prompt_tokens': 3, 'completion_tokens': 2, 'total_tokens': 5}
    return {'id': 'c1', 'object': 'chat.completion', 'model': 'm', 'choices': [choice], 'usage': usage, **more}


def chunk(text: str | None = None, *, finish: str | None = None) -> dict[str, Any]:
    """A chunk of a streamed one."""
    delta = {} if text is None else {'content': text}
    choice = {'index': 0, 'delta': delta, 'finish_reason': finish}
    return {'id': 'c1', 'object': 'chat.completion.chunk', 'model': 'm', 'choices': [choice]}


async def whole(exchange: Exchange) -> None:
    """Answer, streamed where a stream is asked for."""
    if b'"stream":true' in exchange.body.replace(b' ', b''):
        await streamed(exchange)
    else:
        await exchange.answer(completion())


async def streamed(exchange: Exchange) -> None:
    """Answer with a stream."""
    await exchange.begin()
    for text in ('Hel', 'lo!'):
        await exchange.event(chunk(text))
    await exchange.event(chunk(finish='stop'))
    await exchange.chunk(b'data: [DONE]\n\n')
    await exchange.end()
