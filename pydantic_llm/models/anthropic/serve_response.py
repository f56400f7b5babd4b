"""A response → the body of a message, or the events of a stream: `decode`, read backwards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from pydantic_core import to_json

from ...json_types import Json
from ...messages import (
    BaseToolCallPart,
    FinishReason,
    ModelResponse,
    ModelResponseStreamEvent,
    NativeToolCallPart,
    NativeToolReturnPart,
    PartDeltaEvent,
    PartEndEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
    ToolCallPart,
    ToolCallPartDelta,
)
from ...messages.response import ModelResponsePart
from ...wire.serving import ServedRequest
from .decode import CALLS, FACTS, FINISH_REASONS, USAGE_FACTS
from .encode_response import arguments, encode_thoughts, encode_tool_call
from .native_tools import MCP, encode_call, encode_return, opaque_block

VENDOR = 'anthropic'
"""Whose own tools, citations and details the API can say."""

WORDS: dict[FinishReason, str] = {
    'stop': 'end_turn',
    'length': 'max_tokens',
    'tool_call': 'tool_use',
    'content_filter': 'refusal',
}
"""Our words for the end, in the API's, which has none for an error."""

SERVER_TOOLS = ('web_search_requests', 'web_fetch_requests')
"""The counts of `usage.server_tool_use`."""

HOLLOW: dict[str, Json] = {
    'text': {'text': '', 'citations': None},
    'thinking': {'thinking': '', 'signature': ''},
    **{type: {'input': {}} for type in CALLS},
}
"""The types of blocks that begin empty and are filled by deltas."""

# ---------------------------------------------------------------------- the answer


def encode_response(response: ModelResponse, request: ServedRequest) -> Json:
    """The body of a whole answer."""
    details = _own_details(response)
    return {
        'id': response.provider_response_id or _new_id(),
        'type': 'message',
        'role': 'assistant',
        'model': response.model_name or request.model_name,
        'content': [block for part in response.parts if (block := encode_block(part)) is not None],
        **{name: details[name] for name in FACTS if name in details},
        **encode_end(response),
        'usage': encode_usage(response),
    }


def encode_end(response: ModelResponse) -> Json:
    """Why the answer ended: in the vendor's own word where it is one of the API's."""
    details = _own_details(response)
    raw: str | None = (response.provider_details or {}).get('finish_reason')
    known = raw == 'pause_turn' or raw in FINISH_REASONS
    if raw is None or not known or FINISH_REASONS.get(raw) != response.finish_reason:
        raw = WORDS.get(response.finish_reason) if response.finish_reason else None
    return {
        'stop_reason': raw,
        'stop_sequence': details.get('stop_sequence'),
        'stop_details': details.get('stop_details', _refusal(response)),
    }


def _refusal(response: ModelResponse) -> Json | None:
    words = (response.provider_details or {}).get('refusal')
    return {'type': 'refusal', 'category': None, 'explanation': words} if isinstance(words, str) else None


def encode_usage(response: ModelResponse) -> Json:
    """The tokens, those from and to the cache apart from the input."""
    usage, counts, details = response.usage, response.usage.details, _own_details(response)
    hour = counts.get('ephemeral_1h_input_tokens', 0)
    thoughts, tools = counts.get('thinking_tokens'), {name: counts.get(name, 0) for name in SERVER_TOOLS}
    return {
        'input_tokens': usage.input_tokens - usage.cache_read_tokens - usage.cache_write_tokens,
        'cache_creation_input_tokens': usage.cache_write_tokens,
        'cache_read_input_tokens': usage.cache_read_tokens,
        'cache_creation': {
            'ephemeral_5m_input_tokens': usage.cache_write_tokens - hour,
            'ephemeral_1h_input_tokens': hour,
        },
        'output_tokens': usage.output_tokens,
        **({'output_tokens_details': {'thinking_tokens': thoughts}} if thoughts else {}),
        **({'server_tool_use': tools} if any(tools.values()) else {}),
        **{name: details[name] for name in USAGE_FACTS if name in details},
    }


def _own_details(response: ModelResponse) -> Json:
    """What the vendor said of the answer, where the vendor is the API's."""
    return (response.provider_details or {}) if response.provider_name == VENDOR else {}


def _new_id() -> str:
    return f'msg_{uuid4().hex}'


def encode_block(part: ModelResponsePart) -> Json | None:
    """The block of a part; `None` for what the API cannot say."""
    match part:
        case TextPart(content=text):
            citations = _citations(part)
            return {'type': 'text', 'text': text, 'citations': citations or None}
        case ThinkingPart():
            return encode_thoughts(part)
        case ToolCallPart():
            return encode_tool_call(part)
        case NativeToolCallPart(provider_name=name) if name == VENDOR:
            return opaque_block(part) or encode_call(part, arguments(part))
        case NativeToolReturnPart(provider_name=name) if name == VENDOR:
            return opaque_block(part) or encode_return(part)
        case _:
            return None


def _citations(part: TextPart) -> list[Json]:
    return (part.provider_details or {}).get('citations', []) if part.provider_name == VENDOR else []


# ---------------------------------------------------------------------- the stream


def _is_wrapped(part: ModelResponsePart) -> bool:
    """Whether a call holds the name of its tool in its arguments, so that it can be told only when they are whole."""
    return isinstance(part, NativeToolCallPart) and part.tool_name.startswith(MCP)


@dataclass(slots=True)
class _Block:
    """A block that has been started and not stopped."""

    number: int
    type: str
    wrote_args: bool = False
    citations: int = 0

    def delta(self, **delta: Any) -> Json:
        """Something that is added to it."""
        return {'type': 'content_block_delta', 'index': self.number, 'delta': delta}


class EventWriter:
    """Turns an answer's events into the API's."""

    def __init__(self, request: ServedRequest) -> None:
        self._request = request
        self._open: dict[int, _Block] = {}
        self._count = 0

    def begin(self) -> Iterator[Json]:
        """The message without its content. What it used is told at the end."""
        usage = {'input_tokens': 0, 'output_tokens': 0}
        message = {'id': _new_id(), 'type': 'message', 'role': 'assistant', 'model': self._request.model_name}
        end = {'stop_reason': None, 'stop_sequence': None, 'stop_details': None}
        yield {'type': 'message_start', 'message': {**message, 'content': [], **end, 'usage': usage}}
        yield {'type': 'ping'}

    def event(self, event: ModelResponseStreamEvent) -> Iterator[Json]:
        """What one event becomes; nothing where the API does not tell of it."""
        match event:
            case PartStartEvent(index=index, part=part) if index not in self._open and not _is_wrapped(part):
                yield from self._start(index, part)
            case PartEndEvent(index=index, part=part) if index not in self._open and _is_wrapped(part):
                yield from self._start(index, part)
                yield from self._stop(self._open.pop(index), part) if index in self._open else ()
            case PartDeltaEvent(index=index, delta=delta) if index in self._open:
                yield from self._extend(self._open[index], delta)
            case PartEndEvent(index=index, part=part) if index in self._open:
                yield from self._stop(self._open.pop(index), part)
            case _:
                pass

    def end(self, response: ModelResponse) -> Iterator[Json]:
        """Why the answer ended and what it used. A stream that was cut ends here without a word, as its source did.

        The vendor's own id and the model that answered are known only now; clients that look for them here find them.
        """
        for index, block in self._open.items():
            yield from self._stop(block, response.parts[index])
        if response.state != 'complete':
            return
        details = _own_details(response)
        known = {'id': response.provider_response_id, 'model': response.model_name}
        container = {'container': details['container']} if 'container' in details else {}
        yield {
            'type': 'message_delta',
            'delta': {**encode_end(response), **container},
            'usage': encode_usage(response),
            **{name: value for name, value in known.items() if value},
            **{name: details[name] for name in ('context_management', 'input_transformations') if name in details},
        }
        yield {'type': 'message_stop'}

    def _start(self, index: int, part: ModelResponsePart) -> Iterator[Json]:
        """A block begins without its content, which follows as deltas, unless its type knows none."""
        block = encode_block(part)
        if block is None:
            return
        opened = self._open[index] = _Block(self._count, block['type'])
        self._count += 1
        start = block | {name: nothing for name, nothing in HOLLOW.get(opened.type, {}).items() if name in block}
        yield {'type': 'content_block_start', 'index': opened.number, 'content_block': start}
        match part:
            case TextPart(content=text):
                yield from self._text(opened, text, _citations(part))
            case ThinkingPart(content=thoughts, signature=signature) if opened.type in HOLLOW:
                yield from self._thoughts(opened, thoughts, signature)
            case BaseToolCallPart() if opened.type in CALLS:
                yield opened.delta(type='input_json_delta', partial_json='')
                yield from self._args(opened, part.args)
            case _:
                pass

    def _extend(self, block: _Block, delta: Any) -> Iterator[Json]:
        match delta:
            case TextPartDelta(content_delta=text, provider_details=details):
                yield from self._text(block, text, (details or {}).get('citations', []))
            case ThinkingPartDelta(content_delta=thoughts, signature_delta=signature):
                yield from self._thoughts(block, thoughts or '', signature)
            case ToolCallPartDelta(args_delta=args):
                yield from self._args(block, args)
            case _:
                pass

    def _text(self, block: _Block, text: str, citations: list[Json]) -> Iterator[Json]:
        if text:
            yield block.delta(type='text_delta', text=text)
        for citation in citations[block.citations :]:
            yield block.delta(type='citations_delta', citation=citation)
        block.citations = max(block.citations, len(citations))

    def _thoughts(self, block: _Block, thoughts: str, signature: str | None) -> Iterator[Json]:
        if thoughts:
            yield block.delta(type='thinking_delta', thinking=thoughts)
        if signature:
            yield block.delta(type='signature_delta', signature=signature)

    def _args(self, block: _Block, args: str | Json | None) -> Iterator[Json]:
        """A piece of text. An object waits for the end, since another one may replace it."""
        if args and isinstance(args, str) and block.type != 'mcp_tool_use':
            block.wrote_args = True
            yield block.delta(type='input_json_delta', partial_json=args)

    def _stop(self, block: _Block, part: ModelResponsePart) -> Iterator[Json]:
        if isinstance(part, BaseToolCallPart) and block.type in CALLS and not block.wrote_args:
            whole = encode_block(part)
            if whole and whole['input']:
                yield block.delta(type='input_json_delta', partial_json=to_json(whole['input']).decode())
        yield {'type': 'content_block_stop', 'index': block.number}
