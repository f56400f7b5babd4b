"""A response → the body of an answer, or the chunks of a stream: `decode`, read backwards."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from typing import Any

from ...json_types import Json
from ...messages import (
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
from ...wire.serving import ServedRequest
from .content import NAMES
from .decode import CANDIDATE_DETAILS, FINISH_REASONS
from .decode_usage import encode_usage
from .native_tools import PAGES, SOURCE, encode_native_part

OF_GOOGLE = frozenset[str]().union(*NAMES.values())
"""Whose own tools and details the API can say."""

WORDS: dict[FinishReason, str] = {
    'stop': 'STOP',
    'tool_call': 'STOP',
    'length': 'MAX_TOKENS',
    'content_filter': 'SAFETY',
    'error': 'OTHER',
}
"""Our words for the end, in the API's."""

FEEDBACK = {
    'blockReason': 'block_reason',
    'blockReasonMessage': 'block_reason_message',
    'safetyRatings': 'safety_ratings',
}
"""What is said of a prompt that is not answered, and our names for it."""

# ---------------------------------------------------------------------- the answer


def encode_response(response: ModelResponse, request: ServedRequest) -> Json:
    """The body of a whole answer."""
    parts = [block for part in response.parts if (block := encode_part(part)) is not None]
    return _envelope(response, request) | _answer(response, parts)


def _envelope(response: ModelResponse, request: ServedRequest) -> Json:
    """What is said of the answer as a whole."""
    usage, traffic = encode_usage(response.usage), _own_details(response).get('traffic_type')
    id = {'responseId': response.provider_response_id} if response.provider_response_id else {}
    return {
        'usageMetadata': {**usage, **({'trafficType': traffic} if traffic else {})},
        'modelVersion': response.model_name or request.model_name,
        'createTime': response.timestamp.isoformat(),
        **id,
    }


def _answer(response: ModelResponse, parts: list[Json]) -> Json:
    """The only candidate, or why there is none."""
    details = _own_details(response)
    if 'block_reason' in details and not response.parts:
        return {'promptFeedback': {wire: details[name] for wire, name in FEEDBACK.items() if name in details}}
    said = {wire: details[name] for wire, name in CANDIDATE_DETAILS.items() if name in details}
    return {'candidates': [{**_candidate(parts), 'finishReason': finish_word(response), **said}]}


def _candidate(parts: list[Json]) -> Json:
    return {'content': {'role': 'model', 'parts': parts}, 'index': 0}


def _own_details(response: ModelResponse) -> Json:
    """What the vendor said of the answer, where the vendor is the API's."""
    return (response.provider_details or {}) if response.provider_name in OF_GOOGLE else {}


def finish_word(response: ModelResponse) -> str:
    """The API's word for the end: the vendor's own where it is one of the API's."""
    raw: str | None = _own_details(response).get('finish_reason')
    if raw is not None and FINISH_REASONS.get(raw) == response.finish_reason:
        return raw
    return WORDS[response.finish_reason] if response.finish_reason else 'OTHER'


def encode_part(part: ModelResponsePart) -> Json | None:
    """The block of one part; `None` for one that the API cannot say."""
    more = {'thoughtSignature': signature} if (signature := _signature(part)) else {}
    match part:
        case TextPart(content=text):
            return {'text': text, **more}
        case ThinkingPart(content=text):
            return {'text': text, 'thought': True, **more}
        case ToolCallPart():
            call = {'id': part.tool_call_id, 'name': part.tool_name, 'args': part.args_as_dict(raise_if_invalid=False)}
            return {'functionCall': call, **more}
        case FilePart(content=file):
            data = b64encode(file.data).decode()
            return {'inlineData': {'mimeType': file.media_type, 'data': data}, **more}
        case NativeToolCallPart() | NativeToolReturnPart():
            block = encode_native_part(part) if part.provider_name in OF_GOOGLE else None
            return block and {**block, **more}


def _signature(part: ModelResponsePart) -> str | None:
    details = part.provider_details or {}
    return details.get('thought_signature') if part.provider_name in OF_GOOGLE else None


def _source(part: NativeToolReturnPart) -> str | None:
    """The metadata that a part was read out of."""
    return (part.provider_details or {}).get(SOURCE) if part.provider_name in OF_GOOGLE else None


# ---------------------------------------------------------------------- the stream


class ChunkWriter:
    """Turns an answer's events into chunks. Text comes piece by piece, everything else whole, when it is.

    What is signed is whole too: its text and its signature belong into one part.
    """

    def __init__(self, request: ServedRequest) -> None:
        self._request = request
        self._in_pieces: set[int] = set()

    def begin(self) -> Iterator[Json]:
        """Nothing is said before there is something to say."""
        yield from ()

    def event(self, event: ModelResponseStreamEvent) -> Iterator[Json]:
        """The chunk for one event; events that the API does not tell of give none."""
        match event:
            case PartStartEvent(index=index, part=TextPart() | ThinkingPart() as part) if not _signature(part):
                self._in_pieces.add(index)
                yield from self._piece(part.content, thought=isinstance(part, ThinkingPart))
            case PartDeltaEvent(index=index, delta=TextPartDelta(content_delta=text)) if index in self._in_pieces:
                yield from self._piece(text, thought=False)
            case PartDeltaEvent(index=index, delta=ThinkingPartDelta(content_delta=text)) if index in self._in_pieces:
                yield from self._piece(text or '', thought=True)
            case PartEndEvent(index=index, part=part) if index in self._in_pieces:
                if signature := _signature(part):
                    yield self._chunk({'text': '', 'thoughtSignature': signature})
            case PartEndEvent(part=NativeToolReturnPart(content=pages) as part) if _source(part) == PAGES:
                yield self._chunk(urlContextMetadata={'urlMetadata': pages})
            case PartEndEvent(part=part):
                if block := encode_part(part):
                    yield self._chunk(block)
            case _:
                pass

    def end(self, response: ModelResponse) -> Iterator[Json]:
        """The chunk with the finish reason and the usage. A stream that was cut ends without a word, as its source."""
        if response.state == 'complete':
            yield _envelope(response, self._request) | _answer(response, [])

    def _piece(self, text: str, *, thought: bool) -> Iterator[Json]:
        if text:
            yield self._chunk({'text': text, **({'thought': True} if thought else {})})

    def _chunk(self, *blocks: Json, **said: Any) -> Json:
        return {'candidates': [{**_candidate([*blocks]), **said}], 'modelVersion': self._request.model_name}
