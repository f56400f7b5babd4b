"""`HiddenRounds`: the messages of runs that ended with a call of a caller's tool.

The caller gets the tool calls alone, and sends them back with their results. The model needs what came before them in
the run: the calls and the results of the agent's own tools, and the signatures of its thinking.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from threading import Lock

from ..exceptions import UserError
from ..messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    ThinkingPart,
    ToolCallPart,
)
from ..messages._value import new_tool_call_id
from ..tools.deferred import DeferredToolRequests
from .run_state import RunState
from .visible_parts import AGENT

__all__ = ('MOST_CALLS', 'HiddenRounds')

MOST_CALLS = 1000
"""The number of tool calls whose messages are kept; the oldest are dropped."""


class HiddenRounds:
    """The messages of runs that ended with calls of a caller's tools, by the ids of these calls.

    Each call gets an id of its own, since servers use the same ids again: the messages of one caller must not get into
    the conversation of another.
    """

    def __init__(self) -> None:
        self._messages: dict[str, Sequence[ModelMessage]] = {}
        self._lock = Lock()

    def keep(self, run: RunState, requests: DeferredToolRequests) -> list[ToolCallPart]:
        """Keep the messages of a run, and return its open calls with their new ids.

        Raises `UserError` for a call that the caller cannot execute, since it is not one of its tools.
        """
        for call in (*requests.approvals, *requests.calls):
            if call.tool_name not in run.caller_tools:
                raise UserError(
                    f'The call of {call.tool_name!r} must be approved or executed elsewhere, which the caller of an '
                    'AgentModel cannot do: run the agent itself, with DeferredToolRequests in its output_type'
                )
        ids = {call.tool_call_id: new_tool_call_id() for call in requests.calls}
        calls = [replace(call, tool_call_id=ids[call.tool_call_id]) for call in requests.calls]
        messages = [_rename_calls(message, ids) for message in run.messages[run.conversation.first_new :]]
        with self._lock:
            self._messages |= dict.fromkeys(ids.values(), messages)
            for id in [*self._messages][: max(len(self._messages) - MOST_CALLS, 0)]:
                del self._messages[id]
        return calls

    def restore(self, history: Sequence[ModelMessage]) -> list[ModelMessage]:
        """Return the history with the messages that were kept, in place of the responses that the caller got."""
        restored: list[ModelMessage] = []
        for message in history:
            last = restored[-1] if restored else None
            if isinstance(message, ModelResponse):
                restored += self._find(message)
            elif isinstance(last, ModelRequest):
                restored[-1] = replace(message, parts=[*last.parts, *message.parts])
            else:
                restored.append(message)
        return restored

    def _find(self, response: ModelResponse) -> Sequence[ModelMessage]:
        """Return what was kept for a response; without that, the response without the thinking of an `AgentModel`."""
        for call in response.tool_calls:
            if (messages := self._messages.get(call.tool_call_id)) is not None:
                return messages
        parts = [part for part in response.parts if not _is_thinking_of_agent(part)]
        return [response if len(parts) == len(response.parts) else replace(response, parts=parts)]


def _is_thinking_of_agent(part: object) -> bool:
    return isinstance(part, ThinkingPart) and part.provider_name == AGENT


def _rename_calls(message: ModelMessage, ids: dict[str, str]) -> ModelMessage:
    """Return the message with the new ids of its tool calls."""
    if not isinstance(message, ModelResponse) or not any(call.tool_call_id in ids for call in message.tool_calls):
        return message
    parts = [
        replace(part, tool_call_id=ids.get(part.tool_call_id, part.tool_call_id))
        if isinstance(part, ToolCallPart)
        else part
        for part in message.parts
    ]
    return replace(message, parts=parts)
