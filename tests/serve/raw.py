"""Raw connections to a server, for requests that no HTTP client sends."""

from __future__ import annotations

import asyncio
from contextlib import suppress


async def open_connection(url: str, *, limit: int = 2**16) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, port = url.removeprefix('http://').split(':')
    return await asyncio.open_connection(host, int(port), limit=limit)


async def exchange_bytes(url: str, request: bytes) -> bytes:
    """Send bytes, and return what the server sends until it closes the connection, or for two seconds."""
    reader, writer = await open_connection(url)
    received = bytearray()
    with suppress(ConnectionError, TimeoutError):
        writer.write(request)
        async with asyncio.timeout(2):
            while data := await reader.read(65536):
                received += data
    writer.close()
    return bytes(received)
