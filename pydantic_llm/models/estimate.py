"""Estimated usage of a request, for models without a tokenizer: one token per word, plus a constant per file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import assert_never

from pydantic_core import to_json

from ..messages import (
    CachePoint,
    CompactionPart,
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

TOKENS_PER_REQUEST = 50
"""The input tokens of a request without content."""
TOKENS_PER_FILE = 100
"""The tokens of a file of any size."""

WORD = re.compile(r'[^\s",.:]+')
"""A text that counts as one token. The estimate of pydantic-ai splits text at the same characters."""


def estimate_usage(messages: Sequence[ModelMessage], response: Sequence[ModelResponsePart]) -> RequestUsage:
    """Return the estimated usage of a conversation and of the response to it. It depends on nothing else."""
    input_tokens = TOKENS_PER_REQUEST
    for message in messages:
        if isinstance(message, ModelRequest):
            input_tokens += sum(map(_count_request_tokens, message.parts))
        else:
            input_tokens += sum(map(_count_response_tokens, message.parts))
    newest = next((message for message in reversed(messages) if isinstance(message, ModelRequest)), None)
    input_tokens += _count_words(newest.instructions or '') if newest else 0
    return RequestUsage(input_tokens=input_tokens, output_tokens=sum(map(_count_response_tokens, response)))


def _count_request_tokens(part: ModelRequestPart) -> int:
    match part:
        case SystemPromptPart(content):
            return _count_words(content)
        case UserPromptPart():
            return sum(map(_count_content_tokens, part.items()))
        case ToolReturnPart():
            return sum(map(_count_words, part.without_files())) + TOKENS_PER_FILE * len(part.files())
        case RetryPromptPart():
            return _count_words(part.model_response())
        case _:
            assert_never(part)


def _count_content_tokens(content: UserContent) -> int:
    match content:
        case str():
            return _count_words(content)
        case TextContent(text):
            return _count_words(text)
        case CachePoint():
            return 0
        case _:
            return TOKENS_PER_FILE


def _count_response_tokens(part: ModelResponsePart) -> int:
    match part:
        case TextPart(content) | ThinkingPart(content):
            return _count_words(content)
        case CompactionPart(content):
            return _count_words(content or '')
        case ToolCallPart() | NativeToolCallPart():
            return 1 + _count_words(part.args_as_json_str())
        case NativeToolReturnPart():
            return _count_words(part.content)
        case FilePart():
            return TOKENS_PER_FILE
        case _:
            assert_never(part)


def _count_words(value: object) -> int:
    text = value if isinstance(value, str) else to_json(value, serialize_unknown=True, bytes_mode='base64').decode()
    return sum(1 for _ in WORD.finditer(text))
