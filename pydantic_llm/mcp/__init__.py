"""Tools of MCP servers: `MCPToolset`, over the official `mcp` package (`pip install 'pydantic-llm[mcp]'`).

Read `toolset` (the tools of a server), `connection` (its session, shared by concurrent runs), `content` (results of
tools as messages have them) and `config` (servers in a file, as other programs have it).

https://modelcontextprotocol.io/specification
"""

from __future__ import annotations

from .config import load_mcp_toolsets
from .connection import MCPLog, MCPProgress
from .toolset import CallToolFunc, MCPToolset, ProcessToolCallback, ToolErrorBehavior

__all__ = (
    'CallToolFunc',
    'MCPLog',
    'MCPProgress',
    'MCPToolset',
    'ProcessToolCallback',
    'ToolErrorBehavior',
    'load_mcp_toolsets',
)
