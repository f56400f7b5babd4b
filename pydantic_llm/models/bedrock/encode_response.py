"""Encodes a past response as the blocks of an assistant's turn. `serve_response` uses its functions too."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from typing import assert_never

from ...json_types import Json, keep_objects
from ...messages import (
    CompactionPart,
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
from .content import encode_text
from .decode_blocks import BASE64_DETAILS, REDACTED_THINKING
from .native_tools import encode_call, encode_return, encode_unknown_block

HIDDEN_THINKING = '[REDACTED]'
"""The text that Nova sends instead of its thinking.
https://docs.aws.amazon.com/nova/latest/nova2-userguide/reasoning-capabilities.html"""

REDACTED_THINKING_IDS = (REDACTED_THINKING, 'redacted_thinking')
"""The ids of parts with encrypted thinking, of this room and of Anthropic's."""


class ResponseEncoder:
    """Encodes the past responses of one request. Notes on the request name what was dropped or changed."""

    def __init__(self, request: PreparedRequest, profile: BedrockModelProfile) -> None:
        self._request = request
        self._profile = profile

    def encode(self, message: ModelResponse) -> list[Json]:
        return [block for part in message.parts for block in self._encode_part(part)]

    def _encode_part(self, part: ModelResponsePart) -> Iterator[Json]:
        match part:
            case TextPart():
                yield from self._encode_text_part(part)
            case ThinkingPart():
                yield from self._encode_thinking_part(part)
            case ToolCallPart():
                yield encode_tool_call(part)
            case NativeToolCallPart() | NativeToolReturnPart() if self._is_own(part):
                yield from self._encode_native_part(part)
            case NativeToolCallPart() | NativeToolReturnPart() | FilePart() | CompactionPart():
                self._request.drop_part(part)
            case _:
                assert_never(part)

    def _encode_text_part(self, part: TextPart) -> Iterator[Json]:
        citations = keep_objects((part.provider_details or {}).get('citations')) if self._is_own(part) else []
        for block in encode_text(part.content):
            yield {'citationsContent': {'content': [block], 'citations': citations}} if citations else block

    def _encode_thinking_part(self, part: ThinkingPart) -> Iterator[Json]:
        """Encode thinking with its signature; thinking that the model did not sign is sent as text between tags.

        https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ReasoningTextBlock.html
        """
        is_own = self._is_own(part)
        if is_own and self._profile.bedrock_takes_thoughts and part.signature:
            yield encode_thinking_part(part)
        elif is_own and part.content == HIDDEN_THINKING:
            return
        elif part.content.strip():
            if not is_own:
                self._request.note_thinking_as_text(part)
            start, end = self._profile.thinking_tags
            yield {'text': f'{start}\n{part.content}\n{end}'}
        else:
            self._request.drop_part(part)

    def _encode_native_part(self, part: NativeToolCallPart | NativeToolReturnPart) -> Iterator[Json]:
        if (block := encode_unknown_block(part)) is not None:
            yield block
        elif self._profile.bedrock_system_tools:
            yield encode_call(part) if isinstance(part, NativeToolCallPart) else encode_return(part)
        else:
            self._request.drop_part(part)

    def _is_own(self, part: TextPart | ThinkingPart | NativeToolCallPart | NativeToolReturnPart) -> bool:
        return part.provider_name == self._request.system


def encode_thinking_part(part: ThinkingPart) -> Json:
    """Encode thinking, readable or encrypted, as the block that it came from."""
    signature = part.signature or ''
    if part.id in REDACTED_THINKING_IDS:
        is_base64 = part.provider_details == BASE64_DETAILS
        return {'reasoningContent': {'redactedContent': signature if is_base64 else _to_base64(signature)}}
    fields = {'signature': signature} if signature else {}
    return {'reasoningContent': {'reasoningText': {'text': part.content, **fields}}}


def _to_base64(text: str) -> str:
    return b64encode(text.encode()).decode()


def encode_tool_call(part: ToolCallPart) -> Json:
    """Encode a tool call. Invalid arguments are sent inside an object, for the model to see its mistake."""
    args = part.args_as_dict(raise_if_invalid=False)
    return {'toolUse': {'toolUseId': part.tool_call_id, 'name': part.tool_name, 'input': args}}
