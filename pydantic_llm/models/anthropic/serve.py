"""The Messages API from the server's side: body → request, response → body or events.

`decode_request` undoes `encode.encode`; `encode_response` and `EventWriter` undo `decode`.
"""

from __future__ import annotations

from ...exceptions import UserError
from ...json_types import Json
from ...wire.serving import ServedRequest, message_of, status_of
from .serve_options import decode_parameters, decode_settings
from .serve_request import decode_messages
from .serve_response import EventWriter, encode_response

__all__ = ('PATHS', 'EventWriter', 'decode_request', 'encode_error', 'encode_response')

PATHS = ('/v1/messages',)
"""Where clients send their requests."""

ERROR_TYPES = {
    400: 'invalid_request_error',
    401: 'authentication_error',
    402: 'billing_error',
    403: 'permission_error',
    404: 'not_found_error',
    409: 'conflict_error',
    413: 'request_too_large',
    422: 'invalid_request_error',
    429: 'rate_limit_error',
    503: 'overloaded_error',
    504: 'timeout_error',
    529: 'overloaded_error',
}
"""The API's names for errors; the others are `api_error`."""


def decode_request(body: Json, *, provider_name: str = 'anthropic') -> ServedRequest:
    """Read a request. Raises `UserError` where it is none."""
    for name, kind in (('model', str), ('messages', list), ('max_tokens', int)):
        if not isinstance(body.get(name), kind) or (name != 'max_tokens' and not body[name]):
            raise UserError(f'{name}: Field required')
    try:
        return ServedRequest(
            body['model'],
            decode_messages(body, provider_name),
            decode_settings(body),
            decode_parameters(body),
            stream=bool(body.get('stream')),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UserError(f'The request is no message request: {type(error).__name__}: {error}') from error


def encode_error(error: BaseException) -> tuple[int, Json]:
    """The status and the body that tell of an error."""
    status = status_of(error)
    kind = ERROR_TYPES.get(status, 'api_error')
    return status, {'type': 'error', 'error': {'type': kind, 'message': message_of(error)}}
