"""Encodes a response as a body, or as the chunks of a stream: the inverse of `decode`."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from typing import Any

from ...json_types import Json
from ...messages import (
    CompactionPart,
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
)
from ...messages.response import ModelResponsePart
from ...wire.served_citations import find_cited_pages_of_response
from ...wire.serving import ServedRequest, own_details, vendor_finish_reason
from .content import PROVIDER_NAMES
from .decode import CANDIDATE_DETAILS, FINISH_REASONS, PROMPT_DETAILS
from .decode_usage import encode_usage
from .native_tools import SOURCE, URL_CONTEXT, encode_native_part

GOOGLE_NAMES = frozenset[str]().union(*PROVIDER_NAMES.values())
"""The provider names of the responses and parts whose details this API has fields for."""

WIRE_FINISH_REASONS: dict[FinishReason, str] = {
    'stop': 'STOP',
    'tool_call': 'STOP',
    'length': 'MAX_TOKENS',
    'content_filter': 'SAFETY',
    'error': 'OTHER',
}
"""Our finish reasons -> the API's."""


def encode_response(response: ModelResponse, request: ServedRequest) -> Json:
    """Encode a whole body."""
    parts = [block for part in response.parts if (block := encode_part(part)) is not None]
    return _encode_metadata(response, request) | _encode_candidates(response, parts)


def _encode_metadata(response: ModelResponse, request: ServedRequest) -> Json:
    usage, traffic = encode_usage(response.usage), own_details(response, *GOOGLE_NAMES).get('traffic_type')
    id = {'responseId': response.provider_response_id} if response.provider_response_id else {}
    return {
        'usageMetadata': {**usage, **({'trafficType': traffic} if traffic else {})},
        'modelVersion': response.model_name or request.model_name,
        'createTime': response.timestamp.isoformat(),
        **id,
    }


def _encode_candidates(response: ModelResponse, parts: list[Json]) -> Json:
    """Encode the only candidate, or the feedback to a blocked prompt."""
    own = own_details(response, *GOOGLE_NAMES)
    if 'block_reason' in own and not response.parts:
        return {'promptFeedback': {wire: own[name] for wire, name in PROMPT_DETAILS.items() if name in own}}
    details = {wire: own[name] for wire, name in CANDIDATE_DETAILS.items() if name in own}
    if not own and (grounding := _encode_grounding(response)):
        details['groundingMetadata'] = grounding
    return {'candidates': [{**_encode_candidate(parts), 'finishReason': encode_finish_reason(response), **details}]}


def _encode_grounding(response: ModelResponse) -> Json:
    """Encode the pages that another vendor's text cites; offsets are in bytes of all text."""
    text = ''.join(part.content for part in response.parts if isinstance(part, TextPart))
    chunks: dict[str, Json] = {}
    supports: list[Json] = []
    for start, end, page in find_cited_pages_of_response(response):
        chunks.setdefault(page.url, {'web': {'uri': page.url, 'title': page.title or page.url}})
        first, last = (len(text[:place].encode(errors='replace')) for place in (start, end))
        segment = {'startIndex': first, 'endIndex': last, 'text': text[start:end]}
        supports.append({'segment': segment, 'groundingChunkIndices': [list(chunks).index(page.url)]})
    return {'groundingChunks': [*chunks.values()], 'groundingSupports': supports} if chunks else {}


def _encode_candidate(parts: list[Json]) -> Json:
    return {'content': {'role': 'model', 'parts': parts}, 'index': 0}


def encode_finish_reason(response: ModelResponse) -> str:
    """Return the vendor's own finish reason if it is one of the API's, else ours translated."""
    if response.finish_reason is None:
        return own_details(response, *GOOGLE_NAMES).get('finish_reason') or 'OTHER'
    return vendor_finish_reason(response, FINISH_REASONS) or WIRE_FINISH_REASONS[response.finish_reason]


def encode_part(part: ModelResponsePart) -> Json | None:
    """Encode a part; `None` if the API has no place for it."""
    signature = _own_signature(part)
    fields = {'thoughtSignature': signature} if signature else {}
    match part:
        case TextPart(content=text):
            return {'text': text, **fields}
        case ThinkingPart(content=text):
            return {'text': text, 'thought': True, **fields}
        case ToolCallPart():
            call = {'id': part.tool_call_id, 'name': part.tool_name, 'args': part.args_as_dict(raise_if_invalid=False)}
            return {'functionCall': call, **fields}
        case FilePart(content=file):
            data = b64encode(file.data).decode()
            return {'inlineData': {'mimeType': file.media_type, 'data': data}, **fields}
        case NativeToolCallPart() | NativeToolReturnPart():
            block = encode_native_part(part) if part.provider_name in GOOGLE_NAMES else None
            return block and {**block, **fields}
        case CompactionPart():
            return None


def _own_signature(part: ModelResponsePart) -> str | None:
    signature: str | None = own_details(part, *GOOGLE_NAMES).get('thought_signature')
    return signature


class StreamEncoder:
    """Encodes the events of one response as chunks. Text and thinking are sent in fragments, other parts at their end.

    A text or thinking part that starts with a signature is sent at its end too: both belong in one part of a chunk.
    """

    def __init__(self, request: ServedRequest) -> None:
        self._request = request
        self._fragmented: set[int] = set()  # indices of the parts that are sent in fragments

    def begin(self) -> Iterator[Json]:
        yield from ()

    def event(self, event: ModelResponseStreamEvent) -> Iterator[Json]:
        match event:
            case PartStartEvent(index=index, part=TextPart() | ThinkingPart() as part) if not _own_signature(part):
                self._fragmented.add(index)
                yield from self._encode_text(part.content, is_thinking=isinstance(part, ThinkingPart))
            case PartDeltaEvent(index=index, delta=TextPartDelta(content_delta=text)) if index in self._fragmented:
                yield from self._encode_text(text, is_thinking=False)
            case PartDeltaEvent(index=index, delta=ThinkingPartDelta(content_delta=text)) if index in self._fragmented:
                yield from self._encode_text(text or '', is_thinking=True)
            case PartEndEvent(index=index, part=part) if index in self._fragmented:
                if signature := _own_signature(part):
                    yield self._encode_chunk({'text': '', 'thoughtSignature': signature})
            case PartEndEvent(part=NativeToolReturnPart(content=pages) as part) if _is_page_metadata(part):
                yield self._encode_chunk(urlContextMetadata={'urlMetadata': pages})
            case PartEndEvent(part=part):
                if block := encode_part(part):
                    yield self._encode_chunk(block)
            case _:
                pass

    def end(self, response: ModelResponse) -> Iterator[Json]:
        """Yield the chunk with the finish reason and the usage. A truncated stream has none, like its source."""
        if not response.is_truncated:
            yield _encode_metadata(response, self._request) | _encode_candidates(response, [])

    def _encode_text(self, text: str, *, is_thinking: bool) -> Iterator[Json]:
        if text:
            yield self._encode_chunk({'text': text, **({'thought': True} if is_thinking else {})})

    def _encode_chunk(self, *blocks: Json, **fields: Any) -> Json:
        return {'candidates': [{**_encode_candidate([*blocks]), **fields}], 'modelVersion': self._request.model_name}


def _is_page_metadata(part: NativeToolReturnPart) -> bool:
    return own_details(part, *GOOGLE_NAMES).get(SOURCE) == URL_CONTEXT
