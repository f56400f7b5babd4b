"""Imports objects by `module:name` or `file.py:name`, and makes the toolsets of `--tool` and `--mcp`."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, cast

from ..exceptions import UserError

__all__ = ('import_object', 'make_toolsets')


def import_object(text: str, *, option: str) -> Any:
    """Import `module:name` or `file.py:name`. Modules of the current folder can be imported too. Raises `UserError`."""
    place, _, name = text.rpartition(':')
    if not place or not name:
        raise UserError(f'{option} {text!r} has no name: write module:name or file.py:name')
    module = _import_file(Path(place), option) if place.endswith('.py') else _import_module(place, option)
    if not hasattr(module, name):
        raise UserError(f'{option} {text!r}: {place!r} has no {name!r}')
    return getattr(module, name)


def _import_module(name: str, option: str) -> Any:
    if '' not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))  # as `python -m` does; a console script has its own folder there
    try:
        return import_module(name)
    except Exception as error:
        raise UserError(f'{option} cannot import {name!r}: {type(error).__name__}: {error}') from error


def _import_file(path: Path, option: str) -> Any:
    if not path.is_file():
        raise UserError(f'{option}: there is no file {str(path)!r}')
    name = path.stem
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UserError(f'{option}: {str(path)!r} is not a Python file')
    module = sys.modules[name] = module_from_spec(spec)  # for annotations, which are resolved by the module's name
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise UserError(f'{option} cannot import {str(path)!r}: {type(error).__name__}: {error}') from error
    return module


def make_toolsets(tools: Sequence[str], servers: Sequence[str], *, approve: bool) -> list[Any]:
    """Return the toolsets of `--tool` and `--mcp`. A `--tool` may also name a `Tool`, a toolset or a list of functions.

    With `approve`, the user is asked before each call.
    """
    if not tools and not servers:
        return []
    from ..tools.tool import Tool
    from ..toolsets import AbstractToolset, FunctionToolset
    from .tool_calls import ErrorReportingToolset

    functions: list[Any] = []
    toolsets: list[Any] = []
    for text in tools:
        found = import_object(text, option='--tool')
        for item in cast('list[Any]', found) if isinstance(found, (list, tuple)) else [found]:
            if not isinstance(item, (Tool, AbstractToolset)) and not callable(item):
                raise UserError(f'--tool {text!r} is not a function, a Tool or a toolset')
            (toolsets if isinstance(item, AbstractToolset) else functions).append(item)
    if functions:
        toolsets.append(FunctionToolset(functions))
    for server in servers:
        toolsets += _connect(server)
    reporting = [ErrorReportingToolset(toolset) for toolset in toolsets]
    return [toolset.approval_required() for toolset in reporting] if approve else [*reporting]


def _connect(server: str) -> list[Any]:
    """Return the toolsets of an MCP server: a URL, a file of servers, or a command."""
    from ..mcp import MCPToolset, load_mcp_toolsets

    if server.startswith(('http://', 'https://')):
        return [MCPToolset[None](server)]
    if server.endswith('.json') and Path(server).exists():
        return [*load_mcp_toolsets(server)]
    command, *arguments = shlex.split(server) or ['']
    if not command:
        raise UserError('--mcp is empty: give a command, a URL or a JSON file')
    return [MCPToolset.stdio(command, *arguments)]
