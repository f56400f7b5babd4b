"""The server's side of the Converse API. `decode_request` is the inverse of `encode`, the encoders that of `decode`.

The model's name and whether to stream are in the path: `decode_path` adds them to the body, as `model` and `stream`.
"""

from __future__ import annotations

from collections.abc import Mapping
from uuid import uuid4

from pydantic_core import to_json

from ...exceptions import NotFoundError, UserError
from ...json_types import Json
from ...transport.eventstream import CONTENT_TYPE, encode_frame
from ...wire.serving import ServedRequest, message_of, reject_malformed, status_of
from .decode import REQUEST_ID_HEADER
from .serve_request import decode_messages
from .serve_response import StreamEncoder, encode_response
from .serve_settings import decode_parameters, decode_settings

__all__ = (
    'INVALID_FRAME',
    'PATHS',
    'STREAM_TYPE',
    'StreamEncoder',
    'decode_path',
    'decode_request',
    'encode_error',
    'encode_event',
    'encode_headers',
    'encode_response',
)

PATHS = ('/model/{model:path}/{verb}',)
"""The path of requests; `verb` is `converse` or `converse-stream`."""

STREAM_TYPE = CONTENT_TYPE
"""The content type of a stream."""

ERROR_TYPES = {
    400: 'ValidationException',
    401: 'UnrecognizedClientException',
    403: 'AccessDeniedException',
    404: 'ResourceNotFoundException',
    408: 'ModelTimeoutException',
    413: 'ValidationException',
    422: 'ValidationException',
    424: 'ModelErrorException',
    429: 'ThrottlingException',
    503: 'ServiceUnavailableException',
    504: 'ModelTimeoutException',
    529: 'ServiceUnavailableException',
}
"""HTTP statuses -> the API's names of errors. Other statuses are an `InternalServerException`.
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html"""

TYPE_FIELD = '__type'
"""The field of an error body with the name of the error. Amazon's own servers send it in `TYPE_HEADER` only."""

TYPE_HEADER = 'x-amzn-errortype'

JSON_TYPE = 'application/json'

STREAM_EXCEPTIONS = frozenset(
    {
        'internalServerException',
        'modelStreamErrorException',
        'serviceUnavailableException',
        'throttlingException',
        'validationException',
    }
)
"""The errors that clients expect in a stream; others are sent as `modelStreamErrorException`.
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStreamOutput.html"""

INVALID_FRAME = encode_frame(
    {':event-type': 'contentBlockDelta', ':content-type': JSON_TYPE, ':message-type': 'event'}, b'{"this is no JSON'
)
"""A valid frame whose payload is not JSON."""


def decode_path(parameters: Mapping[str, str]) -> Json:
    """Return the fields that the path adds to the body. Raises `NotFoundError` for an operation that is not served."""
    model, verb = parameters['model'], parameters['verb']
    if verb not in ('converse', 'converse-stream'):
        raise NotFoundError(404, model, message=f'{verb!r} is not served here; converse and converse-stream are')
    return {'model': model, 'stream': verb == 'converse-stream'}


def decode_request(body: Json, *, provider_name: str = 'bedrock') -> ServedRequest:
    """Decode a request body. Raises `UserError` if it is not a valid request."""
    if not isinstance(body.get('messages'), list) or not body['messages']:
        raise UserError("'messages' is missing from the request, or empty")
    with reject_malformed('Converse'):
        history, settings = decode_messages(body, provider_name), decode_settings(body)
        parameters, stream = decode_parameters(body), bool(body.get('stream'))
        return ServedRequest(body.get('model') or '', history, settings, parameters, stream=stream)


def encode_error(error: BaseException) -> tuple[int, Json]:
    """Return the HTTP status and the body for an error."""
    status = status_of(error)
    return status, {'message': message_of(error), TYPE_FIELD: _find_error_type(status)}


def _find_error_type(status: int) -> str:
    return ERROR_TYPES.get(status, 'InternalServerException')


def encode_headers(error: BaseException | None) -> Mapping[str, str]:
    """Return the headers for an error, or for a response if it is `None`."""
    headers = {REQUEST_ID_HEADER: str(uuid4())}
    return headers if error is None else {**headers, TYPE_HEADER: _find_error_type(status_of(error))}


def encode_event(event: Json) -> bytes:
    """Encode an event of the API, or the body of an error, as a frame of a stream."""
    if TYPE_FIELD in event:
        name = event[TYPE_FIELD][:1].lower() + event[TYPE_FIELD][1:]
        kind = name if name in STREAM_EXCEPTIONS else 'modelStreamErrorException'
        headers = {':exception-type': kind, ':content-type': JSON_TYPE, ':message-type': 'exception'}
        return encode_frame(headers, to_json({'message': event['message']}))
    name, payload = next(iter(event.items()))
    return encode_frame({':event-type': name, ':content-type': JSON_TYPE, ':message-type': 'event'}, to_json(payload))
