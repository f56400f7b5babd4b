"""A guess at the usage of a request, for models that have no tokens: words, and a little for every request and file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import assert_never

from pydantic_core import to_json

from ..messages import (
    CachePoint,
    FilePart,
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponsePart,
    NativeToolCallPart,
    NativeToolReturnPart,
    RetryPromptPart,
    SystemPromptPart,
    TextContent,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
)
from ..usage import RequestUsage

TOKENS_OF_A_REQUEST = 50
"""What a request costs before anything is said."""
TOKENS_OF_A_FILE = 100
"""What a file costs, whatever is in it."""

WORD = re.compile(r'[^\s",.:]+')
"""What counts as one token."""


def estimate_usage(messages: Sequence[ModelMessage], answer: Sequence[ModelResponsePart]) -> RequestUsage:
    """What a conversation and its next answer could have cost. The same messages always cost the same."""
    read = TOKENS_OF_A_REQUEST
    for message in messages:
        if isinstance(message, ModelRequest):
            read += sum(map(_tokens_of_request_part, message.parts))
        else:
            read += sum(map(_tokens_of_response_part, message.parts))
    newest = next((message for message in reversed(messages) if isinstance(message, ModelRequest)), None)
    read += _words(newest.instructions or '') if newest else 0
    return RequestUsage(input_tokens=read, output_tokens=sum(map(_tokens_of_response_part, answer)))


def _tokens_of_request_part(part: ModelRequestPart) -> int:
    match part:
        case SystemPromptPart(content):
            return _words(content)
        case UserPromptPart():
            return sum(map(_tokens_of_content, part.items()))
        case ToolReturnPart():
            return sum(map(_words, part.without_files())) + TOKENS_OF_A_FILE * len(part.files())
        case RetryPromptPart():
            return _words(part.model_response())
        case _:
            assert_never(part)


def _tokens_of_content(content: UserContent) -> int:
    match content:
        case str():
            return _words(content)
        case TextContent(text):
            return _words(text)
        case CachePoint():
            return 0
        case _:
            return TOKENS_OF_A_FILE


def _tokens_of_response_part(part: ModelResponsePart) -> int:
    match part:
        case TextPart(content) | ThinkingPart(content):
            return _words(content)
        case ToolCallPart() | NativeToolCallPart():
            return 1 + _words(part.args_as_json_str())
        case NativeToolReturnPart():
            return _words(part.content)
        case FilePart():
            return TOKENS_OF_A_FILE
        case _:
            assert_never(part)


def _words(value: object) -> int:
    text = value if isinstance(value, str) else to_json(value, serialize_unknown=True, bytes_mode='base64').decode()
    return sum(1 for _ in WORD.finditer(text))
