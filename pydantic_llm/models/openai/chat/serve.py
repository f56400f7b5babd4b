"""The Chat Completions API from the server's side: body → request, response → body or chunks.

`decode_request` undoes `encode.encode`; `encode_response` and `ChunkWriter` undo `decode`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast
from uuid import uuid4

from ....exceptions import ContentFilterError, UserError
from ....json_types import Json
from ....messages import (
    FinishReason,
    ModelResponse,
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
    ToolCallPart,
    ToolCallPartDelta,
)
from ....usage import RequestUsage
from ....wire.serving import ServedRequest, message_of, status_of
from ..thinking import THINKING_FIELDS
from .decode import FINISH_REASONS
from .dialect import OPENAI, Dialect
from .encode_response import encode_reasoning_detail, encode_tool_call
from .serve_request import decode_messages, decode_parameters, decode_settings

PATHS = (
    '/v1/chat/completions',
    '/chat/completions',
    '/openai/v1/chat/completions',
    '/openai/deployments/{model:path}/chat/completions',
)
"""Where clients send their requests; Azure's put the model into the address."""

WORDS: dict[FinishReason, str] = {
    'stop': 'stop',
    'length': 'length',
    'tool_call': 'tool_calls',
    'content_filter': 'content_filter',
    'error': 'error',
}
"""Our words for the end, in the API's."""

ERROR_TYPES = {
    400: 'invalid_request_error',
    401: 'authentication_error',
    403: 'permission_error',
    404: 'not_found_error',
    429: 'rate_limit_error',
}
"""The API's names for errors; the others are `server_error`."""

DONE = b'data: [DONE]\n\n'
"""What ends a stream."""


def decode_request(body: Json, *, provider_name: str = 'openai', dialect: Dialect = OPENAI) -> ServedRequest:
    """Read a request. Raises `UserError` where it is none."""
    model, messages = body.get('model'), body.get('messages')
    if not isinstance(model, str) or not model:
        raise UserError("'model' is missing from the request")
    if not isinstance(messages, list) or not messages:
        raise UserError("'messages' is missing from the request, or empty")
    try:
        return ServedRequest(
            model,
            decode_messages(cast('list[Json]', messages), provider_name),
            decode_settings(body, dialect),
            decode_parameters(body),
            stream=bool(body.get('stream')),
            options={'include_usage': _wants_usage(body)},
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UserError(f'The request is no chat completion request: {type(error).__name__}: {error}') from error


def _wants_usage(body: Json) -> bool:
    options: Json = body.get('stream_options') or {}
    return bool(options.get('include_usage'))


# ---------------------------------------------------------------------- the answer


def encode_response(response: ModelResponse, request: ServedRequest) -> Json:
    """The body of a whole answer."""
    return {
        'id': response.provider_response_id or _new_id(),
        'object': 'chat.completion',
        'created': int(response.timestamp.timestamp()),
        'model': response.model_name or request.model_name,
        'choices': [
            {
                'index': 0,
                'message': {'role': 'assistant', **encode_message(response)},
                'logprobs': _logprobs(response),
                'finish_reason': finish_word(response),
            }
        ],
        'usage': encode_usage(response.usage),
        **_details(response),
    }


def encode_message(response: ModelResponse) -> Json:
    """The message of an answer. What the API cannot say (the vendor's own tools at work) is left out."""
    message: Json = {'content': None}
    calls: list[Json] = []
    for part in response.parts:
        match part:
            case TextPart(content=text):
                message['content'] = (message['content'] or '') + text
            case ThinkingPart():
                _add_thinking(message, part)
            case ToolCallPart():
                calls.append(encode_tool_call(part, part.provider_name or ''))
            case _:
                pass
    if calls:
        message['tool_calls'] = calls
    if refusal := (response.provider_details or {}).get('refusal'):
        message['refusal'] = refusal
    return message


def _add_thinking(message: Json, part: ThinkingPart) -> None:
    if part.provider_details and 'type' in part.provider_details:
        message.setdefault('reasoning_details', []).append(encode_reasoning_detail(part, part.provider_details))
    else:
        name = thinking_field(part)
        message[name] = message.get(name, '') + part.content


def thinking_field(part: ThinkingPart) -> str:
    """The name under which thoughts are sent: the one they came by, else the most common one."""
    return part.id if part.id in THINKING_FIELDS else THINKING_FIELDS[0]


def finish_word(response: ModelResponse) -> str | None:
    """The API's word for the end: the vendor's own where it is one of the API's."""
    raw: str | None = (response.provider_details or {}).get('finish_reason')
    if raw in FINISH_REASONS and FINISH_REASONS[raw] == response.finish_reason:
        return raw
    return WORDS[response.finish_reason] if response.finish_reason else None


def encode_usage(usage: RequestUsage) -> Json:
    """The tokens."""
    return {
        'prompt_tokens': usage.input_tokens,
        'completion_tokens': usage.output_tokens,
        'total_tokens': usage.total_tokens,
        'prompt_tokens_details': {
            'cached_tokens': usage.cache_read_tokens,
            'cache_write_tokens': usage.cache_write_tokens,
            'audio_tokens': usage.input_audio_tokens,
        },
        'completion_tokens_details': {
            **{name: count for name, count in usage.details.items() if not name.startswith('prompt_cache')},
            'audio_tokens': usage.output_audio_tokens,
        },
    }


def encode_error(error: BaseException) -> tuple[int, Json]:
    """The status and the body that tell of an error."""
    status = status_of(error)
    kind = ERROR_TYPES.get(status, 'server_error')
    code = WORDS['content_filter'] if isinstance(error, ContentFilterError) else status
    return status, {'error': {'message': message_of(error), 'type': kind, 'param': None, 'code': code}}


def _logprobs(response: ModelResponse) -> Json | None:
    tokens = (response.provider_details or {}).get('logprobs')
    return {'content': tokens} if tokens else None


def _details(response: ModelResponse) -> Json:
    details = response.provider_details or {}
    return {name: details[name] for name in ('service_tier', 'system_fingerprint') if name in details}


def _new_id() -> str:
    return f'chatcmpl-{uuid4().hex}'


class ChunkWriter:
    """Turns an answer's events into chunks."""

    def __init__(self, request: ServedRequest) -> None:
        self._request = request
        self._base: Json = {
            'id': _new_id(),
            'object': 'chat.completion.chunk',
            'created': int(request.received),
            'model': request.model_name,
        }
        self._calls: dict[int, int] = {}
        self._fields: dict[int, str] = {}

    def begin(self) -> Iterator[Json]:
        """The chunk that says who speaks."""
        yield self._chunk({'role': 'assistant', 'content': ''})

    def event(self, event: ModelResponseStreamEvent) -> Iterator[Json]:
        """The chunk for one event; events that the API does not tell of give none."""
        match event:
            case PartStartEvent(part=TextPart(content=text)) | PartDeltaEvent(delta=TextPartDelta(content_delta=text)):
                yield self._chunk({'content': text})
            case PartStartEvent(index=index, part=ThinkingPart() as part):
                self._fields[index] = thinking_field(part)
                yield from self._think(index, part)
            case PartDeltaEvent(index=index, delta=ThinkingPartDelta(content_delta=str() as text)):
                yield self._chunk({self._fields[index]: text})
            case PartStartEvent(index=index, part=ToolCallPart() as part):
                number = self._calls.setdefault(index, len(self._calls))
                call: Json = {'index': number, **encode_tool_call(part, part.provider_name or '')}
                call['function']['arguments'] = part.args_as_json_str() if part.args else ''
                yield self._chunk({'tool_calls': [call]})
            case PartDeltaEvent(index=index, delta=ToolCallPartDelta(args_delta=str() as fragment)):
                more: Json = {'index': self._calls[index], 'function': {'arguments': fragment}}
                yield self._chunk({'tool_calls': [more]})
            case _:
                pass

    def end(self, response: ModelResponse) -> Iterator[Json]:
        """The chunk with the finish reason, and the one with the usage if it was asked for."""
        last: Json = {'refusal': refusal} if (refusal := (response.provider_details or {}).get('refusal')) else {}
        yield self._chunk(last, finish_reason=finish_word(response), logprobs=_logprobs(response), **_details(response))
        if self._request.options.get('include_usage'):
            yield {**self._facts(response), 'choices': [], 'usage': encode_usage(response.usage)}

    def _think(self, index: int, part: ThinkingPart) -> Iterator[Json]:
        if part.provider_details and 'type' in part.provider_details:
            yield self._chunk({'reasoning_details': [encode_reasoning_detail(part, part.provider_details)]})
        elif part.content:
            yield self._chunk({self._fields[index]: part.content})

    def _facts(self, response: ModelResponse) -> Json:
        id, model = response.provider_response_id, response.model_name
        return {**self._base, **({'id': id} if id else {}), **({'model': model} if model else {})}

    def _chunk(
        self, delta: Json, *, finish_reason: str | None = None, logprobs: Json | None = None, **more: Any
    ) -> Json:
        choice = {'index': 0, 'delta': delta, 'logprobs': logprobs, 'finish_reason': finish_reason}
        return {**self._base, 'choices': [choice], **more}
