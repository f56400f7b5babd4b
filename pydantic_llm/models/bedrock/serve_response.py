"""Encodes a response as a body or as the events of a stream: the inverse of `decode`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic_core import to_json

from ...json_types import Json
from ...messages import (
    BaseToolCallPart,
    FilePart,
    FinishReason,
    ModelResponse,
    NativeToolCallPart,
    NativeToolReturnPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)
from ...messages.response import ModelResponsePart
from ...wire.block_stream import BlockStreamEncoder, OpenBlock
from ...wire.served_citations import find_cited_pages
from ...wire.serving import ServedRequest, own_details, vendor_finish_reason
from .content import FORMATS
from .decode import DETAILS, FINISH_REASONS, HOUR_TOKENS
from .encode_response import REDACTED_THINKING_IDS, encode_thinking_part, encode_tool_call
from .native_tools import encode_call, encode_return, encode_unknown_block

VENDOR = 'bedrock'
"""The vendor whose native tools, citations and details the API can express."""

WIRE_FINISH_REASONS: dict[FinishReason, str] = {
    'stop': 'end_turn',
    'length': 'max_tokens',
    'tool_call': 'tool_use',
    'content_filter': 'content_filtered',
    'error': 'malformed_model_output',
}
"""Our finish reasons -> the API's."""


def encode_response(response: ModelResponse, request: ServedRequest) -> Json:
    """Encode a whole response. The API has no fields for the model's name and the id."""
    content = [block for part in response.parts if (block := encode_block(part)) is not None]
    return {
        'output': {'message': {'role': 'assistant', 'content': content}},
        **encode_end(response),
        **encode_metadata(response),
    }


def encode_end(response: ModelResponse) -> Json:
    """Encode the finish reason, which the API requires, and the model's own fields."""
    reason = response.finish_reason or ('tool_call' if response.tool_calls else 'stop')
    details = own_details(response, VENDOR)
    body: Json = {'stopReason': vendor_finish_reason(response, FINISH_REASONS) or WIRE_FINISH_REASONS[reason]}
    if (fields := details.get(DETAILS['additionalModelResponseFields'])) is not None:
        body['additionalModelResponseFields'] = fields
    return body


def encode_metadata(response: ModelResponse) -> Json:
    """Encode the usage, the latency and the vendor's details."""
    usage, details = response.usage, own_details(response, VENDOR)
    counts: Json = {
        'inputTokens': usage.input_tokens - usage.cache_read_tokens - usage.cache_write_tokens,
        'outputTokens': usage.output_tokens,
        'totalTokens': usage.total_tokens,
        'cacheReadInputTokens': usage.cache_read_tokens,
        'cacheWriteInputTokens': usage.cache_write_tokens,
    }
    if hour := usage.details.get(HOUR_TOKENS):
        counts['cacheDetails'] = [{'ttl': '1h', 'inputTokens': hour}]
    fields = {name: details[key] for name, key in DETAILS.items() if key in details}
    fields.pop('additionalModelResponseFields', None)
    return {'usage': counts, 'metrics': {'latencyMs': details.get('latency_ms', 0)}, **fields}


def encode_block(part: ModelResponsePart) -> Json | None:
    """Encode a part as a block, or return `None` if the API has no block for it."""
    match part:
        case TextPart(content=text):
            citations = encode_citations(part)
            cited = {'content': [{'text': text}], 'citations': citations}
            return {'citationsContent': cited} if citations else {'text': text}
        case ThinkingPart(content='', signature=None):
            return None
        case ThinkingPart():
            return encode_thinking_part(part)
        case ToolCallPart():
            return encode_tool_call(part)
        case NativeToolCallPart(provider_name=name) if name == VENDOR:
            return encode_unknown_block(part) or encode_call(part)
        case NativeToolReturnPart(provider_name=name) if name == VENDOR:
            return encode_return(part)
        case FilePart(content=file) if file.is_image and file.format in FORMATS['image']:
            return {'image': {'format': file.format, 'source': {'bytes': file.base64}}}
        case _:
            return None


def encode_citations(part: TextPart) -> list[Json]:
    """Return the vendor's own citations of a text, or else one for each page that it cites."""
    own: list[Json] | None = own_details(part, VENDOR).get('citations')
    if own is not None:
        return own
    return [
        {
            'title': page.title or page.url,
            'sourceContent': [{'text': text} for text in page.excerpts],
            'location': {'web': {'url': page.url, 'domain': page.url.split('/')[2]}},
        }
        for _, page in find_cited_pages(part)
    ]


class StreamEncoder(BlockStreamEncoder):
    """Encodes the events of one response.

    https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStreamOutput.html
    """

    def begin(self) -> Iterator[Json]:
        yield {'messageStart': {'role': 'assistant'}}

    def _encode_end(self, response: ModelResponse) -> Iterator[Json]:
        yield {'messageStop': encode_end(response)}
        yield {'metadata': encode_metadata(response)}

    def _start_block(self, index: int, part: ModelResponsePart) -> Iterator[Json]:
        """Start a block. Its content follows as deltas; text and thinking have no start of their own."""
        match part:
            case TextPart(content=text):
                citations = own_details(part, VENDOR).get('citations', ())
                yield from self._extend_text(self._open_block(index), text, citations)
            case ThinkingPart() if part.id in REDACTED_THINKING_IDS:
                self._open_block(index)  # sent at the end: the part may be replaced until then
            case ThinkingPart(content=thinking, signature=signature):
                yield from self._extend_thinking(self._open_block(index), thinking, signature)
            case NativeToolCallPart() if encode_unknown_block(part) is not None:
                pass  # streams have no such blocks
            case _ if (encoded := encode_block(part)) is not None:
                block = self._open_block(index)
                yield from _encode_start(block, encoded)
                if isinstance(part, BaseToolCallPart):
                    yield from self._extend_args(block, part.args)
            case _:
                pass

    def _extend_text(self, block: OpenBlock, text: str, citations: Sequence[Json]) -> Iterator[Json]:
        if text:
            yield _encode_delta(block, text=text)
        for citation in block.take_new_citations(citations):
            yield _encode_delta(block, citation=citation)

    def _extend_thinking(self, block: OpenBlock, thinking: str, signature: str | None) -> Iterator[Json]:
        if thinking:
            yield _encode_delta(block, reasoningContent={'text': thinking})
        if signature:
            yield _encode_delta(block, reasoningContent={'signature': signature})

    def _encode_args(self, block: OpenBlock, args: str) -> Json:
        return _encode_delta(block, toolUse={'input': args})

    def _stop_block(self, block: OpenBlock, part: ModelResponsePart) -> Iterator[Json]:
        if isinstance(part, TextPart):
            yield from self._extend_text(block, '', encode_citations(part))
        if isinstance(part, BaseToolCallPart) and not block.wrote_args and (args := part.args_as_dict()):
            yield self._encode_args(block, to_json(args).decode())
        if isinstance(part, ThinkingPart) and part.id in REDACTED_THINKING_IDS and part.signature:
            yield _encode_delta(block, **encode_thinking_part(part))
        yield {'contentBlockStop': {'contentBlockIndex': block.number}}


def _encode_start(block: OpenBlock, encoded: Json) -> Iterator[Json]:
    """Yield the start of a tool call, a tool result or an image, and the content of the latter two."""
    match encoded:
        case {'toolUse': {'input': _, **call}}:
            yield _encode_block_start(block, toolUse=call)
        case {'toolResult': {'content': content, **result}}:
            yield _encode_block_start(block, toolResult=result)
            yield _encode_delta(block, toolResult=content)
        case {'image': {'format': format, 'source': source}}:
            yield _encode_block_start(block, image={'format': format})
            yield _encode_delta(block, image={'source': source})
        case _:
            pass


def _encode_block_start(block: OpenBlock, **start: Any) -> Json:
    return {'contentBlockStart': {'contentBlockIndex': block.number, 'start': start}}


def _encode_delta(block: OpenBlock, **delta: Any) -> Json:
    return {'contentBlockDelta': {'contentBlockIndex': block.number, 'delta': delta}}
