"""The Gemini API from the server's side: body → request, response → body or chunks.

The model's name and whether to stream are in the path: `decode_path` adds them to the body as `model` and `stream`.
`decode_request` is the inverse of `encode.encode`, with messages in `serve_request` and everything else in
`serve_settings`; `encode_response` and `StreamEncoder`, in `serve_response`, are the inverse of `decode`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from ...exceptions import ModelHTTPError, NotFoundError, UserError
from ...json_types import Json
from ...transport.errors import RETRY_INFO
from ...wire.serving import ServedRequest, format_seconds, message_of, reject_malformed, status_of
from .serve_request import decode_contents, to_camel_case
from .serve_response import StreamEncoder, encode_response
from .serve_settings import decode_parameters, decode_settings

__all__ = ('PATHS', 'StreamEncoder', 'decode_path', 'decode_request', 'encode_error', 'encode_response')

PATHS = (
    '/v1beta/models/{model:path}:{verb}',
    '/v1/models/{model:path}:{verb}',
    '/v1beta1/publishers/{publisher}/models/{model:path}:{verb}',
    '/v1/publishers/{publisher}/models/{model:path}:{verb}',
    '/v1beta1/projects/{project}/locations/{region}/publishers/{publisher}/models/{model:path}:{verb}',
    '/v1/projects/{project}/locations/{region}/publishers/{publisher}/models/{model:path}:{verb}',
)
"""The paths of the Generative Language API and of Vertex AI."""

VERBS = {'generateContent': False, 'streamGenerateContent': True}
"""Methods of a model -> whether the response is streamed."""

ERROR_STATUSES = {
    **dict.fromkeys((400, 413, 415, 422), 'INVALID_ARGUMENT'),
    401: 'UNAUTHENTICATED',
    403: 'PERMISSION_DENIED',
    404: 'NOT_FOUND',
    409: 'ABORTED',
    429: 'RESOURCE_EXHAUSTED',
    499: 'CANCELLED',
    **dict.fromkeys((503, 529), 'UNAVAILABLE'),
    504: 'DEADLINE_EXCEEDED',
}
"""HTTP statuses -> the API's names of errors. Other statuses are `INTERNAL`."""


def decode_path(parameters: Mapping[str, str]) -> Json:
    """Return the fields of the body that are in the path. Raises `NotFoundError` if the verb is not in `VERBS`."""
    verb, publisher = parameters['verb'], parameters.get('publisher', 'google')
    if verb not in VERBS:
        verbs = ' and '.join(VERBS)
        raise NotFoundError(404, parameters['model'], message=f'{verb!r} is not served here; {verbs} are')
    model = parameters['model'] if publisher == 'google' else f'{publisher}/{parameters["model"]}'
    return {'model': model, 'stream': VERBS[verb]}


def decode_request(body: Json, *, provider_name: str = 'google-gla') -> ServedRequest:
    """Decode a request body. Raises `UserError` if it is not a valid request."""
    body = to_camel_case(body)
    contents = body.get('contents')
    if not isinstance(contents, list) or not contents:
        raise UserError("'contents' is missing from the request, or empty")
    with reject_malformed('generateContent'):
        return ServedRequest(
            body.get('model') or '',
            decode_contents(cast('list[Json]', contents), body.get('systemInstruction'), provider_name),
            decode_settings(body),
            decode_parameters(body),
            stream=bool(body.get('stream')),
        )


def encode_error(error: BaseException) -> tuple[int, Json]:
    """Return the HTTP status and the body of an error, with the delay of a retry in seconds, if it has one."""
    status = status_of(error)
    body: Json = {'code': status, 'message': message_of(error), 'status': ERROR_STATUSES.get(status, 'INTERNAL')}
    if isinstance(error, ModelHTTPError) and error.retry_after is not None:
        body['details'] = [{'@type': RETRY_INFO, 'retryDelay': f'{format_seconds(error.retry_after)}s'}]
    return status, {'error': body}
