"""One request to a model, without an agent.

`model_request` returns the complete response, `model_request_stream` yields its events while the model writes it.
`model_request_sync` and `model_request_stream_sync` do the same for callers that do not await. They use the event loop
of a background thread, so that they also work inside a running event loop, as in a notebook.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Self
from weakref import finalize

from ._caller import ShortTracebacks
from ._instrument import instrument_if_on
from ._threads import BlockingContext, run_blocking
from ._type_checks import check_messages
from .exceptions import UserError
from .messages import ModelMessage, ModelRequest, ModelResponse, ModelResponseStreamEvent
from .models import Model, ModelRequestParameters, StreamedResponse, infer_model
from .settings import ModelSettings
from .usage import RequestUsage

if TYPE_CHECKING:
    from datetime import datetime

    from .models.instrumented import InstrumentationSettings
    from .models.known_names import KnownModelName

__all__ = (
    'Messages',
    'StreamedResponseSync',
    'model_request',
    'model_request_stream',
    'model_request_stream_sync',
    'model_request_sync',
)

Messages = str | ModelRequest | Sequence[ModelMessage]
"""The content of a request: a text, a request, or a conversation."""


async def model_request(
    model: Model | KnownModelName | str,
    messages: Messages,
    *,
    model_settings: ModelSettings | None = None,
    model_request_parameters: ModelRequestParameters | None = None,
    instrument: InstrumentationSettings | bool | None = None,
) -> ModelResponse:
    """Send one request to a model, given as a `Model` or by a name such as `'openai:gpt-5.4-mini'`.

    Returns the response. Raises the errors of `Model.request`. `instrument` records the request by OpenTelemetry;
    `None` follows `instrument_all`.
    """
    with ShortTracebacks():
        async with _open_model(model, instrument) as opened:
            return await opened.request(_to_messages(messages), model_settings, model_request_parameters)


@asynccontextmanager
async def model_request_stream(
    model: Model | KnownModelName | str,
    messages: Messages,
    *,
    model_settings: ModelSettings | None = None,
    model_request_parameters: ModelRequestParameters | None = None,
    instrument: InstrumentationSettings | bool | None = None,
) -> AsyncGenerator[StreamedResponse]:
    """Send one request to a model and stream the response. Leaving the block closes the stream.

    Raises the errors of `Model.request`, on entering or while reading.
    """
    with ShortTracebacks():
        async with (
            _open_model(model, instrument) as opened,
            opened.request_stream(_to_messages(messages), model_settings, model_request_parameters) as stream,
        ):
            yield stream


def model_request_sync(
    model: Model | KnownModelName | str,
    messages: Messages,
    *,
    model_settings: ModelSettings | None = None,
    model_request_parameters: ModelRequestParameters | None = None,
    instrument: InstrumentationSettings | bool | None = None,
) -> ModelResponse:
    """Do the same as `model_request`, for callers that do not await."""
    return run_blocking(
        model_request(
            model,
            messages,
            model_settings=model_settings,
            model_request_parameters=model_request_parameters,
            instrument=instrument,
        )
    )


def model_request_stream_sync(
    model: Model | KnownModelName | str,
    messages: Messages,
    *,
    model_settings: ModelSettings | None = None,
    model_request_parameters: ModelRequestParameters | None = None,
    instrument: InstrumentationSettings | bool | None = None,
) -> StreamedResponseSync:
    """Do the same as `model_request_stream`, for callers that do not await. Use the result in a `with` block."""
    return StreamedResponseSync(
        BlockingContext(
            model_request_stream(
                model,
                messages,
                model_settings=model_settings,
                model_request_parameters=model_request_parameters,
                instrument=instrument,
            ),
            name='model_request_stream_sync',
        )
    )


class StreamedResponseSync:
    """A `StreamedResponse` for callers that do not await, as an iterator of events.

    The request is sent on entering the `with` block. Methods and properties are those of `StreamedResponse`.
    """

    def __init__(self, context: BlockingContext[StreamedResponse]) -> None:
        self._context = context
        self._stream: StreamedResponse | None = None
        self._finalize = finalize(self, context.abandon)
        self._finalize.atexit = False

    def __enter__(self) -> Self:
        self._stream = self._context.__enter__()
        return self

    def __exit__(self, *exception: Any) -> None:
        self._finalize.detach()
        self._context.__exit__(*exception)

    def __repr__(self) -> str:
        stream = 'not opened' if self._stream is None else repr(self._stream)
        return f'{type(self).__name__}({stream})'

    def __iter__(self) -> Iterator[ModelResponseStreamEvent]:
        # a generator of this object, since an iterator that is kept alone must keep the stream open
        yield from self._context.iterate(self._get_stream())

    def get(self) -> ModelResponse:
        return self._get_stream().get()

    @property
    def response(self) -> ModelResponse:
        """The response so far, as `get()` returns it."""
        return self.get()

    def usage(self) -> RequestUsage:
        return self._get_stream().usage()

    @property
    def model_name(self) -> str:
        return self._get_stream().model_name

    @property
    def provider_name(self) -> str | None:
        return self._get_stream().provider_name

    @property
    def timestamp(self) -> datetime:
        return self._get_stream().timestamp

    @property
    def cancelled(self) -> bool:
        return self._get_stream().cancelled

    def cancel(self) -> None:
        self._context.call(self._get_stream().cancel)

    def _get_stream(self) -> StreamedResponse:
        if self._stream is None:
            raise UserError('Use the stream in a block: with model_request_stream_sync(...) as stream:')
        return self._stream


@asynccontextmanager
async def _open_model(model: Model | str, instrument: InstrumentationSettings | bool | None) -> AsyncGenerator[Model]:
    """Yield the model, with a span if it is instrumented; close it afterwards if it was made here from its name."""
    opened = infer_model(model)
    try:
        yield instrument_if_on(opened, instrument)
    finally:
        if opened is not model:
            await opened.aclose()


def _to_messages(messages: Messages) -> Sequence[ModelMessage]:
    if isinstance(messages, str):
        return [ModelRequest.user_text_prompt(messages)]
    if isinstance(messages, ModelRequest):
        return [messages]
    check_messages(messages)
    return messages
