"""The Responses API from the server's side.

`decode_request` undoes `encode.encode` (with `serve_request` and `serve_settings`); `encode_response` and
`StreamEncoder` (in `serve_response`, with `serve_items` and `serve_events`) undo `decode`. Responses are not stored: a
request that continues a stored one is refused.
"""

from __future__ import annotations

from typing import cast

from ....exceptions import ContentFilterError, UserError
from ....json_types import Json
from ....wire.serving import ServedRequest, message_of, reject_malformed, status_of
from ..errors import ERROR_TYPES
from .serve_request import decode_input
from .serve_response import StreamEncoder, encode_response
from .serve_settings import decode_echo, decode_parameters, decode_settings

__all__ = ('PATHS', 'StreamEncoder', 'decode_request', 'encode_error', 'encode_error_event', 'encode_response')

PATHS = ('/v1/responses', '/responses', '/openai/v1/responses', '/openai/responses')
"""The paths of requests; the last two are Azure's."""


def decode_request(body: Json, *, provider_name: str = 'openai') -> ServedRequest:
    """Decode a request body. Raises `UserError` if it is not a valid request."""
    model, content = body.get('model'), body.get('input')
    if not isinstance(model, str) or not model:
        raise UserError("'model' is missing from the request")
    if not content or not isinstance(content, (str, list)):
        raise UserError("'input' is missing from the request, or empty")
    for name in ('previous_response_id', 'conversation'):
        if body.get(name):
            raise UserError(
                f'This server stores no responses, so {name!r} cannot be continued: send the whole conversation'
            )
    is_text = isinstance(content, str)
    items: list[Json] = [{'role': 'user', 'content': content}] if is_text else cast('list[Json]', content)
    with reject_malformed('Responses'):
        return ServedRequest(
            model,
            decode_input(items, body.get('instructions'), provider_name),
            decode_settings(body),
            decode_parameters(body),
            stream=bool(body.get('stream')),
            options={'echo': decode_echo(body)},
        )


def encode_error(error: BaseException) -> tuple[int, Json]:
    """Encode an error as an HTTP status and a body."""
    status = status_of(error)
    type = ERROR_TYPES.get(status, 'server_error')
    code = 'content_filter' if isinstance(error, ContentFilterError) else str(status)
    return status, {'error': {'message': message_of(error), 'type': type, 'param': None, 'code': code}}


def encode_error_event(body: Json, sequence_number: int) -> Json:
    """Encode the body of an error as an event.

    The API's events have the error's fields at the top; the SDK's client raises for those that have an `error`.
    """
    error: Json = body['error']
    fields = {name: error[name] for name in ('code', 'message', 'param')}
    return {'type': 'error', **fields, 'sequence_number': sequence_number, 'error': error}
