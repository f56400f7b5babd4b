"""Sends a response over the wire: the server of a room encodes it, the client of the room decodes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from pydantic_core import from_json, to_json

from ..json_types import Json
from ..messages import (
    ModelResponse,
    ModelResponsePart,
    ModelResponseStreamEvent,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)
from ..streaming.parts import PartsManager
from ..transport.sse import EventSplitter
from ..wire.reader import ResponseReader
from ..wire.serving import ServedRequest, sse
from ..wire.text_arguments import TextArguments
from .room import Room

EPOCH = datetime.fromtimestamp(0, UTC)

Splitter = Callable[[str], list[str]]
"""A function that splits text into the pieces of a stream."""


def comparable(response: ModelResponse) -> ModelResponse:
    """Return the response without the fields that only one side sets: the time and the vendor's details."""
    return replace(response, timestamp=EPOCH, provider_details=None)


def parse_arguments(response: ModelResponse) -> ModelResponse:
    """Return the response with its arguments as objects."""
    return replace(
        response,
        parts=[
            replace(part, args=part.args_as_dict()) if isinstance(part, ToolCallPart) else part
            for part in response.parts
        ],
    )


# ---------------------------------------------------------------------- the server encodes


def encode_body(room: Room, response: ModelResponse) -> Json:
    """Return the body that the server sends."""
    body: Json = from_json(to_json(room.encode_response(response, ServedRequest('m', []))))
    return body


def stream_events(response: ModelResponse, split: Splitter) -> Iterator[ModelResponseStreamEvent]:
    """Yield the events of a response that is streamed in pieces. Adjacent tool calls grow concurrently."""
    manager = PartsManager()
    for indices in _group_parallel_calls(response.parts):
        pieces = [list(split(_list_content(response.parts[index]))) for index in indices]
        for index in indices:
            _start_part(manager, index, response.parts[index])
        for number in range(max(map(len, pieces))):
            for index, mine in zip(indices, pieces, strict=True):
                if number < len(mine):
                    _extend_part(manager, index, response.parts[index], mine[number])
        for index in indices:
            part = response.parts[index]
            if isinstance(part, ThinkingPart) and part.signature is not None:
                manager.thinking(index, signature=part.signature)
            manager.close(index)
        yield from manager.take_events()


def _group_parallel_calls(parts: Sequence[ModelResponsePart]) -> Iterator[list[int]]:
    group: list[int] = []
    for index, part in enumerate(parts):
        if group and not (isinstance(part, ToolCallPart) and isinstance(parts[index - 1], ToolCallPart)):
            yield group
            group = []
        group.append(index)
    if group:
        yield group


def _list_content(part: ModelResponsePart) -> str:
    match part:
        case TextPart(content=text) | ThinkingPart(content=text):
            return text
        case ToolCallPart():
            return part.args_as_json_str()
        case _:
            raise AssertionError(part)


def _start_part(manager: PartsManager, index: int, part: ModelResponsePart) -> None:
    match part:
        case ThinkingPart():
            manager.whole(index, replace(part, content='', signature=None))
        case TextPart():
            manager.whole(index, replace(part, content=''))
        case _:
            assert isinstance(part, ToolCallPart)
            manager.whole(index, replace(part, args=''))


def _extend_part(manager: PartsManager, index: int, part: ModelResponsePart, piece: str) -> None:
    match part:
        case ThinkingPart():
            manager.thinking(index, piece)
        case TextPart():
            manager.text(index, piece)
        case _:
            manager.tool_call(index, args=piece)


def object_events(response: ModelResponse) -> Iterator[ModelResponseStreamEvent]:
    """Yield the events of tool calls whose arguments are objects that grow by an item, the last without an end."""
    manager = PartsManager()
    for index, call in enumerate(response.tool_calls):
        arguments = call.args_as_dict()
        manager.whole(index, replace(call, args={}))
        for size in range(1, len(arguments) + 1):
            manager.tool_call(index, args=dict(islice(arguments.items(), size)))
        if index < len(response.parts) - 1:
            manager.close(index)
    yield from manager.take_events()


def encode_events(room: Room, response: ModelResponse, split: Splitter) -> tuple[list[Json], list[Json]]:
    """Return the events that the server sends for a response in pieces: those of the parts, and those of the end."""
    return encode_stream(room, response, stream_events(response, split))


def encode_stream(
    room: Room, response: ModelResponse, received: Iterable[ModelResponseStreamEvent]
) -> tuple[list[Json], list[Json]]:
    """Return the events that the server sends for those of a model."""
    start = replace(response, parts=[])
    served = ServedRequest(response.model_name or '', [], stream=True, begun=start, options={'include_usage': True})
    encoder = TextArguments(room.encoder(served))
    events = list(encoder.begin())
    for event in received:
        events += encoder.event(event)
    ended = list(encoder.end(response))
    return from_json(to_json(events)), from_json(to_json(ended))


# ---------------------------------------------------------------------- the client decodes


def decode_body(room: Room, body: Any) -> ModelResponse:
    """Decode a body as the client does."""
    reader = room.build().new_reader()
    reader.decode(body)
    return reader.draft.get()


def decode_events(room: Room, events: Sequence[Any]) -> tuple[ModelResponse, list[Any]]:
    """Decode events as the client does. Return the response and the events for the caller."""
    reader = room.build().new_reader()
    parts = reader.draft.parts
    emitted: list[Any] = []
    for event in events:
        reader.decode_event(event)
        emitted += parts.take_events()
    end_stream(reader)
    emitted += parts.take_events()
    return reader.draft.get(), emitted


def end_stream(reader: ResponseReader) -> None:
    """End the stream of a reader."""
    reader.end()
    reader.draft.parts.end(complete=reader.draft.state == 'complete')


def decode_bytes(room: Room, events: Sequence[Json], size: int) -> tuple[ModelResponse, list[Any]]:
    """Decode events that arrive as `size` bytes at a time."""
    splitter = EventSplitter()
    data = b''.join(sse(event, name=event.get('type')) for event in events)
    found = [from_json(event) for at in range(0, len(data), size) for event in splitter.feed(data[at : at + size])]
    return decode_events(room, found)
