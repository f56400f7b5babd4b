"""`CalledToolset`: tools whose failure does not end the program, and whose calls the user may approve."""

from __future__ import annotations

import sys
from typing import Any

from ..exceptions import ApprovalRequired, CallDeferred, LLMError, ModelRetry, ToolFailed, UserError
from ..tools.context import RunContext
from ..toolsets import AbstractToolset, ToolsetTool
from ..toolsets.toolset import WrapperToolset

__all__ = ('CalledToolset',)


class CalledToolset(WrapperToolset[None]):
    """The tools of another toolset, whose errors the model gets. With `approve`, the terminal asks before each call."""

    def __init__(self, wrapped: AbstractToolset[None], *, approve: bool) -> None:
        super().__init__(wrapped)
        self._approve = approve

    async def call_tool(
        self, name: str, tool_args: dict[str, Any], ctx: RunContext[None], tool: ToolsetTool[None]
    ) -> Any:
        if self._approve and not _is_approved(name, tool_args):
            raise ToolFailed('The user did not approve this call.')
        try:
            return await super().call_tool(name, tool_args, ctx, tool)
        except (LLMError, ModelRetry, ToolFailed, ApprovalRequired, CallDeferred):
            raise
        except Exception as error:
            raise ToolFailed(f'{type(error).__name__}: {error}') from error


def _is_approved(name: str, tool_args: dict[str, Any]) -> bool:
    """Ask on the terminal. Raises `UserError` if the standard input is not one."""
    if not sys.stdin.isatty():
        raise UserError('--approve needs a terminal as the standard input')
    shown = ', '.join(f'{key}={value!r}' for key, value in tool_args.items())
    print(f'Call {name}({shown})? [y/N] ', end='', file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ('y', 'yes')
