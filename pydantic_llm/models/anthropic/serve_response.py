"""Encodes a response as the body of a message, or as the events of a stream: the inverse of `decode`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import uuid4

from pydantic_core import to_json

from ...json_types import Json
from ...messages import (
    BaseToolCallPart,
    CompactionPart,
    FinishReason,
    ModelResponse,
    ModelResponseStreamEvent,
    NativeToolCallPart,
    NativeToolReturnPart,
    PartEndEvent,
    PartStartEvent,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)
from ...messages.response import ModelResponsePart
from ...native_tools import MCP
from ...wire.block_stream import BlockStreamEncoder, OpenBlock
from ...wire.served_citations import find_cited_pages
from ...wire.serving import ServedRequest, own_details, vendor_finish_reason
from .content import COMPACTION_BLOCK
from .decode import DETAILS, FINISH_REASONS, PAUSED, USAGE_DETAILS
from .decode_blocks import CALL_TYPES
from .encode_response import args_as_object, encode_compaction, encode_thinking_part, encode_tool_call
from .native_tools import encode_call, encode_return, encode_unknown_block

VENDOR = 'anthropic'
"""The vendor whose native tools, citations and details have a place in the API."""

WIRE_FINISH_REASONS: dict[FinishReason, str] = {
    'stop': 'end_turn',
    'length': 'max_tokens',
    'tool_call': 'tool_use',
    'content_filter': 'refusal',
}
"""Our finish reasons -> the API's, which has no equal for an error."""

SERVER_TOOL_COUNTS = ('web_search_requests', 'web_fetch_requests')
"""The counts of `usage.server_tool_use`."""

EMPTY_FIELDS: dict[str, Json] = {
    'text': {'text': '', 'citations': None},
    'thinking': {'thinking': '', 'signature': ''},
    **{type: {'input': {}} for type in CALL_TYPES},
    COMPACTION_BLOCK: {'content': None},
}
"""The types of blocks that start empty -> the fields that deltas fill."""


def encode_response(response: ModelResponse, request: ServedRequest) -> Json:
    """Encode the body. Parts that the API has no block for are skipped."""
    details = own_details(response, VENDOR)
    return {
        'id': response.provider_response_id or _new_id(),
        'type': 'message',
        'role': 'assistant',
        'model': response.model_name or request.model_name,
        'content': [block for part in response.parts if (block := encode_block(part)) is not None],
        **{name: details[name] for name in DETAILS if name in details},
        **encode_end(response),
        'usage': encode_usage(response),
    }


def encode_end(response: ModelResponse) -> Json:
    """Encode the finish reason and its details."""
    details = own_details(response, VENDOR)
    reason = vendor_finish_reason(response, FINISH_REASONS)
    if response.state == 'suspended' and reason not in PAUSED:
        reason = PAUSED[0]
    if reason is None and response.finish_reason:
        reason = WIRE_FINISH_REASONS.get(response.finish_reason)
    return {
        'stop_reason': reason,
        'stop_sequence': details.get('stop_sequence'),
        'stop_details': details.get('stop_details', _encode_refusal(response)),
    }


def _encode_refusal(response: ModelResponse) -> Json | None:
    refusal = (response.provider_details or {}).get('refusal')
    return {'type': 'refusal', 'category': None, 'explanation': refusal} if isinstance(refusal, str) else None


def encode_usage(response: ModelResponse) -> Json:
    """Encode token counts. The API's `input_tokens` exclude those read from and written to the cache."""
    usage, counts, details = response.usage, response.usage.details, own_details(response, VENDOR)
    written_1h = counts.get('ephemeral_1h_input_tokens', 0)
    thinking, tools = usage.output_reasoning_tokens, {name: counts.get(name, 0) for name in SERVER_TOOL_COUNTS}
    return {
        'input_tokens': usage.input_tokens - usage.cache_read_tokens - usage.cache_write_tokens,
        'cache_creation_input_tokens': usage.cache_write_tokens,
        'cache_read_input_tokens': usage.cache_read_tokens,
        'cache_creation': {
            'ephemeral_5m_input_tokens': usage.cache_write_tokens - written_1h,
            'ephemeral_1h_input_tokens': written_1h,
        },
        'output_tokens': usage.output_tokens,
        **({'output_tokens_details': {'thinking_tokens': thinking}} if thinking else {}),
        **({'server_tool_use': tools} if any(tools.values()) else {}),
        **{name: details[name] for name in USAGE_DETAILS if name in details},
    }


def _new_id() -> str:
    return f'msg_{uuid4().hex}'


def encode_block(part: ModelResponsePart) -> Json | None:
    """Encode a part as a block. Return None if the API has no block for it."""
    match part:
        case TextPart(content=text):
            return {'type': 'text', 'text': text, 'citations': encode_citations(part) or None}
        case ThinkingPart():
            return encode_thinking_part(part)
        case ToolCallPart():
            return encode_tool_call(part)
        case CompactionPart(provider_name=name) if name == VENDOR:
            return encode_compaction(part)
        case NativeToolCallPart(provider_name=name) if name == VENDOR:
            return encode_unknown_block(part) or encode_call(part, args_as_object(part))
        case NativeToolReturnPart(provider_name=name) if name == VENDOR:
            return encode_unknown_block(part) or encode_return(part)
        case _:
            return None


def encode_citations(part: TextPart) -> list[Json]:
    """Return the vendor's own citations of a text, or else one for each page that it cites.

    The latter have no `encrypted_index`, by which `encode_response` knows that Claude did not make them.
    """
    own: list[Json] | None = own_details(part, VENDOR).get('citations')
    if own is not None:
        return own
    return [
        {
            'type': 'web_search_result_location',
            'url': page.url,
            'title': page.title,
            'cited_text': '\n'.join(page.excerpts),
            'encrypted_index': '',
        }
        for _, page in find_cited_pages(part)
    ]


class StreamEncoder(BlockStreamEncoder):
    """Encodes the events of one response: https://platform.claude.com/docs/en/build-with-claude/streaming."""

    def begin(self) -> Iterator[Json]:
        usage = {'input_tokens': 0, 'output_tokens': 0}
        message = {'id': _new_id(), 'type': 'message', 'role': 'assistant', 'model': self._request.model_name}
        end = {'stop_reason': None, 'stop_sequence': None, 'stop_details': None}
        yield {'type': 'message_start', 'message': {**message, 'content': [], **end, 'usage': usage}}
        yield {'type': 'ping'}

    def event(self, event: ModelResponseStreamEvent) -> Iterator[Json]:
        """Yield what one event becomes. A call of an MCP tool is sent at its end: its arguments contain its name."""
        match event:
            case PartStartEvent(part=part) if _is_mcp_call(part):
                return
            case PartEndEvent(index=index, part=part) if _is_mcp_call(part) and index not in self._open_blocks:
                yield from self._start_block(index, part)
            case _:
                pass
        yield from super().event(event)

    def _encode_end(self, response: ModelResponse) -> Iterator[Json]:
        """Yield the finish reason and the usage, with the vendor's id and the model, which are known only now."""
        details = own_details(response, VENDOR)
        names = {'id': response.provider_response_id, 'model': response.model_name}
        container = {'container': details['container']} if 'container' in details else {}
        yield {
            'type': 'message_delta',
            'delta': {**encode_end(response), **container},
            'usage': encode_usage(response),
            **{name: value for name, value in names.items() if value},
            **{name: details[name] for name in ('context_management', 'input_transformations') if name in details},
        }
        yield {'type': 'message_stop'}

    def _start_block(self, index: int, part: ModelResponsePart) -> Iterator[Json]:
        """Start a block. Types in `EMPTY_FIELDS` start empty, and deltas follow; others start with their content."""
        encoded = encode_block(part)
        if encoded is None:
            return
        block = self._open_block(index, encoded['type'])
        empty = {name: value for name, value in EMPTY_FIELDS.get(block.type, {}).items() if name in encoded}
        yield {'type': 'content_block_start', 'index': block.number, 'content_block': encoded | empty}
        match part:
            case TextPart(content=text):
                yield from self._extend_text(block, text, own_details(part, VENDOR).get('citations', ()))
            case ThinkingPart(content=thinking, signature=signature) if block.type in EMPTY_FIELDS:
                yield from self._extend_thinking(block, thinking, signature)
            case CompactionPart(content=summary):
                yield _encode_delta(block, type='compaction_delta', content=summary)
            case BaseToolCallPart() if block.type in CALL_TYPES:
                yield self._encode_args(block, '')
                yield from self._extend_args(block, part.args)
            case _:
                pass

    def _extend_text(self, block: OpenBlock, text: str, citations: Sequence[Json]) -> Iterator[Json]:
        if text:
            yield _encode_delta(block, type='text_delta', text=text)
        for citation in block.take_new_citations(citations):
            yield _encode_delta(block, type='citations_delta', citation=citation)

    def _extend_thinking(self, block: OpenBlock, thinking: str, signature: str | None) -> Iterator[Json]:
        if thinking:
            yield _encode_delta(block, type='thinking_delta', thinking=thinking)
        if signature:
            yield _encode_delta(block, type='signature_delta', signature=signature)

    def _extend_args(self, block: OpenBlock, args: str | Json | None) -> Iterator[Json]:
        if block.type != 'mcp_tool_use':  # its block has the arguments inside our part's, and they are whole
            yield from super()._extend_args(block, args)

    def _encode_args(self, block: OpenBlock, args: str) -> Json:
        return _encode_delta(block, type='input_json_delta', partial_json=args)

    def _stop_block(self, block: OpenBlock, part: ModelResponsePart) -> Iterator[Json]:
        if isinstance(part, TextPart):
            yield from self._extend_text(block, '', encode_citations(part))
        if isinstance(part, BaseToolCallPart) and block.type in CALL_TYPES and not block.wrote_args:
            encoded = encode_block(part)
            if encoded and encoded['input']:
                yield self._encode_args(block, to_json(encoded['input']).decode())
        yield {'type': 'content_block_stop', 'index': block.number}


def _is_mcp_call(part: ModelResponsePart) -> bool:
    return isinstance(part, NativeToolCallPart) and part.tool_name.startswith(MCP)


def _encode_delta(block: OpenBlock, **delta: Any) -> Json:
    return {'type': 'content_block_delta', 'index': block.number, 'delta': delta}
