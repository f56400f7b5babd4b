"""The server's side of the Chat API. `decode_request` is the inverse of `encode`, the encoders that of `decode`."""

from __future__ import annotations

from uuid import uuid4

from ...exceptions import UserError
from ...json_types import Json
from ...wire.serving import ServedRequest, message_of, reject_malformed, status_of
from .serve_request import decode_messages
from .serve_response import StreamEncoder, encode_response
from .serve_settings import decode_parameters, decode_settings

__all__ = ('PATHS', 'StreamEncoder', 'decode_request', 'encode_error', 'encode_error_event', 'encode_response')

PATHS = ('/v2/chat',)
"""The paths of the requests that are served."""


def decode_request(body: Json, *, provider_name: str = 'cohere') -> ServedRequest:
    """Decode a request body. Raises `UserError` if it is not a valid request."""
    model, messages = body.get('model'), body.get('messages')
    if not isinstance(model, str) or not model:
        raise UserError('a model parameter is required for this endpoint.')
    if not isinstance(messages, list) or not messages:
        raise UserError("invalid request: 'messages' is missing, or empty")
    with reject_malformed('chat'):
        history, settings = decode_messages(body, provider_name), decode_settings(body)
        parameters, stream = decode_parameters(body), bool(body.get('stream'))
        return ServedRequest(model, history, settings, parameters, stream=stream)


def encode_error(error: BaseException) -> tuple[int, Json]:
    """Return the HTTP status and the body for an error."""
    return status_of(error), {'id': str(uuid4()), 'message': message_of(error)}


def encode_error_event(body: Json, sent: int) -> Json:
    """Return the last event of a stream that failed. The API has no event for errors."""
    return {'type': 'message-end', 'delta': {'finish_reason': 'ERROR', 'error': body['message']}}
