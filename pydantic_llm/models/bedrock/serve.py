"""The Converse API from the server's side: body → request, response → body or events, events → frames.

`decode_request` undoes `encode.encode`; `encode_response` and `EventWriter` undo `decode`. The model's name is a part
of the address, and so is the wish for a stream: the app puts both into the body, as `model` and `stream`.
"""

from __future__ import annotations

from collections.abc import Mapping
from uuid import uuid4

from pydantic_core import to_json

from ...exceptions import NotFoundError, UserError
from ...json_types import Json
from ...transport.eventstream import CONTENT_TYPE, encode_frame
from ...wire.serving import ServedRequest, message_of, status_of
from .decode import EXCEPTIONS, REQUEST_ID
from .serve_options import decode_parameters, decode_settings
from .serve_request import decode_messages
from .serve_response import EventWriter, encode_response

__all__ = (
    'GARBAGE',
    'PATHS',
    'STREAM_TYPE',
    'EventWriter',
    'address',
    'decode_request',
    'encode_error',
    'encode_response',
    'frame',
    'headers',
)

PATHS = ('/model/{model:path}/{verb}',)
"""Where clients send their requests; `verb` is `converse` or `converse-stream`."""

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
"""The API's names for errors; the others are `InternalServerException`."""

TYPE = '__type'
"""Where the body of an error says its name. Amazon's own servers say it in a header."""

ERROR_TYPE = 'x-amzn-errortype'
"""The header that says the name of an error."""

JSON_TYPE = 'application/json'

IN_STREAMS = frozenset(EXCEPTIONS) & {
    'internalServerException',
    'modelStreamErrorException',
    'serviceUnavailableException',
    'throttlingException',
    'validationException',
}
"""The errors that clients expect inside a stream."""

GARBAGE = encode_frame(
    {':event-type': 'contentBlockDelta', ':content-type': JSON_TYPE, ':message-type': 'event'}, b'{"this is no JSON'
)
"""An event that nobody can read."""


def address(words: Mapping[str, str]) -> Json:
    """What the address adds to the body. Raises `NotFoundError` for an operation that is not served."""
    verb = words['verb']
    if verb not in ('converse', 'converse-stream'):
        raise NotFoundError(
            404, words['model'], message=f'{verb!r} is not served here; converse and converse-stream are'
        )
    return {'model': words['model'], 'stream': verb == 'converse-stream'}


def decode_request(body: Json, *, provider_name: str = 'bedrock') -> ServedRequest:
    """Read a request. Raises `UserError` where it is none."""
    if not isinstance(body.get('messages'), list) or not body['messages']:
        raise UserError("'messages' is missing from the request, or empty")
    try:
        return ServedRequest(
            body.get('model') or '',
            decode_messages(body, provider_name),
            decode_settings(body),
            decode_parameters(body),
            stream=bool(body.get('stream')),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UserError(f'The request is no Converse request: {type(error).__name__}: {error}') from error


def encode_error(error: BaseException) -> tuple[int, Json]:
    """The status and the body that tell of an error."""
    status = status_of(error)
    return status, {'message': message_of(error), TYPE: error_type(status)}


def error_type(status: int) -> str:
    """The API's name for an error."""
    return ERROR_TYPES.get(status, 'InternalServerException')


def headers(error: BaseException | None) -> Mapping[str, str]:
    """The headers of an answer, or of an error."""
    own = {REQUEST_ID: str(uuid4())}
    return own if error is None else {**own, ERROR_TYPE: error_type(status_of(error))}


def frame(event: Json) -> bytes:
    """An event as bytes of a stream: one of the API's, or the body of an error."""
    if TYPE in event:
        name = event[TYPE][:1].lower() + event[TYPE][1:]
        kind = name if name in IN_STREAMS else 'modelStreamErrorException'
        said = {':exception-type': kind, ':content-type': JSON_TYPE, ':message-type': 'exception'}
        return encode_frame(said, to_json({'message': event['message']}))
    name, payload = next(iter(event.items()))
    return encode_frame({':event-type': name, ':content-type': JSON_TYPE, ':message-type': 'event'}, to_json(payload))
