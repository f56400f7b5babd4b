"""`open_stream` opens the stream of one attempt, and reads its first event if the attempt starts with that."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass

from ...exceptions import StreamInterruptedError
from ...messages import ModelResponse, ModelResponseStreamEvent
from ...messages.response import is_truncated
from .. import StreamedResponse
from .sequence import TRUNCATED

__all__ = ('OpenStream', 'close_block', 'open_stream')


@dataclass(frozen=True, slots=True)
class OpenStream:
    """A stream that has started."""

    context: AbstractAsyncContextManager[StreamedResponse]
    """The block of the stream, which was entered."""
    stream: StreamedResponse
    first_event: ModelResponseStreamEvent | None = None
    """The first event, if it was read."""

    async def discard(self) -> ModelResponse:
        """Close the stream and return its response so far."""
        await close_block(self.context)
        return self.stream.get()


async def open_stream(context: AbstractAsyncContextManager[StreamedResponse], *, waits_for_event: bool) -> OpenStream:
    """Open a stream, and read its first event if required. Raises `StreamInterruptedError` if it ends without one."""
    stream = await context.__aenter__()
    if not waits_for_event:
        return OpenStream(context, stream)
    try:
        first = await anext(stream, None)
        if first is None and is_truncated(response := stream.get()):
            raise StreamInterruptedError(stream.model_name, TRUNCATED, response=response)
    except BaseException:
        await close_block(context)
        raise
    return OpenStream(context, stream, first)


async def close_block(context: AbstractAsyncContextManager[StreamedResponse]) -> None:
    """Leave the block of a stream."""
    with suppress(Exception):  # the response is over: an error on closing changes nothing
        await context.__aexit__(None, None, None)
