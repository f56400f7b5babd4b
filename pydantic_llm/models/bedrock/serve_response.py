"""A response → the body of an answer, or the events of a stream: `decode`, read backwards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic_core import to_json

from ...json_types import Json
from ...messages import (
    BaseToolCallPart,
    FilePart,
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
from .content import FORMATS
from .decode import FACTS, FINISH_REASONS, HOUR
from .encode_response import REDACTED_IDS, encode_thoughts, encode_tool_call
from .native_tools import encode_call, encode_return, opaque_block

VENDOR = 'bedrock'
"""Whose own tools, citations and details the API can say."""

WORDS: dict[FinishReason, str] = {
    'stop': 'end_turn',
    'length': 'max_tokens',
    'tool_call': 'tool_use',
    'content_filter': 'content_filtered',
    'error': 'malformed_model_output',
}
"""Our words for the end, in the API's."""

# ---------------------------------------------------------------------- the answer


def encode_response(response: ModelResponse, request: ServedRequest) -> Json:
    """The body of a whole answer. The API has no place in it for the model's name, or an id."""
    content = [block for part in response.parts if (block := encode_block(part)) is not None]
    return {
        'output': {'message': {'role': 'assistant', 'content': content}},
        **encode_end(response),
        **encode_metadata(response),
    }


def encode_end(response: ModelResponse) -> Json:
    """Why the answer ended: in the vendor's own word where it is one of the API's, which wants one always."""
    raw: str | None = (response.provider_details or {}).get('finish_reason')
    if raw is None or raw not in FINISH_REASONS or FINISH_REASONS[raw] != response.finish_reason:
        raw = WORDS[response.finish_reason or ('tool_call' if response.tool_calls else 'stop')]
    details = _own_details(response)
    name = FACTS['additionalModelResponseFields']
    return {'stopReason': raw, **({'additionalModelResponseFields': details[name]} if name in details else {})}


def encode_metadata(response: ModelResponse) -> Json:
    """What the answer used, and how long it took, where that is known."""
    usage, details = response.usage, _own_details(response)
    counts: Json = {
        'inputTokens': usage.input_tokens - usage.cache_read_tokens - usage.cache_write_tokens,
        'outputTokens': usage.output_tokens,
        'totalTokens': usage.total_tokens,
        'cacheReadInputTokens': usage.cache_read_tokens,
        'cacheWriteInputTokens': usage.cache_write_tokens,
    }
    if hour := usage.details.get(HOUR):
        counts['cacheDetails'] = [{'ttl': '1h', 'inputTokens': hour}]
    facts = {name: details[ours] for name, ours in FACTS.items() if ours in details}
    facts.pop('additionalModelResponseFields', None)
    return {'usage': counts, 'metrics': {'latencyMs': details.get('latency_ms', 0)}, **facts}


def _own_details(response: ModelResponse) -> Json:
    """What the vendor said of the answer, where the vendor is the API's."""
    return (response.provider_details or {}) if response.provider_name == VENDOR else {}


def encode_block(part: ModelResponsePart) -> Json | None:
    """The block of a part; `None` for what the API cannot say."""
    match part:
        case TextPart(content=text):
            cited = _citations(part)
            return {'citationsContent': {'content': [{'text': text}], 'citations': cited}} if cited else {'text': text}
        case ThinkingPart(content='', signature=None):
            return None
        case ThinkingPart():
            return encode_thoughts(part)
        case ToolCallPart():
            return encode_tool_call(part)
        case NativeToolCallPart(provider_name=name) if name == VENDOR:
            return opaque_block(part) or encode_call(part)
        case NativeToolReturnPart(provider_name=name) if name == VENDOR:
            return encode_return(part)
        case FilePart(content=file) if file.is_image and file.format in FORMATS['image']:
            return {'image': {'format': file.format, 'source': {'bytes': file.base64}}}
        case _:
            return None


def _citations(part: TextPart) -> list[Json]:
    return (part.provider_details or {}).get('citations', []) if part.provider_name == VENDOR else []


# ---------------------------------------------------------------------- the stream


@dataclass(slots=True)
class _Block:
    """A block that has been started and not stopped."""

    number: int
    wrote_args: bool = False
    citations: int = 0

    def delta(self, **delta: Any) -> Json:
        """Something that is added to it."""
        return {'contentBlockDelta': {'contentBlockIndex': self.number, 'delta': delta}}

    def start(self, **start: Any) -> Json:
        """Its beginning, which texts and thoughts have not."""
        return {'contentBlockStart': {'contentBlockIndex': self.number, 'start': start}}

    def stop(self) -> Json:
        """Its end."""
        return {'contentBlockStop': {'contentBlockIndex': self.number}}


class EventWriter:
    """Turns an answer's events into the API's."""

    def __init__(self, request: ServedRequest) -> None:
        self._open: dict[int, _Block] = {}
        self._count = 0

    def begin(self) -> Iterator[Json]:
        """Who speaks."""
        yield {'messageStart': {'role': 'assistant'}}

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
        """Why the answer ended and what it used. A stream that was cut ends here without a word, as its source did."""
        for index, block in self._open.items():
            yield from self._stop(block, response.parts[index])
        if response.state == 'complete':
            yield {'messageStop': encode_end(response)}
            yield {'metadata': encode_metadata(response)}

    def _start(self, index: int, part: ModelResponsePart) -> Iterator[Json]:
        """A block begins without its content, which follows as deltas."""
        opened = _Block(self._count)
        match part:
            case TextPart(content=text):
                written = list(self._text(opened, text, _citations(part)))
            case ThinkingPart() if part.id in REDACTED_IDS:
                written = []  # may be replaced until it ends
            case ThinkingPart(content=thoughts, signature=signature):
                written = list(_thoughts(opened, thoughts, signature))
            case _:
                block = encode_block(part)
                if block is None or (isinstance(part, NativeToolCallPart) and opaque_block(part) is not None):
                    return  # a stream has no words for it
                written = list(_begun(opened, block))
                if isinstance(part, BaseToolCallPart):
                    written += self._args(opened, part.args)
        self._open[index] = opened
        self._count += 1
        yield from written

    def _extend(self, block: _Block, delta: Any) -> Iterator[Json]:
        match delta:
            case TextPartDelta(content_delta=text, provider_details=details):
                yield from self._text(block, text, (details or {}).get('citations', []))
            case ThinkingPartDelta(content_delta=thoughts, signature_delta=signature):
                yield from _thoughts(block, thoughts or '', signature)
            case ToolCallPartDelta(args_delta=args):
                yield from self._args(block, args)
            case _:
                pass

    def _text(self, block: _Block, text: str, citations: list[Json]) -> Iterator[Json]:
        if text:
            yield block.delta(text=text)
        for citation in citations[block.citations :]:
            yield block.delta(citation=citation)
        block.citations = max(block.citations, len(citations))

    def _args(self, block: _Block, args: str | Json | None) -> Iterator[Json]:
        """A piece of text. An object waits for the end, since another one may replace it."""
        if args and isinstance(args, str):
            block.wrote_args = True
            yield block.delta(toolUse={'input': args})

    def _stop(self, block: _Block, part: ModelResponsePart) -> Iterator[Json]:
        if isinstance(part, BaseToolCallPart) and not block.wrote_args and (args := part.args_as_dict()):
            yield block.delta(toolUse={'input': to_json(args).decode()})
        if isinstance(part, ThinkingPart) and part.id in REDACTED_IDS and part.signature:
            yield block.delta(**encode_thoughts(part))
        yield block.stop()


def _thoughts(block: _Block, thoughts: str, signature: str | None) -> Iterator[Json]:
    if thoughts:
        yield block.delta(reasoningContent={'text': thoughts})
    if signature:
        yield block.delta(reasoningContent={'signature': signature})


def _begun(opened: _Block, block: Json) -> Iterator[Json]:
    """The start of a block that has one, and what comes with it at once."""
    match block:
        case {'toolUse': call}:
            yield opened.start(toolUse={name: value for name, value in call.items() if name != 'input'})
        case {'toolResult': {'content': content, **result}}:
            yield opened.start(toolResult=result)
            yield opened.delta(toolResult=content)
        case {'image': {'format': format, 'source': source}}:
            yield opened.start(image={'format': format})
            yield opened.delta(image={'source': source})
        case _:
            pass
