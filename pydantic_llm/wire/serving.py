"""What every room's `serve.py` speaks of: a request as the server understands it, and an error as it tells of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from time import time
from typing import Any, Protocol

from pydantic_core import to_json

from ..exceptions import ContentFilterError, LLMError, ModelHTTPError, ModelTimeoutError, UserError
from ..json_types import Json
from ..messages import ModelMessage, ModelResponse, ModelResponseStreamEvent
from ..models import ModelRequestParameters
from ..settings import ModelSettings


@dataclass(slots=True)
class ServedRequest:
    """A request that came over the wire, as messages."""

    model_name: str
    """The model that was asked for."""
    messages: list[ModelMessage]
    """The conversation."""
    settings: ModelSettings = field(default_factory=ModelSettings)
    """The settings; fields of the body that nobody knows are in `extra_body`."""
    parameters: ModelRequestParameters = field(default_factory=ModelRequestParameters)
    """Tools and output."""
    stream: bool = False
    """Whether the answer shall be streamed."""
    received: float = field(default_factory=time)
    """When it came, in seconds since 1970."""
    begun: ModelResponse | None = None
    """What is known of the answer when its stream begins: who answers, and the vendor's id of it."""
    options: Json = field(default_factory=dict[str, Any])
    """What only the room's own encoder of answers wants to know."""


class StreamWriter(Protocol):
    """Turns an answer's events into a room's own."""

    def begin(self) -> Iterator[Json]:
        """What comes before anything has happened."""
        ...

    def event(self, event: ModelResponseStreamEvent) -> Iterator[Json]:
        """What one event becomes."""
        ...

    def end(self, response: ModelResponse) -> Iterator[Json]:
        """What comes last; the finish reason and the usage are in the response."""
        ...


def sse(event: Json, *, name: str | None = None) -> bytes:
    """An event as bytes of a stream."""
    head = b'' if name is None else b'event: ' + name.encode() + b'\n'
    return head + b'data: ' + to_json(event) + b'\n\n'


def status_of(error: BaseException) -> int:
    """The HTTP status that tells of an error."""
    match error:
        case ModelHTTPError(status_code=status):
            return status
        case UserError() | ContentFilterError():
            return 400
        case ModelTimeoutError():
            return 504
        case LLMError():
            return 502
        case _:
            return 500


def message_of(error: BaseException) -> str:
    """What is told of an error: our own errors speak for themselves, others only by their kind."""
    return str(error) if isinstance(error, LLMError) else f'The server failed: {type(error).__name__}'


def retry_after_header(error: BaseException) -> Mapping[str, str]:
    """The header that says when to try again, where that is known."""
    seconds = error.retry_after if isinstance(error, ModelHTTPError) else None
    return {} if seconds is None else {'retry-after': f'{seconds:g}'}
