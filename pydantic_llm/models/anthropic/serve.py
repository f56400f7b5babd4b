"""The server's side of the Messages API. `decode_request` is the inverse of `encode`, the encoders that of `decode`."""

from __future__ import annotations

from collections.abc import Mapping

from ...exceptions import UserError
from ...json_types import Json
from ...wire.serving import ServedRequest, message_of, reject_malformed, status_of
from .serve_request import decode_messages
from .serve_response import StreamEncoder, encode_response
from .serve_settings import decode_parameters, decode_settings

__all__ = ('PATHS', 'StreamEncoder', 'decode_headers', 'decode_request', 'encode_error', 'encode_response')

PATHS = ('/v1/messages',)
"""The paths of the requests that are served."""

BETA_HEADER = 'anthropic-beta'
"""https://platform.claude.com/docs/en/api/beta-headers"""

LOGIN_BETA = 'oauth-'
"""The start of the names of betas for requests with a token of an account, as Claude Code sends them."""

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
"""HTTP statuses -> the API's names of errors. Other statuses are an `api_error`.
https://platform.claude.com/docs/en/api/errors"""


def decode_request(body: Json, *, provider_name: str = 'anthropic') -> ServedRequest:
    """Decode a request body. Raises `UserError` if it is not a valid request."""
    for name, kind in (('model', str), ('messages', list), ('max_tokens', int)):
        if not isinstance(body.get(name), kind) or (name != 'max_tokens' and not body[name]):
            raise UserError(f'{name}: Field required')
    with reject_malformed('Messages'):
        history, settings = decode_messages(body, provider_name), decode_settings(body)
        parameters, stream = decode_parameters(body), bool(body.get('stream'))
        return ServedRequest(body['model'], history, settings, parameters, stream=stream)


def decode_headers(headers: Mapping[str, str]) -> Json:
    """Return the betas that the client uses, as a setting. Those of its login do not belong to the gateway's key."""
    names = [name.strip() for name in headers.get(BETA_HEADER, '').split(',')]
    betas = [name for name in names if name and not name.startswith(LOGIN_BETA)]
    return {'anthropic_betas': betas} if betas else {}


def encode_error(error: BaseException) -> tuple[int, Json]:
    """Return the HTTP status and the body for an error."""
    status = status_of(error)
    kind = ERROR_TYPES.get(status, 'api_error')
    return status, {'type': 'error', 'error': {'type': kind, 'message': message_of(error)}}
