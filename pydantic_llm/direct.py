"""One request to a model, without an agent.

`model_request` gives the whole answer, `model_request_stream` tells it as it is written; `model_request_sync` and
`model_request_stream_sync` do the same for callers that do not await. The sync ones run in the event loop of a
background thread, so that they also work where a loop is running already, as in a notebook.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Self
from weakref import finalize

from ._threads import BlockingContext, run_blocking
from .exceptions import UserError
from .messages import ModelMessage, ModelRequest, ModelResponse, ModelResponseStreamEvent
from .models import Model, ModelRequestParameters, StreamedResponse, infer_model
from .settings import ModelSettings
from .usage import RequestUsage

if TYPE_CHECKING:
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
"""What to send: a text, a request, or a conversation."""


async def model_request(
    model: Model | KnownModelName | str,
    messages: Messages,
    *,
    model_settings: ModelSettings | None = None,
    model_request_parameters: ModelRequestParameters | None = None,
) -> ModelResponse:
    """Ask a model, or the model of a name such as `'openai:gpt-4o'`. Raises what `Model.request` raises."""
    async with _opened(model) as opened:
        return await opened.request(_as_list(messages), model_settings, model_request_parameters)


@asynccontextmanager
async def model_request_stream(
    model: Model | KnownModelName | str,
    messages: Messages,
    *,
    model_settings: ModelSettings | None = None,
    model_request_parameters: ModelRequestParameters | None = None,
) -> AsyncGenerator[StreamedResponse]:
    """Ask a model for an answer that is told as it is written. Leaving the block ends the answer where it is.

    Raises what `Model.request` raises, on entering or while reading.
    """
    async with (
        _opened(model) as opened,
        opened.request_stream(_as_list(messages), model_settings, model_request_parameters) as stream,
    ):
        yield stream


def model_request_sync(
    model: Model | KnownModelName | str,
    messages: Messages,
    *,
    model_settings: ModelSettings | None = None,
    model_request_parameters: ModelRequestParameters | None = None,
) -> ModelResponse:
    """`model_request` for callers that do not await."""
    return run_blocking(
        model_request(model, messages, model_settings=model_settings, model_request_parameters=model_request_parameters)
    )


def model_request_stream_sync(
    model: Model | KnownModelName | str,
    messages: Messages,
    *,
    model_settings: ModelSettings | None = None,
    model_request_parameters: ModelRequestParameters | None = None,
) -> StreamedResponseSync:
    """`model_request_stream` for callers that do not await; use what it gives in a `with` block."""
    return StreamedResponseSync(
        BlockingContext(
            model_request_stream(
                model, messages, model_settings=model_settings, model_request_parameters=model_request_parameters
            ),
            name='model_request_stream_sync',
        )
    )


class StreamedResponseSync:
    """An answer that is still coming, as an iterator of events. It is asked for on entering the `with` block."""

    def __init__(self, context: BlockingContext[StreamedResponse]) -> None:
        self._context = context
        self._stream: StreamedResponse | None = None
        self._finalize = finalize(self, context.abandon)
        self._finalize.atexit = False

    def __enter__(self) -> Self:
        self._stream = self._context.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._finalize.detach()
        self._context.__exit__(kind, error, traceback)

    def __iter__(self) -> Iterator[ModelResponseStreamEvent]:
        return self._context.iterate(self._entered())

    def get(self) -> ModelResponse:
        """The answer so far; its `state` is `'complete'` once all of it is here."""
        return self._entered().get()

    def usage(self) -> RequestUsage:
        """The usage so far. Most vendors tell it with the last event."""
        return self._entered().usage()

    @property
    def model_name(self) -> str:
        """The model that answers."""
        return self._entered().model_name

    @property
    def provider_name(self) -> str | None:
        """Who answers."""
        return self._entered().provider_name

    @property
    def cancelled(self) -> bool:
        """Whether the stream was left before its end."""
        return self._entered().cancelled

    def cancel(self) -> None:
        """End the stream where it is. The response is marked `'interrupted'`; nothing happens after the end."""
        self._context.call(self._entered().cancel)

    def _entered(self) -> StreamedResponse:
        if self._stream is None:
            raise UserError('Use the stream in a block: with model_request_stream_sync(...) as stream:')
        return self._stream


@asynccontextmanager
async def _opened(model: Model | str) -> AsyncGenerator[Model]:
    """The model; one that is made here of its name is closed afterwards."""
    opened = infer_model(model)
    try:
        yield opened
    finally:
        if opened is not model:
            await opened.aclose()


def _as_list(messages: Messages) -> Sequence[ModelMessage]:
    match messages:
        case str():
            return [ModelRequest.user_text_prompt(messages)]
        case ModelRequest():
            return [messages]
        case _:
            return messages
