"""Encodes a past response as an assistant message. Start at `encode_response`."""

from __future__ import annotations

from typing import Any

from ....json_types import Json
from ....messages import (
    CompactionPart,
    FilePart,
    ModelResponse,
    NativeToolCallPart,
    NativeToolReturnPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)
from ....profiles.openai import OpenAIModelProfile
from ....wire.prepare import PreparedRequest
from ..thinking import THINKING_FIELDS
from .content import encode_text


def encode_response(message: ModelResponse, request: PreparedRequest, profile: OpenAIModelProfile) -> Json:
    """Encode an assistant message without its role; an empty object if no part of the response can be sent."""
    encoder = _ResponseEncoder(request, profile)
    for part in message.parts:
        encoder.add(part)
    return encoder.build()


class _ResponseEncoder:
    """Collects the parts of one response, then builds the message."""

    def __init__(self, request: PreparedRequest, profile: OpenAIModelProfile) -> None:
        self.request = request
        self.system = request.system
        self.profile = profile
        self.content: list[Json] = []
        self.thinking: dict[str, list[str]] = {}  # texts by the field that they are sent in
        self.reasoning_details: list[Json] = []
        self.tool_calls: list[Json] = []
        self.extra: Json = {}

    def add(self, part: Any) -> None:
        match part:
            case TextPart():
                self._add_text(part)
            case ThinkingPart():
                self._add_thinking(part)
            case ToolCallPart():
                self.tool_calls.append(encode_tool_call(part, self.system))
            # Past audio is sent by its id: https://platform.openai.com/docs/guides/audio
            case FilePart(provider_name=name, provider_details={'audio_id': id}) if name == self.system:
                self.extra['audio'] = {'id': id}
            case NativeToolCallPart() | NativeToolReturnPart() | FilePart() | CompactionPart():
                self.request.drop_part(part)
            case _:
                raise TypeError(f'{part!r} is not a part of a response')

    def _add_text(self, part: TextPart) -> None:
        self.content.append(encode_text(part.content))
        if self.profile.openai_thinking_back == 'chunks' and part.provider_name == self.system:
            ids: Any = (part.provider_details or {}).get('reference_ids')
            self.content += [{'type': 'reference', 'reference_ids': ids}] if ids else []

    def _add_thinking(self, part: ThinkingPart) -> None:
        """Add past thinking in the form that the profile names (`openai_thinking_back`)."""
        is_own = part.provider_name == self.system
        match self.profile.openai_thinking_back:
            case 'details' | 'any' if is_own and part.provider_details and 'type' in part.provider_details:
                self.reasoning_details.append(encode_reasoning_detail(part, part.provider_details))
            case 'chunks' if part.content or (is_own and part.signature):
                self._add_thinking_chunk(encode_thinking_chunk(part, is_own=is_own))
            case 'auto' | 'any' if is_own and part.id in THINKING_FIELDS and part.content:
                self.thinking.setdefault(part.id, []).append(part.content)
            case 'field' | 'any' if part.content:
                self.thinking.setdefault(self.profile.openai_thinking_field, []).append(part.content)
            case 'auto' | 'tags' if part.content:
                start, end = self.profile.thinking_tags
                self.content.append(encode_text(f'{start}\n{part.content}\n{end}'))
                if not is_own or part.signature:  # a signature is of another API of this vendor
                    self.request.note_thinking_as_text(part)
            case 'drop' if is_own:
                pass
            case _:
                self.request.drop_part(part)

    def _add_thinking_chunk(self, chunk: Json) -> None:
        """Add a chunk, joined with the one before it if neither has a signature: a signature belongs to one chunk."""
        last = self.content[-1] if self.content else {}
        if last.get('type') == 'thinking' and 'signature' not in last and 'signature' not in chunk:
            last['thinking'] += chunk['thinking']
        else:
            self.content.append(chunk)

    def build(self) -> Json:
        message: Json = {name: '\n\n'.join(texts) for name, texts in self.thinking.items()}
        if self.reasoning_details:
            message['reasoning_details'] = self.reasoning_details
        if not (self.content or self.tool_calls or message or self.extra):
            return {}
        if self.tool_calls:
            message['tool_calls'] = self.tool_calls
            if self.profile.openai_thinking_with_calls:
                message.setdefault(self.profile.openai_thinking_field, '')
        message['content'] = self._join_content()
        return message | self.extra

    def _join_content(self) -> str | list[Json] | None:
        """Return the texts as paragraphs of one string, or as a list if the server accepts thinking as chunks."""
        if self.profile.openai_thinking_back == 'chunks':
            chunks = [chunk for chunk in self.content if chunk.get('text') != '']
            return chunks[0]['text'] if len(chunks) == 1 and 'text' in chunks[0] else chunks or None
        texts = '\n\n'.join(chunk['text'] for chunk in self.content)
        # "expected a string, got null": langchain4j#1105. Tool calls may be without content.
        return texts if self.content or not self.tool_calls else None


def encode_tool_call(part: ToolCallPart, system: str) -> Json:
    """Encode a tool call, with the arguments as the model wrote them."""
    function = {'name': part.tool_name, 'arguments': part.args_as_json_str()}
    call: Json = {'id': part.tool_call_id, 'type': 'function', 'function': function}
    # Gemini's OpenAI endpoint needs its signature back: https://ai.google.dev/gemini-api/docs/thought-signatures
    if part.provider_name == system and part.provider_details and 'extra_content' in part.provider_details:
        call['extra_content'] = part.provider_details['extra_content']
    return call


def encode_thinking_chunk(part: ThinkingPart, *, is_own: bool) -> Json:
    """Encode thinking as a chunk of the content. If it is the vendor's own, add its references and signature."""
    details: Json = (part.provider_details or {}) if is_own else {}
    signature = {'signature': part.signature} if is_own and part.signature else {}
    texts = [encode_text(part.content)] if part.content else []
    return {'type': 'thinking', 'thinking': [*texts, *details.get('references', ())], **signature}


def encode_reasoning_detail(part: ThinkingPart, details: Json) -> Json:
    """Encode an item of `reasoning_details`, as it came (https://openrouter.ai/docs/use-cases/reasoning-tokens)."""
    item: Json = {'id': part.id, **{key: details.get(key) for key in ('format', 'index', 'type')}}
    match details['type']:
        case 'reasoning.encrypted':
            item['data'] = part.signature
        case 'reasoning.summary':
            item['summary'] = part.content
        case _:
            item |= {'text': part.content, 'signature': part.signature}
    return item
