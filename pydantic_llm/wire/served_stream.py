"""`EncodedStream`: encodes the events of a streamed response with a room's `StreamEncoder`."""

from __future__ import annotations

from collections.abc import Iterator

from ..exceptions import ModelAPIError, StreamInterruptedError
from ..json_types import Json
from ..messages import ModelResponse, ModelResponseStreamEvent, StreamRestartEvent
from ..messages.response import is_truncated
from ..models import StreamedResponse
from .serving import ServedRequest, StreamEncoder
from .text_arguments import TextArguments

__all__ = ('EncodedStream',)


class EncodedStream:
    """One streamed response in the form of an API: `event` for each event of the stream, then `end`.

    Nothing is encoded before the first event, so that an error can still have its own status.
    """

    def __init__(self, encoder: StreamEncoder, served: ServedRequest, stream: StreamedResponse) -> None:
        self._encoder = TextArguments(encoder)
        self._served = served
        self._stream = stream
        self.has_started: bool = False
        """True after the first event."""

    def event(self, event: ModelResponseStreamEvent) -> Iterator[Json]:
        """Yield what one event becomes. Raises `ModelAPIError` if it withdraws what was sent."""
        if not self.has_started:
            self.has_started = True
            self._served.begun = self._stream.get()
            yield from self._encoder.begin()
        if isinstance(event, StreamRestartEvent):
            message = f'The response broke off and cannot be withdrawn: {event.reason}'
            raise ModelAPIError(self._served.model_name, message)
        yield from self._encoder.event(event)

    def end(self, response: ModelResponse) -> Iterator[Json]:
        """Yield the last events. Raises `StreamInterruptedError` if the response has no end."""
        if is_truncated(response):  # its regular end would make it a complete response to the client
            message = 'The response of the model broke off before its end'
            raise StreamInterruptedError(self._served.model_name, message)
        if not self.has_started:
            yield from self._encoder.begin()
        yield from self._encoder.end(response)
