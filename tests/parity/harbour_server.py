"""An MCP server of the official package: `python harbour_server.py PORT`."""

from __future__ import annotations

import sys

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError

server = MCPServer('harbour', instructions='Berths are numbered from the west.')


@server.tool()
def find_berth(ship: str) -> int:
    """Find the berth of a ship."""
    if ship != 'Fram':
        raise ToolError(f'There is no ship {ship!r}.')
    return 7


@server.tool()
def sign(ctx: Context) -> str:
    """Return who calls."""
    meta = ctx.request_context.meta
    return str((meta or {}).get('captain', 'nobody'))


@server.resource('harbour://rules', mime_type='text/plain')
def rules() -> str:
    return 'Keep to starboard.'


if __name__ == '__main__':
    server.run('streamable-http', host='127.0.0.1', port=int(sys.argv[1]))
