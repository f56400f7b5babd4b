"""The types and the shared facts of the serving half: what every room's `serve*.py` imports.

`ServedRequest` is a decoded request, `StreamEncoder` the interface of a room's encoder of streams; the functions below
them are for requests, responses and errors, in this order.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from time import time
from typing import Any, Protocol

from pydantic_core import to_json

from ..exceptions import ContentFilterError, LLMError, ModelHTTPError, ModelTimeoutError, QuotaExceededError, UserError
from ..json_types import Json
from ..messages import (
    FinishReason,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    ModelResponseStreamEvent,
    SystemPromptPart,
    UserContent,
    UserPromptPart,
)
from ..messages.request import ModelRequestPart
from ..messages.response import ModelResponsePart
from ..models import ModelRequestParameters
from ..settings import ModelSettings


@dataclass(slots=True)
class ServedRequest:
    """A request that came over the wire, decoded."""

    model_name: str
    """The name of the requested model."""
    messages: list[ModelMessage]
    settings: ModelSettings = field(default_factory=ModelSettings)
    """The settings; unknown fields of the body are in `extra_body`."""
    parameters: ModelRequestParameters = field(default_factory=ModelRequestParameters)
    """The tools and the output type."""
    stream: bool = False
    """True if the client wants a stream."""
    received: float = field(default_factory=time)
    """The time of arrival, in seconds since 1970."""
    begun: ModelResponse | None = None
    """A streamed response as far as it is known at its start: the model's name and the vendor's id."""
    options: Json = field(default_factory=dict[str, Any])
    """Fields that only the room's own encoder of responses reads."""


class StreamEncoder(Protocol):
    """Encodes the events of one response as the API's."""

    def begin(self) -> Iterator[Json]:
        """Yield what precedes the content."""
        ...

    def event(self, event: ModelResponseStreamEvent) -> Iterator[Json]:
        """Yield what one event becomes."""
        ...

    def end(self, response: ModelResponse) -> Iterator[Json]:
        """Yield the last events, with the finish reason and the usage of the response."""
        ...


# ---------------------------------------------------------------------- requests


@contextmanager
def reject_malformed(name: str) -> Generator[None]:
    """Raise `UserError` if decoding fails since the body has the wrong shape. `name` is the request's: `'Converse'`."""
    try:
        yield
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UserError(f'The body is not a valid {name} request: {type(error).__name__}: {error}') from error


def add_system_prompts(
    history: Sequence[ModelMessage], prompts: Sequence[str], instructions: str | None = None
) -> list[ModelMessage]:
    """Return the history with system prompts in its first request and instructions in its newest one."""
    messages = [*history]
    if prompts:
        first = messages[0] if messages and isinstance(messages[0], ModelRequest) else None
        parts = [*map(SystemPromptPart, prompts), *(first.parts if first else ())]
        messages[: 1 if first else 0] = [ModelRequest(parts)]
    if instructions:
        for position, message in reversed([*enumerate(messages)]):
            if isinstance(message, ModelRequest):
                messages[position] = replace(message, instructions=instructions)
                return messages
        return [ModelRequest([], instructions=instructions), *messages]
    return messages


def extend_request(history: list[ModelMessage], parts: Collection[ModelRequestPart]) -> None:
    """Add parts to the request at the end of a conversation that is being decoded, or begin a request with them.

    The request is changed in place, so that the time for many messages of one user grows with their number only.
    """
    last = history[-1] if history else None
    if isinstance(last, ModelRequest):
        assert isinstance(last.parts, list), 'made below, or by the decoder'
        last.parts.extend(parts)
    elif parts:
        history.append(ModelRequest([*parts]))


def user_prompts(content: list[UserContent]) -> Iterator[UserPromptPart]:
    """Yield a user prompt with this content. Yield nothing if there is no content."""
    match content:
        case []:
            pass
        case [str() as text]:
            yield UserPromptPart(text)
        case _:
            yield UserPromptPart(content)


def decode_fields(body: Json, names: Mapping[str, str], *, skip: Collection[str]) -> Json:
    """Return the fields of a body as settings. `names` are the settings by the names of their fields.

    Unknown fields are kept in `extra_body`. Fields in `skip`, and those whose value is null, are dropped.
    """
    settings: Json = {}
    for name, value in body.items():
        if name in skip or value is None:
            continue
        if name in names:
            settings[names[name]] = value
        else:
            settings.setdefault('extra_body', {})[name] = value
    return settings


# ---------------------------------------------------------------------- responses


def vendor_finish_reason(response: ModelResponse, known: Mapping[str, FinishReason | None]) -> str | None:
    """Return the vendor's own finish reason, if it is one of the API's (`known`) for the response's `finish_reason`.

    The response may be another vendor's: a finish reason of the same name counts too.
    """
    raw: str | None = (response.provider_details or {}).get('finish_reason')
    return raw if raw is not None and raw in known and known[raw] == response.finish_reason else None


def end_pause(response: ModelResponse) -> ModelResponse:
    """Return a paused response as a truncated one, for an API without pauses; any other one unchanged."""
    return replace(response, state='complete', finish_reason='length') if response.state == 'suspended' else response


def own_details(source: ModelResponse | ModelResponsePart, *vendors: str) -> Json:
    """Return the `provider_details` if one of the vendors made the response or the part, else an empty object."""
    return (source.provider_details or {}) if source.provider_name in vendors else {}


DONE = b'data: [DONE]\n\n'
"""The end of a stream of OpenAI's form: https://platform.openai.com/docs/api-reference/chat-streaming"""


def sse(event: Json, *, name: str | None = None) -> bytes:
    """Encode a server-sent event."""
    head = b'' if name is None else b'event: ' + name.encode() + b'\n'
    return head + b'data: ' + to_json(event) + b'\n\n'


# ---------------------------------------------------------------------- errors


def status_of(error: BaseException) -> int:
    """Return the HTTP status for an error: the vendor's own, if a vendor sent it."""
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


MAX_MESSAGE = 2000
"""The characters of the longest message that clients get."""


def message_of(error: BaseException) -> str:
    """Return the message for an error. Of errors that are not this library's, clients get the type alone."""
    if not isinstance(error, LLMError):
        return f'The server failed: {type(error).__name__}'
    message = str(error)  # which may repeat a value of the request
    return message if len(message) <= MAX_MESSAGE else f'{message[:MAX_MESSAGE]}…'


def format_seconds(seconds: float) -> str:
    """Write seconds as headers and Gemini's bodies take them: with up to 3 decimals, and without an exponent."""
    return f'{seconds:.3f}'.rstrip('0').rstrip('.')


def retry_headers(error: BaseException) -> Mapping[str, str]:
    """Return `retry-after`, in seconds, if it is known, and `x-should-retry: false` if a quota is exceeded.

    The SDKs of OpenAI and Anthropic read the latter, and would send a request with the status 429 three times.
    """
    seconds = error.retry_after if isinstance(error, ModelHTTPError) else None
    headers = {} if seconds is None else {'retry-after': format_seconds(seconds)}
    return {**headers, 'x-should-retry': 'false'} if isinstance(error, QuotaExceededError) else headers
