"""Writes messages as a text that a model can summarize."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..messages import (
    CompactionPart,
    FilePart,
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponsePart,
    NativeToolCallPart,
    NativeToolReturnPart,
    RetryPromptPart,
    TextContent,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
)
from ..messages.request import is_file
from ..models.estimate import BYTES_PER_TOKEN
from .media import describe_file

__all__ = ('split_transcript',)


def split_transcript(messages: Sequence[ModelMessage], max_tokens: int) -> Iterator[str]:
    """Yield the transcript of the messages in pieces of at most this many estimated tokens.

    A message that is longer by itself is truncated.
    """
    size = max_tokens * BYTES_PER_TOKEN
    lines: list[str] = []
    length = 0
    for line in _write_lines(messages):
        shortened = line if len(line) <= size else f'{line[:size]} [truncated]'
        if lines and length + len(shortened) > size:
            yield '\n\n'.join(lines)
            lines, length = [], 0
        lines.append(shortened)
        length += len(shortened) + 2
    if lines:
        yield '\n\n'.join(lines)


def _write_lines(messages: Sequence[ModelMessage]) -> Iterator[str]:
    for message in messages:
        if isinstance(message, ModelRequest):
            yield from filter(None, map(_write_request_part, message.parts))
        else:
            yield from filter(None, map(_write_response_part, message.parts))


def _write_request_part(part: ModelRequestPart) -> str:
    match part:
        case UserPromptPart():
            return f'User: {" ".join(filter(None, map(_write_content, part.items())))}'
        case ToolReturnPart(tool_name=name):
            values = [describe_file(item) if is_file(item) else item for item in part.items()]
            content = values if isinstance(part.content, (list, tuple)) else values[0]
            return f'Result of {name}: {ToolReturnPart(name, content).model_response_str()}'
        case RetryPromptPart(tool_name=name):
            return f'Error{f" of {name}" if name else ""}: {part.model_response()}'
        case _:
            return ''  # system prompts are sent in full


def _write_content(item: UserContent) -> str:
    if isinstance(item, str):
        return item
    if isinstance(item, TextContent):
        return item.content
    return describe_file(item) if is_file(item) else ''


def _write_response_part(part: ModelResponsePart) -> str:
    match part:
        case TextPart(content=text) if text:
            return f'Assistant: {text}'
        case ToolCallPart(tool_name=name) | NativeToolCallPart(tool_name=name):
            return f'Assistant calls {name}: {part.args_as_json_str()}'
        case NativeToolReturnPart(tool_name=name, content=content):
            return f'Result of {name}: {ToolReturnPart(name, content).model_response_str()}'
        case FilePart(content=file):
            return f'Assistant: {describe_file(file)}'
        case CompactionPart(content=str() as text):
            return f'Earlier summary: {text}'
        case _:
            return ''
