"""`serve_room`: a model of a room whose requests another model of this process responds to, without a network."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from pydantic_core import from_json, to_json

from ..exceptions import ModelTimeoutError
from ..messages import ModelResponse
from ..models import Model
from ..transport import ByteStream, Connection, RawRequest, RawResponse
from ..wire.model import WireModel
from ..wire.served_stream import EncodedStream
from ..wire.serving import ServedRequest, sse
from ..wire.stream import JSON_HEADERS
from .room import Room

__all__ = ('serve_room',)

STREAM_HEADERS = {'content-type': 'text/event-stream'}


def serve_room(room: Room, model: Model) -> WireModel[Any]:
    """Return a model of the room. `model` responds to its requests, through the server's half of the API."""
    client = room.make()
    vars(client.provider)['_connection'] = _ServedConnection(room, model)
    return client


class _ServedConnection(Connection):
    """Decodes a request as the server, and encodes the response of a model."""

    def __init__(self, room: Room, model: Model) -> None:
        self._room = room
        self._model = model

    async def send(self, request: RawRequest) -> RawResponse:
        served = self._room.decode_request(from_json(request.body))
        limit = request.deadlines.timeout
        try:
            async with asyncio.timeout(limit):
                response = await self._request(served)
        except TimeoutError:
            raise ModelTimeoutError(request.model_name, deadline='timeout', seconds=limit) from None
        return RawResponse(to_json(self._room.encode_response(response, served)), JSON_HEADERS)

    async def _request(self, served: ServedRequest) -> ModelResponse:
        return await self._model.request(served.messages, served.settings, served.parameters)

    async def open(self, request: RawRequest) -> ByteStream:
        served = self._room.decode_request(from_json(request.body))
        served.options['include_usage'] = True
        return _FrameStream(self._stream(served))

    async def _stream(self, served: ServedRequest) -> AsyncGenerator[bytes]:
        arguments = served.messages, served.settings, served.parameters
        async with self._model.request_stream(*arguments) as stream:
            encoded = EncodedStream(self._room.encoder(served), served, stream)
            async for event in stream:
                for frame in encoded.event(event):
                    yield sse(frame, name=frame.get('type'))
            for frame in encoded.end(stream.get()):
                yield sse(frame, name=frame.get('type'))

    async def aclose(self) -> None:
        await self._model.aclose()


class _FrameStream(ByteStream):
    """The frames of a response, as they are read."""

    def __init__(self, frames: AsyncGenerator[bytes]) -> None:
        self.headers = STREAM_HEADERS
        self._frames = frames

    async def read(self) -> bytes:
        return await anext(self._frames, b'')

    def progress(self) -> None:
        """Do nothing: no deadline is running."""

    async def aclose(self) -> None:
        await self._frames.aclose()
