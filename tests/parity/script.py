"""A model that says what a script says, for these programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic_llm.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_llm.models.function import AgentInfo, FunctionModel

Line = str | ToolCallPart | list[str | ToolCallPart] | Callable[[list[ModelMessage]], str]


def play(*lines: Line) -> FunctionModel:
    """Return a model that gives these responses, one for each request."""
    rest = iter(lines)

    def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        line = next(rest)
        if callable(line):
            line = line(messages)
        items = line if isinstance(line, list) else [line]
        return ModelResponse(parts=[TextPart(item) if isinstance(item, str) else item for item in items])

    return FunctionModel(respond)


def call(tool: str, call_id: str = 'call_1', /, **arguments: Any) -> ToolCallPart:
    """Return a tool call."""
    return ToolCallPart(tool_name=tool, args=arguments, tool_call_id=call_id)


def kinds(messages: list[ModelMessage]) -> list[list[str]]:
    """Return the kinds of the parts of each message."""
    return [[part.part_kind for part in message.parts] for message in messages]


def told(part: Any) -> str:
    """Return the text that the model gets for the result of a tool call, or for one that it should try again."""
    text: str = part.model_response_str() if part.part_kind == 'tool-return' else part.model_response()
    return text
