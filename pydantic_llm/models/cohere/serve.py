"""Cohere's Chat API from the server's side: body → request, response → body or events.

`decode_request` undoes `encode.encode`; `encode_response` and `EventWriter` undo `decode`.
"""

from __future__ import annotations

from uuid import uuid4

from ...exceptions import UserError
from ...json_types import Json
from ...wire.serving import ServedRequest, message_of, status_of
from .serve_request import decode_messages, decode_parameters, decode_settings
from .serve_response import EventWriter, encode_response

__all__ = ('DONE', 'PATHS', 'EventWriter', 'decode_request', 'encode_error', 'encode_error_event', 'encode_response')

PATHS = ('/v2/chat',)
"""Where clients send their requests."""

DONE = b'data: [DONE]\n\n'
"""What ends a stream."""


def decode_request(body: Json, *, provider_name: str = 'cohere') -> ServedRequest:
    """Read a request. Raises `UserError` where it is none."""
    model, messages = body.get('model'), body.get('messages')
    if not isinstance(model, str) or not model:
        raise UserError('a model parameter is required for this endpoint.')
    if not isinstance(messages, list) or not messages:
        raise UserError("invalid request: 'messages' is missing, or empty")
    try:
        return ServedRequest(
            model,
            decode_messages(body, provider_name),
            decode_settings(body),
            decode_parameters(body),
            stream=bool(body.get('stream')),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UserError(f'The request is no chat request: {type(error).__name__}: {error}') from error


def encode_error(error: BaseException) -> tuple[int, Json]:
    """The status and the body that tell of an error."""
    return status_of(error), {'id': str(uuid4()), 'message': message_of(error)}


def encode_error_event(body: Json, sent: int) -> Json:
    """The event that tells of an error in a stream: its end, since the API has no other."""
    return {'type': 'message-end', 'delta': {'finish_reason': 'ERROR', 'error': body['message']}}
