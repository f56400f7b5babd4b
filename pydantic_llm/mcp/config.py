"""`load_mcp_toolsets`: servers from a JSON file of the form that Claude Desktop, Cursor and VS Code read."""

from __future__ import annotations

import json
import os
import re
from os import PathLike
from pathlib import Path
from typing import Any, cast

from ..exceptions import UserError
from ..toolsets import AbstractToolset
from .toolset import MCPToolset

__all__ = ('load_mcp_toolsets',)

VARIABLE = re.compile(r'\$\{(\w+)(?::-([^}]*))?\}')
"""`${NAME}`, or `${NAME:-default}`."""


def load_mcp_toolsets(path: str | PathLike[str]) -> list[AbstractToolset[Any]]:
    """Return a toolset for each server in a file, with the server's name as its `id` and before the names of its tools.

    The tool `read` of the server `files` is `files_read`, so that servers may have tools of the same name.
    `${NAME}` is replaced by an environment variable, `${NAME:-default}` has a default. Raises `UserError`, naming the
    server, for a file or an entry that cannot be read, and for a variable that is not set.
    """
    try:
        content: object = json.loads(Path(path).read_text(encoding='utf-8'))
    except (OSError, ValueError) as error:
        raise UserError(f'The MCP configuration {str(path)!r} cannot be read: {error}') from None
    servers: object = None
    if isinstance(content, dict):
        table = cast('dict[str, object]', content)
        servers = table.get('mcpServers', table.get('servers'))  # the second is VS Code's
    if not isinstance(servers, dict):
        raise UserError(f"The MCP configuration {str(path)!r} has no object 'mcpServers'")
    toolsets = {name: _make_toolset(name, entry) for name, entry in cast('dict[str, object]', servers).items()}
    return [toolset.prefixed(re.sub('[^a-zA-Z0-9_-]', '_', name)) for name, toolset in toolsets.items()]


def _make_toolset(name: str, entry: object) -> MCPToolset[Any]:
    replaced = _replace_variables(entry, name)
    given = cast('dict[str, Any]', replaced) if isinstance(replaced, dict) else {}
    headers = given.get('headers')
    if isinstance(command := given.get('command'), str):
        options = {key: given[key] for key in ('env', 'cwd') if given.get(key)}
        return MCPToolset.stdio(command, *given.get('args', ()), id=name, **options)
    if not isinstance(url := given.get('url'), str):
        raise UserError(f"The MCP server {name!r} has neither a 'command' nor a 'url'")
    if given.get('type') == 'sse':
        return MCPToolset.sse(url, headers=headers, id=name)
    return MCPToolset(url, headers=headers, id=name)


def _replace_variables(value: object, server: str) -> Any:
    """Return a value with environment variables in all of its texts."""
    if isinstance(value, str):
        return VARIABLE.sub(lambda match: _read_variable(match, server), value)
    if isinstance(value, dict):
        table = cast('dict[str, object]', value)
        return {key: _replace_variables(item, server) for key, item in table.items()}
    if isinstance(value, list):
        return [_replace_variables(item, server) for item in cast('list[object]', value)]
    return value


def _read_variable(match: re.Match[str], server: str) -> str:
    name: str = match[1]
    default: str | None = match[2]
    value = os.environ.get(name, default)
    if value is None:
        raise UserError(f'The MCP server {server!r} needs the environment variable {name}, which is not set')
    return value
