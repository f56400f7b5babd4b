"""The protocols that an app speaks: one row for each room that has a `serve.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

from ..json_types import Json
from ..messages import ModelResponse
from ..models.anthropic import serve as anthropic
from ..models.bedrock import serve as bedrock
from ..models.cohere import serve as cohere
from ..models.gemini import serve as gemini
from ..models.mistral import serve as mistral
from ..models.openai.chat import serve as chat
from ..models.openai.responses import serve as responses
from ..wire.served_fields import keep_encoded
from ..wire.serving import DONE, ServedRequest, StreamEncoder, end_pause, sse
from .faults import INVALID_FRAME, KEEP_ALIVE_FRAME
from .unknown_fields import find_unknown_fields
from .value_types import check_types


@dataclass(frozen=True, slots=True)
class Protocol:
    """One vendor's API, from the server's side."""

    name: str
    paths: tuple[str, ...]
    """The paths of its requests, with Starlette's `{parameters}`."""
    decode_request: Callable[[Json], ServedRequest]
    """Body → request. Raises `UserError` if the body is not a valid request."""
    encode_response: Callable[[ModelResponse, ServedRequest], Json]
    """Response, and the request that it belongs to → body."""
    stream_encoder: Callable[[ServedRequest], StreamEncoder]
    """Builds the encoder of one streamed response."""
    encode_error: Callable[[BaseException], tuple[int, Json]]
    """Error → HTTP status and body."""
    encode_frame: Callable[[Json], bytes]
    """Event → bytes of a stream."""
    end_frame: bytes = b''
    """The bytes that end a stream."""
    decode_path: Callable[[Mapping[str, str]], Json] = dict
    """Parameters of the path → fields to add to the body."""
    stream_type: str = 'text/event-stream; charset=utf-8'
    """The content type of a stream."""
    encode_error_event: Callable[[Json, int], Json] = lambda body, sent: body
    """Body of an error, and the number of frames sent before it → event of a stream."""
    encode_headers: Callable[[BaseException | None], Mapping[str, str]] = lambda error: {}
    """Error, or `None` for a response → headers."""
    keep_alive_frame: bytes = KEEP_ALIVE_FRAME
    """A frame that clients skip; empty if the protocol has none."""
    invalid_frame: bytes = INVALID_FRAME
    """A frame whose event cannot be decoded, for `Fault.garbage_after`."""
    fields_owner: str | None = None
    """The prefix of the settings of the only API that gets the unknown fields; `None` if every API gets them."""
    decode_headers: Callable[[Mapping[str, str]], Json] = lambda headers: {}
    """Headers of a request → settings."""
    has_pauses: bool = False
    """True if its clients can continue a paused response."""

    def read_request(self, fields: Json) -> ServedRequest:
        """Decode a request and check the types of its values. Raises `UserError` if it is not a valid one."""
        served = self.decode_request(fields)
        check_types(served)
        return served

    def keep_fields(self, served: ServedRequest) -> AbstractContextManager[None]:
        """Let no unknown field of a request replace one of the request to the model, during the block."""
        return keep_encoded(find_unknown_fields(served), owner=self.fields_owner)

    def end_pause(self, response: ModelResponse) -> ModelResponse:
        """Return a paused response as a truncated one, if the protocol has no pauses; any other one unchanged."""
        return response if self.has_pauses else end_pause(response)


def _encode_named_event(event: Json) -> bytes:
    """Encode a server-sent event whose name is the `type` of its data."""
    return sse(event, name=event.get('type'))


PROTOCOLS: tuple[Protocol, ...] = (
    Protocol(
        'openai-chat',
        chat.PATHS,
        chat.decode_request,
        chat.encode_response,
        chat.StreamEncoder,
        chat.encode_error,
        sse,
        DONE,
    ),
    Protocol(
        'openai-responses',
        responses.PATHS,
        responses.decode_request,
        responses.encode_response,
        responses.StreamEncoder,
        responses.encode_error,
        _encode_named_event,
        encode_error_event=responses.encode_error_event,
        has_pauses=True,
    ),
    Protocol(
        'anthropic',
        anthropic.PATHS,
        anthropic.decode_request,
        anthropic.encode_response,
        anthropic.StreamEncoder,
        anthropic.encode_error,
        _encode_named_event,
        fields_owner='anthropic_',  # Claude Code sends fields of betas, which other vendors refuse
        decode_headers=anthropic.decode_headers,
        has_pauses=True,
    ),
    Protocol(
        'bedrock',
        bedrock.PATHS,
        bedrock.decode_request,
        bedrock.encode_response,
        bedrock.StreamEncoder,
        bedrock.encode_error,
        bedrock.encode_event,
        decode_path=bedrock.decode_path,
        stream_type=bedrock.STREAM_TYPE,
        encode_headers=bedrock.encode_headers,
        keep_alive_frame=b'',
        invalid_frame=bedrock.INVALID_FRAME,
    ),
    Protocol(
        'cohere',
        cohere.PATHS,
        cohere.decode_request,
        cohere.encode_response,
        cohere.StreamEncoder,
        cohere.encode_error,
        _encode_named_event,
        DONE,
        encode_error_event=cohere.encode_error_event,
    ),
    Protocol(
        'mistral',
        mistral.PATHS,
        mistral.decode_request,
        mistral.encode_response,
        mistral.StreamEncoder,
        mistral.encode_error,
        sse,
        DONE,
    ),
    Protocol(
        'gemini',
        gemini.PATHS,
        gemini.decode_request,
        gemini.encode_response,
        gemini.StreamEncoder,
        gemini.encode_error,
        sse,
        decode_path=gemini.decode_path,
    ),
)

PROTOCOLS_BY_NAME: Mapping[str, Protocol] = {protocol.name: protocol for protocol in PROTOCOLS}
