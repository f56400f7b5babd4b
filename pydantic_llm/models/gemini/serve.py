"""The Gemini API from the server's side: body → request, response → body or chunks.

`decode_request` undoes `encode.encode`; `encode_response` and `ChunkWriter` undo `decode`. The model's name is a part
of the address, and so is the wish for a stream: `address` puts both into the body, as `model` and `stream`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from ...exceptions import ModelHTTPError, NotFoundError, UserError
from ...json_types import Json
from ...transport.errors import RETRY_INFO
from ...wire.serving import ServedRequest, message_of, status_of
from .serve_options import decode_parameters, decode_settings
from .serve_request import camel, decode_contents
from .serve_response import ChunkWriter, encode_response

__all__ = ('PATHS', 'ChunkWriter', 'address', 'decode_request', 'encode_error', 'encode_response')

PATHS = (
    '/v1beta/models/{model:path}:{verb}',
    '/v1/models/{model:path}:{verb}',
    '/v1beta1/publishers/{publisher}/models/{model:path}:{verb}',
    '/v1/publishers/{publisher}/models/{model:path}:{verb}',
    '/v1beta1/projects/{project}/locations/{region}/publishers/{publisher}/models/{model:path}:{verb}',
    '/v1/projects/{project}/locations/{region}/publishers/{publisher}/models/{model:path}:{verb}',
)
"""Where clients of the Generative Language API and of Vertex AI send their requests."""

VERBS = {'generateContent': False, 'streamGenerateContent': True}
"""What can be asked of a model, and whether the answer is a stream."""

STATUSES = {
    400: 'INVALID_ARGUMENT',
    401: 'UNAUTHENTICATED',
    403: 'PERMISSION_DENIED',
    404: 'NOT_FOUND',
    409: 'ABORTED',
    413: 'INVALID_ARGUMENT',
    415: 'INVALID_ARGUMENT',
    422: 'INVALID_ARGUMENT',
    429: 'RESOURCE_EXHAUSTED',
    499: 'CANCELLED',
    503: 'UNAVAILABLE',
    504: 'DEADLINE_EXCEEDED',
    529: 'UNAVAILABLE',
}
"""The API's names for errors; the others are `INTERNAL`."""


def address(words: Mapping[str, str]) -> Json:
    """What the words in the path say: the model, and whether to stream. Raises `NotFoundError` for another verb."""
    verb, publisher = words['verb'], words.get('publisher', 'google')
    if verb not in VERBS:
        raise NotFoundError(404, words['model'], message=f'{verb!r} is not served here, but {" and ".join(VERBS)}')
    model = words['model'] if publisher == 'google' else f'{publisher}/{words["model"]}'
    return {'model': model, 'stream': VERBS[verb]}


def decode_request(body: Json, *, provider_name: str = 'google-gla') -> ServedRequest:
    """Read a request. Raises `UserError` where it is none."""
    body = camel(body)
    contents = body.get('contents')
    if not isinstance(contents, list) or not contents:
        raise UserError("'contents' is missing from the request, or empty")
    try:
        return ServedRequest(
            body.get('model') or '',
            decode_contents(cast('list[Json]', contents), body.get('systemInstruction'), provider_name),
            decode_settings(body),
            decode_parameters(body),
            stream=bool(body.get('stream')),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UserError(f'The request is no generateContent request: {type(error).__name__}: {error}') from error


def encode_error(error: BaseException) -> tuple[int, Json]:
    """The status and the body that tell of an error."""
    status = status_of(error)
    said: Json = {'code': status, 'message': message_of(error), 'status': STATUSES.get(status, 'INTERNAL')}
    if isinstance(error, ModelHTTPError) and error.retry_after is not None:
        said['details'] = [{'@type': RETRY_INFO, 'retryDelay': f'{error.retry_after:g}s'}]
    return status, {'error': said}
