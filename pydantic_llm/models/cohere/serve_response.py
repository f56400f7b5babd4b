"""A response → the body of an answer, or the events of a stream: `decode`, read backwards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal
from uuid import uuid4

from ...json_types import Json
from ...messages import (
    FinishReason,
    ModelResponse,
    ModelResponseStreamEvent,
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
from ...usage import RequestUsage
from ...wire.serving import ServedRequest
from .decode import BILLED, FINISH_REASONS, PLAN
from .encode_response import citations_of, encode_message, encode_tool_call, is_plan

VENDOR = 'cohere'
"""Whose own citations, plans and details the API can say."""

WORDS: dict[FinishReason, str] = {
    'stop': 'COMPLETE',
    'length': 'MAX_TOKENS',
    'tool_call': 'TOOL_CALL',
    'content_filter': 'ERROR',
    'error': 'ERROR',
}
"""Our words for the end, in the API's."""

# ---------------------------------------------------------------------- the answer


def encode_response(response: ModelResponse, request: ServedRequest) -> Json:
    """The body of a whole answer. What the API cannot say (files, the vendor's own tools at work) is left out."""
    message, _ = encode_message(response.parts, VENDOR, plans=True)
    logprobs = _logprobs(response)
    return {
        'id': response.provider_response_id or _new_id(),
        'message': {'role': 'assistant', **message},
        **encode_end(response),
        **({'logprobs': logprobs} if logprobs else {}),
    }


def encode_end(response: ModelResponse) -> Json:
    """Why the answer ended, in the vendor's own word where it is one of the API's, and what was used."""
    raw: str | None = (response.provider_details or {}).get('finish_reason')
    if raw is None or raw not in FINISH_REASONS or FINISH_REASONS[raw] != response.finish_reason:
        raw = WORDS[response.finish_reason] if response.finish_reason else None
    return {'finish_reason': raw, 'usage': encode_usage(response.usage)}


def encode_usage(usage: RequestUsage) -> Json:
    """The tokens, and what of them is on the bill, where that is known."""
    details = usage.details.items()
    billed = {name.removeprefix(BILLED): count for name, count in details if name.startswith(BILLED)}
    return {
        **({'billed_units': billed} if billed else {}),
        'tokens': {'input_tokens': usage.input_tokens, 'output_tokens': usage.output_tokens},
        'cached_tokens': usage.cache_read_tokens,
    }


def _logprobs(response: ModelResponse) -> list[Json]:
    """The log probabilities, where they are in this API's form."""
    details = response.provider_details or {} if response.provider_name == VENDOR else {}
    found: list[Json] = details.get('logprobs', [])
    return found


def _new_id() -> str:
    return str(uuid4())


# ---------------------------------------------------------------------- the stream


@dataclass(slots=True)
class _Block:
    """A part that has been started and not stopped."""

    number: int
    kind: Literal['text', 'thinking', 'tool_plan', 'call']
    wrote_args: bool = False
    citations: int = 0


class EventWriter:
    """Turns an answer's events into the API's."""

    def __init__(self, request: ServedRequest) -> None:
        self._open: dict[int, _Block] = {}
        self._blocks = 0
        self._calls = 0
        self._citations = 0

    def begin(self) -> Iterator[Json]:
        """The message without its content."""
        message: Json = {'role': 'assistant', 'content': [], 'tool_plan': '', 'tool_calls': [], 'citations': []}
        yield {'type': 'message-start', 'id': _new_id(), 'delta': {'message': message}}

    def event(self, event: ModelResponseStreamEvent) -> Iterator[Json]:
        """What one event becomes; nothing where the API does not tell of it."""
        match event:
            case PartStartEvent(index=index, part=part) if index not in self._open:
                yield from self._start(index, part)
            case PartDeltaEvent(index=index, delta=delta) if index in self._open:
                yield from self._extend(self._open[index], delta)
            case PartEndEvent(index=index, part=part) if index in self._open:
                yield from self._stop(self._open.pop(index), part)
            case _:
                pass

    def end(self, response: ModelResponse) -> Iterator[Json]:
        """Why the answer ended and what it used. A stream that was cut ends here without a word, as its source did.

        The vendor's own id is known only now.
        """
        for index, block in self._open.items():
            yield from self._stop(block, response.parts[index])
        if response.state != 'complete':
            return
        for item in _logprobs(response):
            yield {**_said('content-delta', 0, content={'text': ''}), 'logprobs': item}
        known = {'id': response.provider_response_id} if response.provider_response_id else {}
        yield {'type': 'message-end', **known, 'delta': encode_end(response)}

    def _start(self, index: int, part: ModelResponsePart) -> Iterator[Json]:
        match part:
            case TextPart() | ThinkingPart():
                block = self._open[index] = self._new_block(part)
                if block.kind != PLAN:
                    yield _said('content-start', block.number, content={'type': block.kind, block.kind: ''})
                yield from self._write(block, part.content)
                yield from self._cite(block, part)
            case ToolCallPart():
                block = self._open[index] = _Block(self._calls, 'call')
                self._calls += 1
                call = encode_tool_call(part)
                call['function']['arguments'] = ''
                yield _said('tool-call-start', block.number, tool_calls=call)
                yield from self._args(block, part.args)
            case _:
                pass

    def _new_block(self, part: TextPart | ThinkingPart) -> _Block:
        if isinstance(part, ThinkingPart) and is_plan(part, VENDOR):
            return _Block(0, PLAN)
        block = _Block(self._blocks, part.part_kind)
        self._blocks += 1
        return block

    def _extend(self, block: _Block, delta: Any) -> Iterator[Json]:
        match delta:
            case TextPartDelta(content_delta=content) | ThinkingPartDelta(content_delta=content):
                yield from self._write(block, content)
            case ToolCallPartDelta(args_delta=args):
                yield from self._args(block, args)
            case _:
                pass

    def _write(self, block: _Block, content: str | None) -> Iterator[Json]:
        if content and block.kind == PLAN:
            yield _said('tool-plan-delta', tool_plan=content)
        elif content:
            yield _said('content-delta', block.number, content={block.kind: content})

    def _args(self, block: _Block, args: str | Json | None) -> Iterator[Json]:
        """A piece of text. An object waits for the end, since another one may replace it."""
        if args and isinstance(args, str):
            block.wrote_args = True
            yield _said('tool-call-delta', block.number, tool_calls={'function': {'arguments': args}})

    def _cite(self, block: _Block, part: TextPart | ThinkingPart) -> Iterator[Json]:
        """The citations that have come since the last ones were told."""
        citations = citations_of(part, VENDOR, place=None if block.kind == PLAN else block.number)
        for citation in citations[block.citations :]:
            yield _said('citation-start', self._citations, citations=citation)
            yield {'type': 'citation-end', 'index': self._citations}
            self._citations += 1
        block.citations = max(block.citations, len(citations))

    def _stop(self, block: _Block, part: ModelResponsePart) -> Iterator[Json]:
        match part:
            case TextPart() | ThinkingPart():
                yield from self._cite(block, part)
                if block.kind != PLAN:
                    yield {'type': 'content-end', 'index': block.number}
            case ToolCallPart():
                if not block.wrote_args:
                    yield from self._args(block, part.args_as_json_str() if part.args else None)
                yield {'type': 'tool-call-end', 'index': block.number}
            case _:
                pass


def _said(kind: str, index: int | None = None, **message: Any) -> Json:
    """An event that says something of the message."""
    number = {} if index is None else {'index': index}
    return {'type': kind, **number, 'delta': {'message': message}}
