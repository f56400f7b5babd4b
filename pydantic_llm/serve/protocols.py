"""The protocols that an app can speak: one row for each room that has a `serve.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
from ..models.openai.responses.serve_stream import EventWriter as ResponsesWriter
from ..wire.serving import ServedRequest, StreamWriter, sse
from .faults import COMMENT, GARBAGE


@dataclass(frozen=True, slots=True)
class Protocol:
    """One vendor's API, from the server's side."""

    name: str
    """Its name."""
    paths: tuple[str, ...]
    """Where its clients send their requests; a `{word}` stands for what `address` reads."""
    decode_request: Callable[[Json], ServedRequest]
    """Body → request; raises `UserError`."""
    encode_response: Callable[[ModelResponse, ServedRequest], Json]
    """Response → body."""
    writer: Callable[[ServedRequest], StreamWriter]
    """What writes a stream of events."""
    encode_error: Callable[[BaseException], tuple[int, Json]]
    """Error → status and body."""
    frame: Callable[[Json], bytes]
    """An event as bytes."""
    done: bytes = b''
    """What ends a stream."""
    address: Callable[[Mapping[str, str]], Json] = dict
    """What the words in the path add to the body."""
    stream_type: str = 'text/event-stream; charset=utf-8'
    """The content type of a stream."""
    error_event: Callable[[Json, int], Json] = lambda body, sent: body
    """What an error's body is in a stream that has sent so many events."""
    headers: Callable[[BaseException | None], Mapping[str, str]] = lambda error: {}
    """What the headers of an answer say, or those of an error."""
    comment: bytes = COMMENT
    """What shows in a stream that the server is alive, where the protocol has such a thing."""
    garbage: bytes = GARBAGE
    """An event that nobody can read, for a server that is told to misbehave."""


def _named(event: Json) -> bytes:
    """An event that says its type twice."""
    return sse(event, name=event.get('type'))


PROTOCOLS: tuple[Protocol, ...] = (
    Protocol(
        'openai-chat',
        chat.PATHS,
        chat.decode_request,
        chat.encode_response,
        chat.ChunkWriter,
        chat.encode_error,
        sse,
        chat.DONE,
    ),
    Protocol(
        'openai-responses',
        responses.PATHS,
        responses.decode_request,
        responses.encode_response,
        ResponsesWriter,
        responses.encode_error,
        _named,
        error_event=responses.encode_error_event,
    ),
    Protocol(
        'anthropic',
        anthropic.PATHS,
        anthropic.decode_request,
        anthropic.encode_response,
        anthropic.EventWriter,
        anthropic.encode_error,
        _named,
    ),
    Protocol(
        'bedrock',
        bedrock.PATHS,
        bedrock.decode_request,
        bedrock.encode_response,
        bedrock.EventWriter,
        bedrock.encode_error,
        bedrock.frame,
        address=bedrock.address,
        stream_type=bedrock.STREAM_TYPE,
        headers=bedrock.headers,
        comment=b'',
        garbage=bedrock.GARBAGE,
    ),
    Protocol(
        'cohere',
        cohere.PATHS,
        cohere.decode_request,
        cohere.encode_response,
        cohere.EventWriter,
        cohere.encode_error,
        _named,
        cohere.DONE,
        error_event=cohere.encode_error_event,
    ),
    Protocol(
        'mistral',
        mistral.PATHS,
        mistral.decode_request,
        mistral.encode_response,
        mistral.ChunkWriter,
        mistral.encode_error,
        sse,
        mistral.DONE,
    ),
    Protocol(
        'gemini',
        gemini.PATHS,
        gemini.decode_request,
        gemini.encode_response,
        gemini.ChunkWriter,
        gemini.encode_error,
        sse,
        address=gemini.address,
    ),
)
"""The protocols."""
