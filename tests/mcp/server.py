"""An MCP server of the official package: `python server.py [stdio|sse|streamable-http] [PORT]`."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from mcp.server.mcpserver import Context, Image, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import AudioContent, EmbeddedResource, TextContent, TextResourceContents
from pydantic import BaseModel

PIXEL = bytes.fromhex(
    '89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c4944415408d763f8cfc0000003010100'
    'c9fe92ef0000000049454e44ae426082'
)

server = MCPServer('weather', instructions='Name the unit.')


class Report(BaseModel):
    city: str
    degrees: float


@server.tool()
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@server.tool()
def report(city: str) -> Report:
    return Report(city=city, degrees=-3.0)


@server.tool(structured_output=False)
def mixed() -> list[TextContent | Image | AudioContent | EmbeddedResource]:
    resource = TextResourceContents(uri='file:///note.txt', text='a note', mime_type='text/plain')
    return [
        TextContent(text='a picture'),
        Image(data=PIXEL, format='png'),
        AudioContent(data='AAAA', mime_type='audio/wav'),
        EmbeddedResource(resource=resource),
    ]


@server.tool()
def fail(reason: str) -> str:
    raise ToolError(reason)


@server.tool()
async def slow(ctx: Context, steps: int) -> str:
    for step in range(steps):
        await ctx.report_progress(step, steps, f'step {step}')
        await asyncio.sleep(0.001)
    return 'done'


@server.tool()
def crash(flag: str) -> str:
    """End the server, once per flag file."""
    if Path(flag).exists():
        return 'alive again'
    Path(flag).touch()
    os._exit(1)


@server.tool()
def environment(variable: str) -> str:
    return os.environ.get(variable, 'not set')


if __name__ == '__main__':
    transport, port = (*sys.argv[1:], 'stdio', '0')[:2]
    options = {} if transport == 'stdio' else {'port': int(port), 'host': '127.0.0.1'}
    server.run(transport, **options)
