"""Decodes content blocks, whole or streamed, into parts. `serve_request` decodes past responses with it too.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ContentBlock.html
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ContentBlockDelta.html
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from ...json_types import Json
from ...messages import BinaryContent, FilePart, ThinkingPart
from ...streaming.draft import ResponseDraft
from .native_tools import SERVER_TOOL_USE, decode_call, decode_return, decode_unknown_block

REDACTED_THINKING = 'redacted_content'
"""The id of a part with encrypted thinking."""

BASE64_DETAILS = {'encoding': 'base64'}
"""The `provider_details` of a part whose encrypted thinking is not text, and so is kept in base64."""

PART_KEYS = ('text', 'thinking', REDACTED_THINKING, 'call', 'result', 'image', 'unknown')
"""The second items of the keys of parts; the first is the index of the block."""

REDACTED_SHARE = 64
"""Encrypted thinking of n bytes is set again after every n / 64 bytes, and at the end of its block."""


@dataclass(slots=True)
class StreamedBlock:
    """The content of a block so far, for kinds of blocks whose deltas cannot simply be added to a part."""

    redacted_thinking: bytearray = field(default_factory=bytearray)
    redacted_size: int = 0
    """The bytes of it that the part has."""
    tool_result: Json | None = None
    image_format: str | None = None
    image: bytearray = field(default_factory=bytearray)


class BlockDecoder:
    """Decodes the blocks of a message. Each is started, extended by any number of deltas, and stopped.

    Text and thinking have no start in a stream; their first delta starts the part.
    """

    def __init__(self, draft: ResponseDraft) -> None:
        self._draft = draft
        self._blocks: dict[int, StreamedBlock] = {}

    def decode(self, index: int, block: Json) -> None:
        """Decode a whole block as a start, one delta and a stop. A block of an unknown kind is kept in a part."""
        match block:
            case {'text': text}:
                self.extend(index, {'text': text})
            case {'toolUse': {'input': args, **call}}:
                self.start(index, {'toolUse': call}, args=args)
            case {'toolResult': {'content': content, **result}}:
                self.start(index, {'toolResult': result})
                self.extend(index, {'toolResult': content})
            case {'reasoningContent': {'reasoningText': {'text': _} as thinking}}:
                self.extend(index, {'reasoningContent': thinking})
            case {'reasoningContent': {'redactedContent': _} as thinking}:
                self.extend(index, {'reasoningContent': thinking})
            case {'citationsContent': cited}:
                text = ''.join(piece.get('text', '') for piece in cited.get('content') or ())
                self.extend(index, {'text': text})
                for citation in cited.get('citations') or ():
                    self.extend(index, {'citation': citation})
            case {'image': {'format': format, 'source': {'bytes': _} as source}}:
                self.start(index, {'image': {'format': format}})
                self.extend(index, {'image': {'source': source}})
            case _:
                part = decode_unknown_block(dict(block), self._draft.provider_name)
                self._draft.parts.whole((index, 'unknown'), part)
        self.stop(index)

    def start(self, index: int, start: Json, *, args: Any = None) -> None:
        """Start a tool call, a tool result or an image. Other starts are skipped."""
        parts, provider = self._draft.parts, self._draft.provider_name
        match start:
            case {'toolUse': {'type': str() as kind} as call} if kind == SERVER_TOOL_USE:
                parts.whole((index, 'call'), decode_call(call, args, provider))
            case {'toolUse': call}:
                parts.tool_call((index, 'call'), name=call['name'], args=args, tool_call_id=call['toolUseId'])
            case {'toolResult': result}:
                self._blocks[index] = StreamedBlock(tool_result={**result, 'content': []})
            case {'image': {'format': format}}:
                self._blocks[index] = StreamedBlock(image_format=format)
            case _:
                pass

    def extend(self, index: int, delta: Json) -> None:
        """Add a delta to a block. Unknown deltas are skipped."""
        parts = self._draft.parts
        match delta:
            case {'text': text}:
                parts.text((index, 'text'), text)
            case {'toolUse': {'input': fragment}}:
                if fragment:
                    parts.tool_call((index, 'call'), args=fragment)
            case {'reasoningContent': {'redactedContent': data}}:
                self._extend_redacted_thinking(index, b64decode(data))
            case {'reasoningContent': thinking}:
                self._extend_thinking(index, thinking.get('text') or '', thinking.get('signature') or None)
            case {'citation': citation}:
                self._add_citation(index, citation)
            case {'toolResult': pieces} if (result := self._get_block(index).tool_result) is not None:
                result['content'] += [dict(piece) for piece in pieces]
            case {'image': {'source': {'bytes': data}}} if (block := self._get_block(index)).image_format:
                block.image += b64decode(data)
            case _:
                pass

    def stop(self, index: int) -> None:
        """End the parts of a block, and add the part of a tool result or an image."""
        parts, provider = self._draft.parts, self._draft.provider_name
        match self._blocks.pop(index, None):
            case StreamedBlock(tool_result=dict(result)) if 'content' in result:
                whole: Json = {**result, 'content': _join_texts(result['content'])}
                parts.whole((index, 'result'), decode_return(whole, provider))
            case StreamedBlock(image_format=str() as format, image=data):
                file = BinaryContent(bytes(data), media_type=f'image/{format}')
                parts.whole((index, 'image'), FilePart(file, provider_name=provider))
            case StreamedBlock() as block if len(block.redacted_thinking) > block.redacted_size:
                self._set_redacted_thinking(index, block)
            case _:
                pass
        for key in PART_KEYS:
            parts.close((index, key))

    def stop_all(self) -> None:
        """End the blocks that the server did not stop."""
        for index in list(self._blocks):
            self.stop(index)

    def _get_block(self, index: int) -> StreamedBlock:
        return self._blocks.setdefault(index, StreamedBlock())

    def _extend_thinking(self, index: int, text: str, signature: str | None) -> None:
        key = (index, 'thinking')
        is_new = self._draft.parts.kind_of(key) is None and bool(text or signature)
        fields: Json = {'provider_name': self._draft.provider_name} if is_new else {}
        self._draft.parts.thinking(key, text, signature=signature, **fields)

    def _extend_redacted_thinking(self, index: int, data: bytes) -> None:
        block = self._get_block(index)
        block.redacted_thinking += data
        if len(block.redacted_thinking) - block.redacted_size > block.redacted_size // REDACTED_SHARE:
            self._set_redacted_thinking(index, block)

    def _set_redacted_thinking(self, index: int, block: StreamedBlock) -> None:
        part = decode_redacted_thinking(bytes(block.redacted_thinking), self._draft.provider_name)
        self._draft.parts.whole((index, REDACTED_THINKING), part)
        block.redacted_size = len(block.redacted_thinking)

    def _add_citation(self, index: int, citation: Json) -> None:
        provider = self._draft.provider_name
        self._draft.parts.add_to_details((index, 'text'), 'citations', [citation], provider_name=provider)


def decode_redacted_thinking(data: bytes, provider_name: str | None) -> ThinkingPart:
    """Decode encrypted thinking, which is text of Claude's. Bytes that are not text are kept in base64.

    Recording bedrock-converse__test_bedrock_model_thinking_part_redacted__0_6c17cc.
    """
    part = ThinkingPart('', id=REDACTED_THINKING, provider_name=provider_name)
    try:
        part.signature = data.decode()
    except UnicodeDecodeError:
        part.signature, part.provider_details = b64encode(data).decode(), {**BASE64_DETAILS}
    return part


def _join_texts(pieces: list[Json]) -> list[Json]:
    """Join the texts of a tool result that follow each other: a stream may split one text."""
    joined: list[Json] = []
    for is_text, group in groupby(pieces, lambda piece: piece.keys() == {'text'}):
        found = list(group)
        joined += [{'text': ''.join(piece['text'] for piece in found)}] if is_text else found
    return joined
