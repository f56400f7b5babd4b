"""`load_mcp_toolsets`: servers from a JSON file of the form that Claude Desktop, Cursor and VS Code read."""

from __future__ import annotations

import json
import os
import re
from os import PathLike
from pathlib import Path
from typing import Any, cast

from ..exceptions import UserError
from .toolset import MCPToolset

__all__ = ('load_mcp_toolsets',)

VARIABLE = re.compile(r'\$\{(\w+)(?::-([^}]*))?\}')
"""`${NAME}`, or `${NAME:-default}`."""


def load_mcp_toolsets(path: str | PathLike[str]) -> list[MCPToolset[Any]]:
    """Return a toolset for each server in a file, with the server's name as its `id`.

    `${NAME}` is replaced by an environment variable, `${NAME:-default}` has a default. Raises `UserError`, naming the
    server, for a file or an entry that cannot be read, and for a variable that is not set.
    """
    try:
        content: Any = json.loads(Path(path).read_text(encoding='utf-8'))
    except (OSError, ValueError) as error:
        raise UserError(f'The MCP configuration {str(path)!r} cannot be read: {error}') from None
    table = cast('dict[str, object]', content) if isinstance(content, dict) else {}
    servers = table.get('mcpServers', table.get('servers'))  # the second is VS Code's
    if not isinstance(servers, dict):
        raise UserError(f"The MCP configuration {str(path)!r} has no object 'mcpServers'")
    return [_make_toolset(name, entry) for name, entry in cast('dict[str, Any]', servers).items()]


def _make_toolset(name: str, entry: Any) -> MCPToolset[Any]:
    match _replace_variables(entry, name):
        case {'command': str() as command, **rest}:
            options = {key: rest[key] for key in ('env', 'cwd') if rest.get(key)}
            return MCPToolset.stdio(command, *rest.get('args', ()), id=name, **options)
        case {'url': str() as url, 'type': 'sse', **rest}:
            return MCPToolset.sse(url, headers=rest.get('headers'), id=name)
        case {'url': str() as url, **rest}:
            return MCPToolset(url, headers=rest.get('headers'), id=name)
        case _:
            raise UserError(f"The MCP server {name!r} has neither a 'command' nor a 'url'")


def _replace_variables(value: Any, server: str) -> Any:
    """Return a value with environment variables in all of its texts."""
    match value:
        case str():
            return VARIABLE.sub(lambda match: _read_variable(match, server), value)
        case dict():
            return {key: _replace_variables(item, server) for key, item in cast('dict[str, Any]', value).items()}
        case list():
            return [_replace_variables(item, server) for item in cast('list[Any]', value)]
        case _:
            return value


def _read_variable(match: re.Match[str], server: str) -> str:
    name: str = match[1]
    default: str | None = match[2]
    value = os.environ.get(name, default)
    if value is None:
        raise UserError(f'The MCP server {server!r} needs the environment variable {name}, which is not set')
    return value
