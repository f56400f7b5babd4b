"""Estimated tokens, for models without a tokenizer.

`estimate_usage` counts one token per word, and a constant per file. `estimate_tokens` is cautious: it is for budgets.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import assert_never

from pydantic_core import to_json

from ..messages import (
    BinaryContent,
    CachePoint,
    CompactionPart,
    FilePart,
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponsePart,
    MultiModalContent,
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
from ..usage import REPORTED, RequestUsage

TOKENS_PER_REQUEST = 50
"""The input tokens of a request without content."""
TOKENS_PER_FILE = 100
"""The tokens of a file of any size."""

BYTES_PER_TOKEN = 3
"""The bytes of a text that `estimate_tokens` counts as one token. English has about 4, code and JSON about 3."""
TOKENS_PER_IMAGE = 1_600
"""What `estimate_tokens` counts for an image, or for a file of unknown size. The most that a large image costs at
Anthropic: https://platform.claude.com/docs/en/build-with-claude/vision"""
BYTES_PER_TOKEN_OF_FILE = 100
"""The bytes of another file that `estimate_tokens` counts as one token."""

WORD = re.compile(r'[^\s",.:]+')
"""A text that counts as one token. The estimate of pydantic-ai splits text at the same characters."""


def estimate_usage(messages: Sequence[ModelMessage], response: Sequence[ModelResponsePart]) -> RequestUsage:
    """Return the estimated usage of a conversation and of the response to it. It depends on nothing else."""
    input_tokens = TOKENS_PER_REQUEST + sum(_count_tokens(message, WORDS) for message in messages)
    newest = next((message for message in reversed(messages) if isinstance(message, ModelRequest)), None)
    input_tokens += _count_words(newest.instructions or '') if newest else 0
    output_tokens = sum(_count_response_tokens(part, WORDS) for part in response)
    return RequestUsage(input_tokens=input_tokens, output_tokens=output_tokens, estimated=REPORTED)


@dataclass(frozen=True, slots=True)
class _Measure:
    """The functions that count the tokens of a value and of a file."""

    value: Callable[[object], int]
    file: Callable[[MultiModalContent], int]


def _count_tokens(message: ModelMessage, measure: _Measure) -> int:
    if isinstance(message, ModelRequest):
        return sum(_count_request_tokens(part, measure) for part in message.parts)
    return sum(_count_response_tokens(part, measure) for part in message.parts)


def _count_request_tokens(part: ModelRequestPart, measure: _Measure) -> int:
    match part:
        case SystemPromptPart(content):
            return measure.value(content)
        case UserPromptPart():
            return sum(_count_content_tokens(item, measure) for item in part.items())
        case ToolReturnPart():
            return sum(map(measure.value, part.without_files())) + sum(map(measure.file, part.files))
        case RetryPromptPart():
            return measure.value(part.model_response())
        case _:
            assert_never(part)


def _count_content_tokens(content: UserContent, measure: _Measure) -> int:
    match content:
        case str():
            return measure.value(content)
        case TextContent(text):
            return measure.value(text)
        case CachePoint():
            return 0
        case _:
            return measure.file(content)


def _count_response_tokens(part: ModelResponsePart, measure: _Measure) -> int:
    match part:
        case TextPart(content) | ThinkingPart(content):
            return measure.value(content)
        case CompactionPart(content):
            return measure.value(content or (part.provider_details or {}).get('encrypted_content') or '')
        case ToolCallPart() | NativeToolCallPart():
            return 1 + measure.value(part.args_as_json_str())
        case NativeToolReturnPart():
            return measure.value(part.content)
        case FilePart(content):
            return measure.file(content)
        case _:
            assert_never(part)


def _count_words(value: object) -> int:
    return sum(1 for _ in WORD.finditer(_to_text(value)))


def _to_text(value: object) -> str:
    if isinstance(value, str):
        return value
    return to_json(value, serialize_unknown=True, bytes_mode='base64').decode()


def _count_bytes(value: object) -> int:
    text = _to_text(value)
    size = len(text) if text.isascii() else len(text.encode(errors='replace'))
    return -(-size // BYTES_PER_TOKEN)


def _count_file(file: MultiModalContent) -> int:
    if isinstance(file, BinaryContent) and not file.is_image:
        return max(TOKENS_PER_IMAGE, len(file.data) // BYTES_PER_TOKEN_OF_FILE)
    return TOKENS_PER_IMAGE


WORDS = _Measure(_count_words, lambda file: TOKENS_PER_FILE)
BYTES = _Measure(_count_bytes, _count_file)

TOKENS_PER_PART = 5
"""What `estimate_tokens` adds to each part, for its role, its name and its id."""


def estimate_tokens(message: ModelMessage) -> int:
    """Return the tokens of a message as a cautious estimate, which is more often too high than too low."""
    return _count_tokens(message, BYTES) + TOKENS_PER_PART * len(message.parts)
