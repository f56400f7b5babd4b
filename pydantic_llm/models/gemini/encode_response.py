"""Encodes a past response as the parts of the model's content, each with the signature that it arrived with."""

from __future__ import annotations

from base64 import b64encode
from typing import assert_never

from ...json_types import Json
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
from ...profiles.gemini import VERTEX, GeminiModelProfile
from ...wire.prepare import PreparedRequest
from .content import PROVIDER_NAMES, encode_file, is_base64, provider_names, to_urlsafe
from .native_tools import encode_native_part

# https://ai.google.dev/gemini-api/docs/thought-signatures#faqs
PLACEHOLDER_SIGNATURE = to_urlsafe(b64encode(b'skip_thought_signature_validator').decode())
"""The signature for tool calls that the API did not make itself."""

IMAGE_TYPES = ('image/png', 'image/jpeg', 'image/webp')
"""The media types of files by other vendors' models that may be sent as files of this model."""


def encode_response(message: ModelResponse, request: PreparedRequest, profile: GeminiModelProfile) -> list[Json]:
    """Encode the parts of a past response. Parts that the API has no place for are dropped, with a warning."""
    encoder = _ResponseEncoder(request, sends_tool_parts=profile.gemini_combines_tools and request.system != VERTEX)
    for part in message.parts:
        encoder.add(part)
    return encoder.parts


class _ResponseEncoder:
    """Encodes the parts of one response in order."""

    def __init__(self, request: PreparedRequest, *, sends_tool_parts: bool) -> None:
        self.parts: list[Json] = []
        self._request = request
        self._names = provider_names(request.system)
        self._sends_tool_parts = sends_tool_parts
        self._signature: str | None = None  # of thinking: the API wants it on the next part
        self._has_tool_call = False

    def add(self, part: ModelResponsePart) -> None:
        is_own = part.provider_name in self._names
        details = part.provider_details or {} if is_own else {}
        match part:
            # "it has an empty text parameter" (deprecated-generative-ai-python#697): it may only carry a signature
            case TextPart(content='') if not self._find_signature(details):
                pass
            case TextPart(content=text):
                self._append({'text': text}, details)
            case ThinkingPart():
                self._add_thinking(part, details, is_own=is_own)
            case ToolCallPart():
                self._add_tool_call(part, details)
            case FilePart(content=file) if not file.data:
                self._request.drop_part(part)
            case FilePart(content=file) if is_own or file.media_type in IMAGE_TYPES:
                self._append(encode_file(file, self._request.system), details)
            case NativeToolCallPart() | NativeToolReturnPart() if block := self._encode_native(part, is_own=is_own):
                self._append(block, details)
            case FilePart() | NativeToolCallPart() | NativeToolReturnPart() | CompactionPart():
                self._request.drop_part(part)
            case _:
                assert_never(part)

    def _add_thinking(self, part: ThinkingPart, details: Json, *, is_own: bool) -> None:
        if part.content:
            self._append({'text': part.content, 'thought': True}, details)
        elif not is_own:
            self._request.drop_part(part)
        elif is_base64(details.get('thought_signature')):
            self._append({'text': '', 'thought': True}, details)
        if is_own and part.signature:
            self._signature = part.signature

    def _add_tool_call(self, part: ToolCallPart, details: Json) -> None:
        call = {'id': part.tool_call_id, 'name': part.tool_name, 'args': part.args_as_dict(raise_if_invalid=False)}
        block = self._append({'functionCall': call}, details)
        # Gemini 3 rejects a response whose first tool call has no signature:
        # https://ai.google.dev/gemini-api/docs/thought-signatures
        if not self._has_tool_call:
            block.setdefault('thoughtSignature', PLACEHOLDER_SIGNATURE)
        self._has_tool_call = True

    def _encode_native(self, part: NativeToolCallPart | NativeToolReturnPart, *, is_own: bool) -> Json | None:
        """Return the block of one of Google's own tools, or `None` if the API does not accept it.

        Both of Google's APIs accept each other's blocks of code execution, but not those of the other tools.
        """
        is_google = is_own or any(part.provider_name in names for names in PROVIDER_NAMES.values())
        block = encode_native_part(part) if is_google else None
        if block and block.keys() & {'toolCall', 'toolResponse'} and not (is_own and self._sends_tool_parts):
            return None
        return block

    def _append(self, block: Json, details: Json) -> Json:
        if signature := self._find_signature(details):
            block['thoughtSignature'] = to_urlsafe(signature)
        self._signature = None
        self.parts.append(block)
        return block

    def _find_signature(self, details: Json) -> str | None:
        """Return the signature of the next part, if it has a valid one: its own, or that of the thinking before it."""
        signature = details.get('thought_signature') or self._signature
        return signature if signature and is_base64(signature) else None
