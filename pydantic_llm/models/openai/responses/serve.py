"""The Responses API from the server's side: body → request, response → body or events.

`decode_request` undoes `encode.encode` (`serve_request`); `encode_response` and `EventWriter` undo `decode`: the items
of an answer are made in `serve_items`, the events in `serve_stream`. Answers are not stored: a request that continues
a stored one is refused.
"""

from __future__ import annotations

from typing import cast

from ....exceptions import ContentFilterError, UserError
from ....json_types import Json
from ....messages import FinishReason, ModelResponse
from ....usage import RequestUsage
from ....wire.serving import ServedRequest, message_of, status_of
from .decode import UNFINISHED
from .serve_items import encode_items, token
from .serve_request import decode_input, decode_parameters, decode_settings

PATHS = ('/v1/responses', '/responses', '/openai/v1/responses', '/openai/responses')
"""Where clients send their requests; the last two are Azure's."""

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

ECHOED = (
    'instructions',
    'max_output_tokens',
    'max_tool_calls',
    'metadata',
    'parallel_tool_calls',
    'prompt_cache_key',
    'reasoning',
    'safety_identifier',
    'temperature',
    'tool_choice',
    'tools',
    'top_logprobs',
    'top_p',
    'truncation',
    'user',
)
"""The fields of a request that its answer repeats."""


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
            options={'echo': _echo(body)},
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UserError(f'The request is no Responses request: {type(error).__name__}: {error}') from error


def _echo(body: Json) -> Json:
    text: Json = {'format': {'type': 'text'}} | (body.get('text') or {})
    return {**{name: body[name] for name in ECHOED if body.get(name) is not None}, 'text': text}


# ---------------------------------------------------------------------- the answer


def encode_response(response: ModelResponse, request: ServedRequest) -> Json:
    """The body of a whole answer."""
    return envelope(response, request) | {
        'status': end_of(response)[0],
        'output': encode_items(response, request),
        'usage': encode_usage(response.usage),
    }


def envelope(response: ModelResponse | None, request: ServedRequest) -> Json:
    """What is said of an answer as a whole; before there is one, what is known already."""
    reason = end_of(response)[1] if response else None
    details = (response.provider_details if response else None) or {}
    return {
        'id': (response and response.provider_response_id) or f'resp_{token(request)}',
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
        **request.options.get('echo', {}),
    }


def end_of(response: ModelResponse) -> tuple[str, str | None]:
    """The API's status of an answer, and the reason why it is incomplete. A refusal is a complete answer."""
    details = response.provider_details or {}
    if details.get('refusal'):
        return 'completed', None
    if response.state != 'complete':
        raw = details.get('finish_reason')
        return (raw if raw in UNFINISHED else 'incomplete'), None
    return STATUSES[response.finish_reason]


def _failure(response: ModelResponse | None) -> Json | None:
    failed = response is not None and response.finish_reason == 'error'
    return {'code': 'server_error', 'message': 'The model failed'} if failed else None


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
    code = 'content_filter' if isinstance(error, ContentFilterError) else str(status)
    return status, {'error': {'message': message_of(error), 'type': kind, 'param': None, 'code': code}}


def encode_error_event(body: Json, number: int) -> Json:
    """The event that tells of an error in a stream that has sent so many, in the API's form and in that of clients."""
    error: Json = body['error']
    said = {name: error[name] for name in ('code', 'message', 'param')}
    return {'type': 'error', **said, 'sequence_number': number, 'error': error}
