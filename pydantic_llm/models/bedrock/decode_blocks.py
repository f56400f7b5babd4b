"""Decodes content blocks, whole or streamed, into parts. `serve_request` decodes past responses with it too.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ContentBlock.html
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ContentBlockDelta.html
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import dataclass, field
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


@dataclass(slots=True)
class StreamedBlock:
    """The content of a block so far, for kinds of blocks whose deltas cannot simply be added to a part."""

    citations: list[Json] = field(default_factory=list[Json])
    redacted_thinking: bytes = b''
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
            case _:
                pass
        for key in PART_KEYS:
            parts.close((index, key))

    def _get_block(self, index: int) -> StreamedBlock:
        return self._blocks.setdefault(index, StreamedBlock())

    def _extend_thinking(self, index: int, text: str, signature: str | None) -> None:
        key = (index, 'thinking')
        is_new = self._draft.parts.kind_of(key) is None and bool(text or signature)
        fields: Json = {'provider_name': self._draft.provider_name} if is_new else {}
        self._draft.parts.thinking(key, text, signature=signature, **fields)

    def _extend_redacted_thinking(self, index: int, data: bytes) -> None:
        block, provider = self._get_block(index), self._draft.provider_name
        block.redacted_thinking += data
        part = decode_redacted_thinking(block.redacted_thinking, provider)
        self._draft.parts.whole((index, REDACTED_THINKING), part)

    def _add_citation(self, index: int, citation: Json) -> None:
        block, provider = self._get_block(index), self._draft.provider_name
        block.citations = [*block.citations, citation]
        details = {'citations': block.citations}
        self._draft.parts.text((index, 'text'), '', provider_name=provider, provider_details=details)


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
    for piece in pieces:
        if joined and piece.keys() == joined[-1].keys() == {'text'}:
            joined[-1] = {'text': joined[-1]['text'] + piece['text']}
        else:
            joined.append(piece)
    return joined
