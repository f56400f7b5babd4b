"""The Gemini API from the server's side: body → request, response → body or chunks.

`decode_request` undoes `encode.encode`; `encode_response` and `ChunkWriter` undo `decode`. The model's name is a part
of the address, and so is the wish for a stream: the app puts both into the body, as `model` and `stream`.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from typing import cast

from ...exceptions import UserError
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
from ...usage import RequestUsage
from .._serve import Json, ServedRequest, message_of, status_of
from .decode import FINISH_REASONS
from .native_tools import encode_native_part
from .serve_request import decode_contents, decode_parameters, decode_settings

PATHS = ('/v1beta/models/{model}:{verb}', '/v1/models/{model}:{verb}')
"""Where clients send their requests; `verb` is `generateContent` or `streamGenerateContent`."""

WORDS: dict[FinishReason, str] = {
    'stop': 'STOP',
    'tool_call': 'STOP',
    'length': 'MAX_TOKENS',
    'content_filter': 'SAFETY',
    'error': 'OTHER',
}
"""Our words for the end, in the API's."""

STATUSES = {
    400: 'INVALID_ARGUMENT',
    401: 'UNAUTHENTICATED',
    403: 'PERMISSION_DENIED',
    404: 'NOT_FOUND',
    429: 'RESOURCE_EXHAUSTED',
    503: 'UNAVAILABLE',
    504: 'DEADLINE_EXCEEDED',
}
"""The API's names for errors; the others are `INTERNAL`."""


def decode_request(body: Json, *, provider_name: str = 'google-gla') -> ServedRequest:
    """Read a request. Raises `UserError` where it is none."""
    contents = body.get('contents')
    if not isinstance(contents, list) or not contents:
        raise UserError("'contents' is missing from the request, or empty")
    try:
        return ServedRequest(
            body.get('model') or '',
            decode_contents(cast('list[Json]', contents), body.get('systemInstruction'), provider_name),
            decode_settings(body),
            decode_parameters(body),
            stream=bool(body.get('stream')),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UserError(f'The request is no generateContent request: {type(error).__name__}: {error}') from error


# ---------------------------------------------------------------------- the answer


def encode_response(response: ModelResponse, request: ServedRequest) -> Json:
    """The body of a whole answer."""
    parts = [block for part in response.parts if (block := encode_part(part)) is not None]
    return _envelope(response, request) | {'candidates': [_candidate(parts, finish_word(response))]}


def encode_part(part: ModelResponsePart) -> Json | None:
    """The block of one part; `None` for one that the API cannot say."""
    signature = (part.provider_details or {}).get('thought_signature')
    more = {'thoughtSignature': signature} if signature else {}
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
            block = encode_native_part(part)
            return block and {**block, **more}


def finish_word(response: ModelResponse) -> str | None:
    """The API's word for the end: the vendor's own where it is one of the API's."""
    raw: str | None = (response.provider_details or {}).get('finish_reason')
    if raw in FINISH_REASONS and FINISH_REASONS[raw] == response.finish_reason:
        return raw
    return WORDS[response.finish_reason] if response.finish_reason else 'OTHER'


def encode_usage(usage: RequestUsage) -> Json:
    """The tokens. Thoughts are counted apart from what is shown."""
    thoughts = min(usage.details.get('thoughts_tokens', 0), usage.output_tokens)
    return {
        'promptTokenCount': usage.input_tokens,
        'candidatesTokenCount': usage.output_tokens - thoughts,
        'totalTokenCount': usage.total_tokens,
        **({'thoughtsTokenCount': thoughts} if thoughts else {}),
        **({'cachedContentTokenCount': usage.cache_read_tokens} if usage.cache_read_tokens else {}),
    }


def encode_error(error: BaseException) -> tuple[int, Json]:
    """The status and the body that tell of an error."""
    status = status_of(error)
    name = STATUSES.get(status, 'INTERNAL')
    return status, {'error': {'code': status, 'message': message_of(error), 'status': name}}


def _envelope(response: ModelResponse, request: ServedRequest) -> Json:
    id = {'responseId': response.provider_response_id} if response.provider_response_id else {}
    model = response.model_name or request.model_name
    return {'usageMetadata': encode_usage(response.usage), 'modelVersion': model, **id}


def _candidate(parts: list[Json], finish: str | None) -> Json:
    ended = {'finishReason': finish} if finish else {}
    return {'content': {'role': 'model', 'parts': parts}, **ended, 'index': 0}


class ChunkWriter:
    """Turns an answer's events into chunks. Text comes piece by piece, everything else whole, when it is."""

    def __init__(self, request: ServedRequest) -> None:
        self._request = request

    def begin(self) -> Iterator[Json]:
        """Nothing is said before there is something to say."""
        yield from ()

    def event(self, event: ModelResponseStreamEvent) -> Iterator[Json]:
        """The chunk for one event; events that the API does not tell of give none."""
        match event:
            case PartStartEvent(part=TextPart(content=text)) if text:
                yield self._chunk({'text': text})
            case PartStartEvent(part=ThinkingPart(content=text)) if text:
                yield self._chunk({'text': text, 'thought': True})
            case PartDeltaEvent(delta=TextPartDelta(content_delta=text)) if text:
                yield self._chunk({'text': text})
            case PartDeltaEvent(delta=ThinkingPartDelta(content_delta=str() as text)) if text:
                yield self._chunk({'text': text, 'thought': True})
            case PartEndEvent(part=TextPart() | ThinkingPart() as part):
                if signature := (part.provider_details or {}).get('thought_signature'):
                    yield self._chunk({'text': '', 'thoughtSignature': signature})
            case PartEndEvent(part=part):
                if block := encode_part(part):
                    yield self._chunk(block)
            case _:
                pass

    def end(self, response: ModelResponse) -> Iterator[Json]:
        """The chunk with the finish reason and the usage."""
        yield _envelope(response, self._request) | {'candidates': [_candidate([], finish_word(response))]}

    def _chunk(self, block: Json) -> Json:
        return {'candidates': [_candidate([block], None)], 'modelVersion': self._request.model_name}
