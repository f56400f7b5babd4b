"""A Bedrock on loopback that answers everybody the same, after some time.

`python -m benchmarks.bedrock_server 0.2 0.01`: the latency, and the time between two events of a stream, in seconds. It
prints its port.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from pydantic_llm.transport.eventstream import CONTENT_TYPE, encode_frame

Json = dict[str, Any]

WORDS = 20
"""How many pieces of text a stream has."""

USAGE = {'inputTokens': 3, 'outputTokens': WORDS, 'totalTokens': WORDS + 3}
METRICS = {'latencyMs': 1}
MESSAGE = {'role': 'assistant', 'content': [{'text': ' sunny' * WORDS}]}
ANSWER = json.dumps(
    {'output': {'message': MESSAGE}, 'stopReason': 'end_turn', 'usage': USAGE, 'metrics': METRICS}
).encode()

WORD = {'contentBlockIndex': 0, 'delta': {'text': ' sunny'}, 'p': 'abcdefghijklmnop'}
EVENTS: tuple[tuple[str, Json], ...] = (
    ('messageStart', {'role': 'assistant'}),
    *[('contentBlockDelta', WORD)] * WORDS,
    ('contentBlockStop', {'contentBlockIndex': 0}),
    ('messageStop', {'stopReason': 'end_turn'}),
    ('metadata', {'usage': USAGE, 'metrics': METRICS}),
)


def _chunk(name: str, payload: Json) -> bytes:
    headers = {':event-type': name, ':content-type': 'application/json', ':message-type': 'event'}
    frame = encode_frame(headers, json.dumps(payload).encode())
    return b'%x\r\n%s\r\n' % (len(frame), frame)


CHUNKS = tuple(_chunk(name, payload) for name, payload in EVENTS)
HEAD = b'HTTP/1.1 200 OK\r\ncontent-type: %s\r\n%s\r\n\r\n'
WHOLE = HEAD % (b'application/json', b'content-length: %d' % len(ANSWER)) + ANSWER
BEGUN = HEAD % (CONTENT_TYPE.encode(), b'transfer-encoding: chunked')


async def _serve(latency: float, gap: float, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the requests of one connection."""
    while head := (await reader.readuntil(b'\r\n\r\n')).lower():
        length = next(line for line in head.split(b'\r\n') if line.startswith(b'content-length:'))
        await reader.readexactly(int(length.partition(b':')[2]))
        await asyncio.sleep(latency)
        if b'converse-stream ' not in head:
            writer.write(WHOLE)
            continue
        writer.write(BEGUN)
        for chunk in CHUNKS:
            writer.write(chunk)
            await asyncio.sleep(gap)
        writer.write(b'0\r\n\r\n')


async def main(latency: float, gap: float) -> None:
    """Serve until the process is ended."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await _serve(latency, gap, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(serve, '127.0.0.1', 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


if __name__ == '__main__':
    asyncio.run(main(float(sys.argv[1]), float(sys.argv[2])))
