"""A server on loopback, in its own process, that sends the same response to every request, after a delay."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

HEAD = b'HTTP/1.1 200 OK\r\ncontent-type: %s\r\n%s\r\n\r\n'


@dataclass(frozen=True, slots=True)
class Responses:
    """The response of a server to every request."""

    body: bytes
    """The JSON body of a response that is not streamed."""
    content_type: str
    """The content type of a stream."""
    chunks: Sequence[bytes]
    """The chunks of a stream."""
    is_stream: Callable[[bytes, bytes], bool]
    """Returns whether a request asks for a stream, given its head and its body."""


@contextmanager
def server(module: str, latency: float, gap: float = 0.0) -> Iterator[str]:
    """Run a server, a module of `benchmarks`, in a process. Yield its URL. Both delays are in seconds."""
    command = [sys.executable, '-m', module, str(latency), str(gap)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield f'http://127.0.0.1:{process.stdout.readline().strip()}'
        finally:
            process.terminate()


def serve(responses: Responses) -> None:
    """Print the port, and serve until the process ends. The latency and the gap are command-line arguments."""
    latency, gap = float(sys.argv[1]), float(sys.argv[2])
    asyncio.run(_serve_forever(responses, latency, gap))


async def _serve_forever(responses: Responses, latency: float, gap: float) -> None:
    whole = HEAD % (b'application/json', b'content-length: %d' % len(responses.body)) + responses.body
    stream_head = HEAD % (responses.content_type.encode(), b'transfer-encoding: chunked')
    chunks = [b'%x\r\n%s\r\n' % (len(chunk), chunk) for chunk in responses.chunks]

    async def respond_to_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := (await reader.readuntil(b'\r\n\r\n')).lower():
            length = next(line for line in head.split(b'\r\n') if line.startswith(b'content-length:'))
            body = await reader.readexactly(int(length.partition(b':')[2]))
            await asyncio.sleep(latency)
            if not responses.is_stream(head, body):
                writer.write(whole)
                continue
            writer.write(stream_head)
            for chunk in chunks:
                writer.write(chunk)
                await asyncio.sleep(gap)
            writer.write(b'0\r\n\r\n')

    async def handle_connection(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await respond_to_all(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    listening = await asyncio.start_server(handle_connection, '127.0.0.1', 0, backlog=4096)
    print(listening.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()
