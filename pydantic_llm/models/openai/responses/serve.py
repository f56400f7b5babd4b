"""The Responses API from the server's side: body → request, response → body or events.

`decode_request` undoes `encode.encode`; `encode_response` and `EventWriter` undo `decode`. Answers are not stored: a
request that continues a stored one is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import cast
from uuid import uuid4

from ....exceptions import UserError
from ....messages import (
    FinishReason,
    ModelResponse,
    NativeToolCallPart,
    NativeToolReturnPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)
from ....messages.response import ModelResponsePart
from ....usage import RequestUsage
from ..._serve import Json, ServedRequest, message_of, status_of
from .encode import what_came_of
from .native_tools import ITEM, encode_native_call
from .serve_request import decode_input, decode_parameters, decode_settings

PATHS = ('/v1/responses', '/responses')
"""Where clients send their requests."""

STATUSES: dict[FinishReason | None, tuple[str, str | None]] = {
    'stop': ('completed', None),
    'tool_call': ('completed', None),
    'length': ('incomplete', 'max_output_tokens'),
    'content_filter': ('incomplete', 'content_filter'),
    'error': ('failed', None),
    None: ('completed', None),
}
"""Our words for the end, as the API's status and the reason why an answer is incomplete."""

ERROR_TYPES = {
    400: 'invalid_request_error',
    401: 'authentication_error',
    403: 'permission_error',
    404: 'not_found_error',
    429: 'rate_limit_error',
}
"""The API's names for errors; the others are `server_error`."""


def decode_request(body: Json, *, provider_name: str = 'openai') -> ServedRequest:
    """Read a request. Raises `UserError` where it is none."""
    model, said = body.get('model'), body.get('input')
    if not isinstance(model, str) or not model:
        raise UserError("'model' is missing from the request")
    if not said or not isinstance(said, (str, list)):
        raise UserError("'input' is missing from the request, or empty")
    for name in ('previous_response_id', 'conversation'):
        if body.get(name):
            raise UserError(
                f'This server keeps no answers, so {name!r} cannot be continued: send the whole conversation'
            )
    items: list[Json] = [{'role': 'user', 'content': said}] if isinstance(said, str) else cast('list[Json]', said)
    try:
        return ServedRequest(
            model,
            decode_input(items, body.get('instructions'), provider_name),
            decode_settings(body),
            decode_parameters(body),
            stream=bool(body.get('stream')),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UserError(f'The request is no Responses request: {type(error).__name__}: {error}') from error


# ---------------------------------------------------------------------- the answer


def encode_response(response: ModelResponse, request: ServedRequest) -> Json:
    """The body of a whole answer."""
    return envelope(response, request) | {
        'status': end_of(response)[0],
        'output': encode_items(response),
        'usage': encode_usage(response.usage),
    }


def envelope(response: ModelResponse | None, request: ServedRequest) -> Json:
    """What is said of an answer as a whole; before there is one, what is known already."""
    reason = end_of(response)[1] if response else None
    details = (response.provider_details if response else None) or {}
    return {
        'id': (response and response.provider_response_id) or f'resp_{uuid4().hex}',
        'object': 'response',
        'created_at': int(response.timestamp.timestamp() if response else request.received),
        'status': 'in_progress',
        'background': False,
        'error': _failure(response),
        'incomplete_details': {'reason': reason} if reason else None,
        'instructions': None,
        'metadata': {},
        'model': (response and response.model_name) or request.model_name,
        'output': [],
        'parallel_tool_calls': True,
        'previous_response_id': None,
        'reasoning': {'effort': None, 'summary': None},
        'service_tier': details.get('service_tier'),
        'store': False,
        'temperature': None,
        'text': {'format': {'type': 'text'}},
        'tool_choice': 'auto',
        'tools': [],
        'top_p': None,
        'truncation': 'disabled',
        'usage': None,
        'user': None,
    }


def end_of(response: ModelResponse) -> tuple[str, str | None]:
    """The API's status of an answer, and the reason why it is incomplete. A refusal is a complete answer."""
    if (response.provider_details or {}).get('refusal'):
        return 'completed', None
    return STATUSES[response.finish_reason]


def _failure(response: ModelResponse | None) -> Json | None:
    failed = response is not None and response.finish_reason == 'error'
    return {'code': 'server_error', 'message': 'The model failed'} if failed else None


def encode_items(response: ModelResponse) -> list[Json]:
    """The items of an answer; parts that came as one item become one again."""
    items: list[Json] = []
    numbers = count()
    for part in response.parts:
        if (item := encode_item(part, response.parts, f'item_{next(numbers)}')) is None:
            continue
        last = items[-1] if items else {}
        if item['type'] in ('message', 'reasoning') and (last.get('type'), last.get('id')) == (
            item['type'],
            item['id'],
        ):
            _join(last, item)
        else:
            items.append(item)
    if refusal := (response.provider_details or {}).get('refusal'):
        items.append(_message(f'item_{next(numbers)}', {'type': 'refusal', 'refusal': refusal}))
    return items


def _join(item: Json, more: Json) -> None:
    for name in ('summary', 'content'):
        if name in more:
            item.setdefault(name, []).extend(more[name])


def encode_item(part: ModelResponsePart, beside: Sequence[ModelResponsePart], made_up_id: str) -> Json | None:
    """The item of one part; `None` for a part that is told of by another's item, or that the API cannot say."""
    match part:
        case TextPart(content=text):
            details = part.provider_details or {}
            content = {'type': 'output_text', 'text': text, 'annotations': details.get('annotations', [])}
            if logprobs := details.get('logprobs'):
                content['logprobs'] = logprobs
            phase = {'phase': details['phase']} if details.get('phase') else {}
            return _message(part.id or made_up_id, content) | phase
        case ThinkingPart():
            return _reasoning(part, made_up_id)
        case ToolCallPart():
            call = {'call_id': part.tool_call_id, 'name': part.tool_name, 'arguments': part.args_as_json_str()}
            namespace = (part.provider_details or {}).get('namespace')
            more = {'namespace': namespace} if namespace else {}
            return {'type': 'function_call', 'id': part.id or made_up_id, 'status': 'completed', **call, **more}
        case NativeToolReturnPart(content=dict()) if ITEM in (part.provider_details or {}):
            return cast('Json', part.content)
        case NativeToolCallPart():
            return encode_native_call(part, what_came_of(part, beside))
        case _:
            return None


def _message(id: str, content: Json) -> Json:
    return {'type': 'message', 'id': id, 'status': 'completed', 'role': 'assistant', 'content': [content]}


def _reasoning(part: ThinkingPart, made_up_id: str) -> Json:
    raw = bool((part.provider_details or {}).get('raw'))
    item: Json = {'type': 'reasoning', 'id': part.id or made_up_id, 'summary': []}
    if raw:
        item['content'] = [{'type': 'reasoning_text', 'text': part.content}]
    elif part.content:
        item['summary'] = [{'type': 'summary_text', 'text': part.content}]
    return item | ({'encrypted_content': part.signature} if part.signature else {})


def encode_usage(usage: RequestUsage) -> Json:
    """The tokens."""
    return {
        'input_tokens': usage.input_tokens,
        'input_tokens_details': {
            'cached_tokens': usage.cache_read_tokens,
            'cache_write_tokens': usage.cache_write_tokens,
        },
        'output_tokens': usage.output_tokens,
        'output_tokens_details': {'reasoning_tokens': 0, **usage.details},
        'total_tokens': usage.total_tokens,
    }


def encode_error(error: BaseException) -> tuple[int, Json]:
    """The status and the body that tell of an error."""
    status = status_of(error)
    kind = ERROR_TYPES.get(status, 'server_error')
    return status, {'error': {'message': message_of(error), 'type': kind, 'param': None, 'code': str(status)}}
