"""Splits turns with several tool calls, for chat templates that take one call in a turn (Llama 3.1's, for example)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ...messages import ModelMessage, ModelRequest, ModelResponse, ToolCallPart
from ...messages.request import ModelRequestPart, is_tool_result

__all__ = ('split_parallel_calls',)


def split_parallel_calls(messages: Sequence[ModelMessage]) -> Sequence[ModelMessage]:
    """Return the messages with one tool call in each response, followed by its result."""
    split: list[ModelMessage] = []
    waiting = list(messages)
    while waiting:
        message = waiting.pop(0)
        has_several = isinstance(message, ModelResponse) and _count_calls(message) > 1
        if has_several and waiting and isinstance(results := waiting[0], ModelRequest):
            waiting.pop(0)
            split += _split(message, results)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] -- it has calls
        else:
            split.append(message)
    return split


def _count_calls(message: ModelResponse) -> int:
    return sum(isinstance(part, ToolCallPart) for part in message.parts)


def _split(response: ModelResponse, request: ModelRequest) -> Iterator[ModelMessage]:
    """Yield a response and a request for each call. What is no result is in the last request."""
    calls = [part for part in response.parts if isinstance(part, ToolCallPart)]
    others = [part for part in response.parts if not isinstance(part, ToolCallPart)]
    rest = list(request.parts)
    for call in calls:
        yield replace(response, parts=[*others, call])
        others = []
        results = [part for part in rest if is_tool_result(part) and _get_id(part) == call.tool_call_id]
        rest = [part for part in rest if part not in results]
        yield replace(request, parts=results + (rest if call is calls[-1] else []))


def _get_id(part: ModelRequestPart) -> str | None:
    return getattr(part, 'tool_call_id', None)
