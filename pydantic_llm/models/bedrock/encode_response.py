"""A past answer of the model's → content blocks of the assistant's turn."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from ...json_types import Json
from ...messages import (
    FilePart,
    ModelResponse,
    NativeToolCallPart,
    NativeToolReturnPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)
from ...messages.response import ModelResponsePart
from ...profiles.bedrock import BedrockModelProfile
from ...wire.prepare import PreparedRequest
from .content import text
from .decode import REDACTED, sealed_bytes
from .native_tools import encode_call, encode_return, opaque_block

HIDDEN = '[REDACTED]'
"""What Nova shows in the place of its thoughts."""

REDACTED_IDS = (REDACTED, 'redacted_thinking')
"""The ids of parts that hold encrypted thoughts, here and at Anthropic itself."""


def encode_response(message: ModelResponse, request: PreparedRequest, profile: BedrockModelProfile) -> list[Json]:
    """The blocks of an answer, in the order that they came in."""
    return [block for part in message.parts for block in encode_part(part, request, profile)]


def encode_part(part: ModelResponsePart, request: PreparedRequest, profile: BedrockModelProfile) -> Iterator[Json]:
    """The block for one part; none for what cannot be said here."""
    match part:
        case TextPart():
            yield from encode_text(part, request.system)
        case ThinkingPart():
            yield from _thoughts(part, request, profile)
        case ToolCallPart():
            yield encode_tool_call(part)
        case NativeToolCallPart() | NativeToolReturnPart() if part.provider_name == request.system:
            if (block := opaque_block(part)) is not None:
                yield block
            elif profile.bedrock_system_tools:
                yield encode_call(part) if isinstance(part, NativeToolCallPart) else encode_return(part)
            else:
                request.leave_out_part(part)
        case NativeToolCallPart() | NativeToolReturnPart() | FilePart():
            request.leave_out_part(part)
        case _:
            assert_never(part)


def encode_text(part: TextPart, system: str) -> Iterator[Json]:
    """The block for a text, with its citations where it has any."""
    cited = (part.provider_details or {}).get('citations') if part.provider_name == system else None
    for block in text(part.content):
        yield {'citationsContent': {'content': [block], 'citations': cited}} if cited else block


def _thoughts(part: ThinkingPart, request: PreparedRequest, profile: BedrockModelProfile) -> Iterator[Json]:
    ours = part.provider_name == request.system
    if ours and profile.bedrock_takes_thoughts and part.signature:
        yield encode_thoughts(part)
    elif ours and part.content == HIDDEN:
        return
    elif part.content.strip():
        if not ours:
            request.tell_as_text(part)
        start, end = profile.thinking_tags
        yield {'text': f'{start}\n{part.content}\n{end}'}
    else:
        request.leave_out_part(part)


def encode_thoughts(part: ThinkingPart) -> Json:
    """The block of thoughts, as it came."""
    if part.id in REDACTED_IDS:
        return {'reasoningContent': {'redactedContent': sealed_bytes(part)}}
    sealed = {'signature': part.signature} if part.signature else {}
    return {'reasoningContent': {'reasoningText': {'text': part.content, **sealed}}}


def encode_tool_call(part: ToolCallPart) -> Json:
    """The block of a call of ours. A model that wrote no object gets its own words back, to learn from the answer."""
    args = part.args_as_dict(raise_if_invalid=False)
    return {'toolUse': {'toolUseId': part.tool_call_id, 'name': part.tool_name, 'input': args}}
