"""Mistral's API from the server's side. Start at `decode_request`.

A request is rewritten in OpenAI's form (`serve_request`, `serve_settings`), and `openai.chat.serve` decodes it.
`serve_response` encodes the response, whole or streamed.
"""

from __future__ import annotations

from ...json_types import Json
from ...wire.serving import ServedRequest
from ..openai.chat import serve as chat
from .dialect import MISTRAL
from .serve_request import decode_messages
from .serve_response import StreamEncoder, encode_response
from .serve_settings import decode_settings

__all__ = ('PATHS', 'StreamEncoder', 'decode_request', 'encode_error', 'encode_response')

PATHS = ('/mistral/v1/chat/completions',)
"""The path of clients whose base URL ends with `/mistral`. Without that, the path is OpenAI's."""


def decode_request(body: Json) -> ServedRequest:
    """Decode a request body. Raises `UserError` if it is not a valid request."""
    rewritten = {**body, **decode_settings(body), 'messages': decode_messages(body.get('messages'))}
    return chat.decode_request(rewritten, provider_name='mistral', dialect=MISTRAL)


def encode_error(error: BaseException) -> tuple[int, Json]:
    """Return the status and the body for an error: OpenAI's fields, in the body itself."""
    status, body = chat.encode_error(error)
    return status, {'object': 'error', **body['error'], 'code': None, 'raw_status_code': status}
