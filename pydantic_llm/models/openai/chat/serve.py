"""The Chat Completions API from the server's side. Start at `decode_request`, which undoes `encode.encode`.

`serve_request` decodes the messages, `serve_settings` the settings, the tools and the output. `serve_response` encodes
the response, whole or streamed, and undoes `decode`.
"""

from __future__ import annotations

from typing import cast

from ....exceptions import ContentFilterError, UserError
from ....json_types import Json
from ....wire.serving import ServedRequest, message_of, reject_malformed, status_of
from ..errors import ERROR_TYPES
from .dialect import OPENAI, Dialect
from .serve_request import decode_messages
from .serve_response import StreamEncoder, encode_response
from .serve_settings import decode_parameters, decode_settings

__all__ = ('PATHS', 'StreamEncoder', 'decode_request', 'encode_error', 'encode_response')

PATHS = (
    '/v1/chat/completions',
    '/chat/completions',
    '/openai/v1/chat/completions',
    '/openai/deployments/{model:path}/chat/completions',
)
"""The paths that clients send requests to. Azure's has the model:
https://learn.microsoft.com/azure/ai-foundry/openai/reference"""


def decode_request(body: Json, *, provider_name: str = 'openai', dialect: Dialect = OPENAI) -> ServedRequest:
    """Decode a request body. Raises `UserError` if it is not a valid request."""
    model, messages = body.get('model'), body.get('messages')
    if not isinstance(model, str) or not model:
        raise UserError("'model' is missing from the request")
    if not isinstance(messages, list) or not messages:
        raise UserError("'messages' is missing from the request, or empty")
    if (count := body.get('n')) not in (None, 1):
        raise UserError(f'n is {count!r}: this server generates one response for each request')
    with reject_malformed('chat completion'):
        stream_options: Json = body.get('stream_options') or {}
        return ServedRequest(
            model,
            decode_messages(cast('list[Json]', messages), provider_name),
            decode_settings(body, dialect),
            decode_parameters(body),
            stream=bool(body.get('stream')),
            options={'include_usage': bool(stream_options.get('include_usage'))},
        )


def encode_error(error: BaseException) -> tuple[int, Json]:
    """Return the status and the body for an error."""
    status = status_of(error)
    kind = ERROR_TYPES.get(status, 'server_error')
    code = 'content_filter' if isinstance(error, ContentFilterError) else status
    return status, {'error': {'message': message_of(error), 'type': kind, 'param': None, 'code': code}}
