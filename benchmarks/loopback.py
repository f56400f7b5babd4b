"""A server on loopback that answers everybody the same, after some time, in a process of its own."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

HEAD = b'HTTP/1.1 200 OK\r\ncontent-type: %s\r\n%s\r\n\r\n'


@dataclass(frozen=True, slots=True)
class Answers:
    """What the server says."""

    whole: bytes
    """A body of JSON."""
    content_type: str
    """What a stream is made of."""
    pieces: Sequence[bytes]
    """The pieces of a stream."""
    is_stream: Callable[[bytes, bytes], bool]
    """Whether a request, by its head and its body, wants a stream."""


@contextmanager
def server(module: str, latency: float, gap: float = 0.0) -> Iterator[str]:
    """The address of a server that runs a module of benchmarks; both times are in seconds."""
    command = [sys.executable, '-m', module, str(latency), str(gap)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield f'http://127.0.0.1:{process.stdout.readline().strip()}'
        finally:
            process.terminate()


def serve(answers: Answers) -> None:
    """Serve until the process is ended: print the port, and take the latency and the gap from the command line."""
    latency, gap = float(sys.argv[1]), float(sys.argv[2])
    asyncio.run(_serve_all(answers, latency, gap))


async def _serve_all(answers: Answers, latency: float, gap: float) -> None:
    whole = HEAD % (b'application/json', b'content-length: %d' % len(answers.whole)) + answers.whole
    begun = HEAD % (answers.content_type.encode(), b'transfer-encoding: chunked')
    chunks = [b'%x\r\n%s\r\n' % (len(piece), piece) for piece in answers.pieces]

    async def answer_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := (await reader.readuntil(b'\r\n\r\n')).lower():
            length = next(line for line in head.split(b'\r\n') if line.startswith(b'content-length:'))
            body = await reader.readexactly(int(length.partition(b':')[2]))
            await asyncio.sleep(latency)
            if not answers.is_stream(head, body):
                writer.write(whole)
                continue
            writer.write(begun)
            for chunk in chunks:
                writer.write(chunk)
                await asyncio.sleep(gap)
            writer.write(b'0\r\n\r\n')

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await answer_all(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    listening = await asyncio.start_server(connected, '127.0.0.1', 0, backlog=4096)
    print(listening.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()
