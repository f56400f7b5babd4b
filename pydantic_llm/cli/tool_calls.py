"""`ErrorReportingToolset`: tools whose errors do not end the program. `ask_for_approval` asks the user first."""

from __future__ import annotations

import sys
from typing import Any

from ..exceptions import ApprovalRequired, CallDeferred, LLMError, ModelRetry, ToolFailed, UserError
from ..messages import ToolCallPart
from ..tools.context import RunContext
from ..tools.deferred import DeferredToolRequests, DeferredToolResults, ToolDenied
from ..toolsets import ToolsetTool
from ..toolsets.toolset import WrapperToolset

__all__ = ('ErrorReportingToolset', 'ask_for_approval')


class ErrorReportingToolset(WrapperToolset[None]):
    """The tools of another toolset. The model gets their errors as failed results."""

    async def call_tool(
        self, name: str, tool_args: dict[str, Any], ctx: RunContext[None], tool: ToolsetTool[None]
    ) -> Any:
        try:
            return await super().call_tool(name, tool_args, ctx, tool)
        except (LLMError, ModelRetry, ToolFailed, ApprovalRequired, CallDeferred):
            raise
        except Exception as error:
            raise ToolFailed(f'{type(error).__name__}: {error}') from error


def ask_for_approval(requests: DeferredToolRequests) -> DeferredToolResults:
    """Ask on the terminal which of the tool calls may be executed. Raises `UserError` without a terminal."""
    if requests.calls:
        raise UserError(f'The tool {requests.calls[0].tool_name!r} is executed elsewhere: it cannot be called here')
    if not sys.stdin.isatty():
        raise UserError(
            f'The tool {requests.approvals[0].tool_name!r} needs an approval: the standard input must be a terminal'
        )
    denied = ToolDenied('The user did not approve this call.')
    return requests.build_results(
        approvals={call.tool_call_id: _is_approved(call) or denied for call in requests.approvals}
    )


def _is_approved(call: ToolCallPart) -> bool:
    print(f'Call {call.tool_name}({call.args_as_json_str()})? [y/N] ', end='', file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ('y', 'yes')
