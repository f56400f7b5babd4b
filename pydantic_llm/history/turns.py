"""Finds places for shortening a conversation that separate no tool call from its result.

A turn begins with a request of the user, and has the responses and tool results up to the next one. A step is a
response with the requests that follow it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice, takewhile

from ..messages import ModelMessage, ModelRequest, ModelResponse, UserPromptPart
from ..messages.history import keep_system_prompts
from ..messages.request import is_tool_result

__all__ = ('find_last_turns', 'find_opening', 'find_steps')


def find_last_turns(messages: Sequence[ModelMessage]) -> Iterator[int]:
    """Yield the index of the first message of each turn, the last turn first."""
    return (index for index in range(len(messages) - 1, -1, -1) if _begins_turn(messages[index]))


def _begins_turn(message: ModelMessage) -> bool:
    """Return whether a message has a prompt of the user, and no result of an earlier tool call."""
    return (
        isinstance(message, ModelRequest)
        and any(isinstance(part, UserPromptPart) for part in message.parts)
        and not any(map(is_tool_result, message.parts))
    )


def find_steps(messages: Sequence[ModelMessage]) -> Iterator[int]:
    """Yield the index of each response, the last one first."""
    return (index for index in range(len(messages) - 1, -1, -1) if isinstance(messages[index], ModelResponse))


def find_opening(messages: Sequence[ModelMessage], end: int) -> list[ModelMessage]:
    """Return a request with the system prompts before the first response and before `end`, if there are any."""
    opening = takewhile(lambda message: isinstance(message, ModelRequest), islice(messages, max(end, 0)))
    return keep_system_prompts(list(opening))
