"""Encodes a response as a body, or as the events of a stream: the inverse of `decode`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import uuid4

from ...json_types import Json
from ...messages import FinishReason, ModelResponse, TextPart, ThinkingPart, ToolCallPart
from ...messages.response import ModelResponsePart
from ...usage import RequestUsage
from ...wire.block_stream import BlockStreamEncoder, OpenBlock
from ...wire.serving import ServedRequest, own_details, vendor_finish_reason
from .decode import BILLED, FINISH_REASONS, PLAN
from .encode_response import encode_citations, encode_message, encode_tool_call, is_plan

VENDOR = 'cohere'
"""The vendor whose citations, tool plans and details have a place in the API."""

WIRE_FINISH_REASONS: dict[FinishReason, str] = {
    'stop': 'COMPLETE',
    'length': 'MAX_TOKENS',
    'tool_call': 'TOOL_CALL',
    'content_filter': 'ERROR',
    'error': 'ERROR',
}
"""Our finish reasons -> the API's."""


def encode_response(response: ModelResponse, request: ServedRequest) -> Json:
    """Encode the body. Parts that the API has no field for (files, native tools) are skipped."""
    message, _ = encode_message(response.parts, VENDOR, plans=True)
    logprobs = _own_logprobs(response)
    return {
        'id': response.provider_response_id or _new_id(),
        'message': {'role': 'assistant', **message},
        **encode_end(response),
        **({'logprobs': logprobs} if logprobs else {}),
    }


def encode_end(response: ModelResponse) -> Json:
    """Encode the finish reason and the usage."""
    reason = vendor_finish_reason(response, FINISH_REASONS)
    if reason is None and response.finish_reason:
        reason = WIRE_FINISH_REASONS[response.finish_reason]
    return {'finish_reason': reason, 'usage': encode_usage(response.usage)}


def encode_usage(usage: RequestUsage) -> Json:
    """Encode token counts, with the billed ones if they are known."""
    details = usage.details.items()
    billed = {name.removeprefix(BILLED): count for name, count in details if name.startswith(BILLED)}
    return {
        **({'billed_units': billed} if billed else {}),
        'tokens': {'input_tokens': usage.input_tokens, 'output_tokens': usage.output_tokens},
        'cached_tokens': usage.cache_read_tokens,
    }


def _own_logprobs(response: ModelResponse) -> list[Json]:
    """Return the log probabilities, if they are in the form of this API."""
    logprobs: list[Json] = own_details(response, VENDOR).get('logprobs', [])
    return logprobs


def _new_id() -> str:
    return str(uuid4())


class StreamEncoder(BlockStreamEncoder):
    """Encodes the events of one response. The API counts blocks, tool calls and citations apart.

    `OpenBlock.type` is `'text'`, `'thinking'`, `'tool_plan'` or `'tool_call'`.
    """

    def __init__(self, request: ServedRequest) -> None:
        super().__init__(request)
        self._call_count = 0
        self._citation_count = 0

    def begin(self) -> Iterator[Json]:
        message: Json = {'role': 'assistant', 'content': [], 'tool_plan': '', 'tool_calls': [], 'citations': []}
        yield {'type': 'message-start', 'id': _new_id(), 'delta': {'message': message}}

    def _encode_end(self, response: ModelResponse) -> Iterator[Json]:
        """Yield the log probabilities and the end, with the vendor's id, which is known only now."""
        for item in _own_logprobs(response):
            yield {**_encode_event('content-delta', 0, content={'text': ''}), 'logprobs': item}
        id = {'id': response.provider_response_id} if response.provider_response_id else {}
        yield {'type': 'message-end', **id, 'delta': encode_end(response)}

    def _start_block(self, index: int, part: ModelResponsePart) -> Iterator[Json]:
        match part:
            case ThinkingPart() if is_plan(part, VENDOR):
                block = self._open_blocks[index] = OpenBlock(0, PLAN)
                yield from self._extend_content(block, part.content)
                yield from self._encode_new_citations(block, part)
            case TextPart() | ThinkingPart():
                block = self._open_block(index, part.part_kind)
                yield _encode_event('content-start', block.number, content={'type': block.type, block.type: ''})
                yield from self._extend_content(block, part.content)
                yield from self._encode_new_citations(block, part)
            case ToolCallPart():
                block = self._open_blocks[index] = OpenBlock(self._call_count, 'tool_call')
                self._call_count += 1
                call = encode_tool_call(part)
                call['function']['arguments'] = ''
                yield _encode_event('tool-call-start', block.number, tool_calls=call)
                yield from self._extend_args(block, part.args)
            case _:
                pass

    def _extend_text(self, block: OpenBlock, text: str, citations: Sequence[Json]) -> Iterator[Json]:
        return self._extend_content(block, text)  # citations are sent when the block stops

    def _extend_thinking(self, block: OpenBlock, thinking: str, signature: str | None) -> Iterator[Json]:
        return self._extend_content(block, thinking)

    def _extend_content(self, block: OpenBlock, content: str) -> Iterator[Json]:
        if content and block.type == PLAN:
            yield _encode_event('tool-plan-delta', tool_plan=content)
        elif content:
            yield _encode_event('content-delta', block.number, content={block.type: content})

    def _encode_args(self, block: OpenBlock, args: str) -> Json:
        return _encode_event('tool-call-delta', block.number, tool_calls={'function': {'arguments': args}})

    def _encode_new_citations(self, block: OpenBlock, part: TextPart | ThinkingPart) -> Iterator[Json]:
        """Yield the citations of the part that were not sent yet."""
        citations = encode_citations(part, VENDOR, index=None if block.type == PLAN else block.number)
        for citation in block.take_new_citations(citations):
            yield _encode_event('citation-start', self._citation_count, citations=citation)
            yield {'type': 'citation-end', 'index': self._citation_count}
            self._citation_count += 1

    def _stop_block(self, block: OpenBlock, part: ModelResponsePart) -> Iterator[Json]:
        match part:
            case TextPart() | ThinkingPart():
                yield from self._encode_new_citations(block, part)
                if block.type != PLAN:
                    yield {'type': 'content-end', 'index': block.number}
            case ToolCallPart():
                yield {'type': 'tool-call-end', 'index': block.number}
            case _:
                pass


def _encode_event(type: str, index: int | None = None, **message: Any) -> Json:
    """Return an event that extends the message."""
    number = {} if index is None else {'index': index}
    return {'type': type, **number, 'delta': {'message': message}}
