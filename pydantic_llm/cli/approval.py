"""`AskingToolset`: a toolset whose calls the user of the command line approves."""

from __future__ import annotations

import sys
from typing import Any

from ..exceptions import ToolFailed, UserError
from ..tools.context import RunContext
from ..toolsets import ToolsetTool
from ..toolsets.toolset import WrapperToolset

__all__ = ('AskingToolset',)


class AskingToolset(WrapperToolset[None]):
    """The tools of another toolset. Before each call, the terminal asks if it may be executed."""

    async def call_tool(
        self, name: str, tool_args: dict[str, Any], ctx: RunContext[None], tool: ToolsetTool[None]
    ) -> Any:
        if not _is_approved(name, tool_args):
            raise ToolFailed('The user did not approve this call.')
        return await super().call_tool(name, tool_args, ctx, tool)


def _is_approved(name: str, tool_args: dict[str, Any]) -> bool:
    """Ask on the terminal. Raises `UserError` if the standard input is not one."""
    if not sys.stdin.isatty():
        raise UserError('--approve needs a terminal as the standard input')
    shown = ', '.join(f'{key}={value!r}' for key, value in tool_args.items())
    print(f'Call {name}({shown})? [y/N] ', end='', file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ('y', 'yes')
