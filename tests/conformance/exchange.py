"""An answer goes over the wire: a server of ours writes it, a client of ours reads it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from pydantic_core import from_json, to_json

from pydantic_llm.messages import (
    ModelResponse,
    ModelResponsePart,
    ModelResponseStreamEvent,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)
from pydantic_llm.models import ResponseDraft
from pydantic_llm.streaming.parts import PartsManager
from pydantic_llm.transport.sse import EventSplitter
from pydantic_llm.wire.serving import ServedRequest, sse
from tests.conformance.room import Json, Room
from tests.conformance.strategies import Cut


def what_counts(response: ModelResponse) -> ModelResponse:
    """The answer without what one side makes up: the time, and the vendor's own words for the end."""
    return replace(response, timestamp=None, provider_details=None)  # pyright: ignore[reportArgumentType] -- for comparing


def parsed(response: ModelResponse) -> ModelResponse:
    """The answer with its arguments as objects."""
    return replace(
        response,
        parts=[
            replace(part, args=part.args_as_dict()) if isinstance(part, ToolCallPart) else part
            for part in response.parts
        ],
    )


# ---------------------------------------------------------------------- the server writes


def whole_body(room: Room, response: ModelResponse) -> Json:
    """The body that a server of ours sends."""
    body: Json = from_json(to_json(room.encode_response(response, ServedRequest('m', []))))
    return body


def told(response: ModelResponse, cut: Cut) -> Iterator[ModelResponseStreamEvent]:
    """The events of an answer that streams in pieces; calls that follow each other grow side by side."""
    manager = PartsManager()
    for indices in _side_by_side(response.parts):
        pieces = [list(cut(_text(response.parts[index]))) for index in indices]
        for index in indices:
            _start(manager, index, response.parts[index])
        for number in range(max(map(len, pieces))):
            for index, mine in zip(indices, pieces, strict=True):
                if number < len(mine):
                    _grow(manager, index, response.parts[index], mine[number])
        for index in indices:
            part = response.parts[index]
            if isinstance(part, ThinkingPart) and part.signature is not None:
                manager.thinking(index, signature=part.signature)
            manager.close(index)
        yield from manager.take_events()


def _side_by_side(parts: Sequence[ModelResponsePart]) -> Iterator[list[int]]:
    group: list[int] = []
    for index, part in enumerate(parts):
        if group and not (isinstance(part, ToolCallPart) and isinstance(parts[index - 1], ToolCallPart)):
            yield group
            group = []
        group.append(index)
    if group:
        yield group


def _text(part: ModelResponsePart) -> str:
    match part:
        case TextPart(content=text) | ThinkingPart(content=text):
            return text
        case ToolCallPart():
            return part.args_as_json_str()
        case _:
            raise AssertionError(part)


def _start(manager: PartsManager, index: int, part: ModelResponsePart) -> None:
    match part:
        case ThinkingPart():
            manager.whole(index, replace(part, content='', signature=None))
        case TextPart():
            manager.whole(index, replace(part, content=''))
        case _:
            assert isinstance(part, ToolCallPart)
            manager.whole(index, replace(part, args=''))


def _grow(manager: PartsManager, index: int, part: ModelResponsePart, piece: str) -> None:
    match part:
        case ThinkingPart():
            manager.thinking(index, piece)
        case TextPart():
            manager.text(index, piece)
        case _:
            manager.tool_call(index, args=piece)


def streamed(room: Room, response: ModelResponse, cut: Cut) -> tuple[list[Json], list[Json]]:
    """The events that a server of ours writes: those of the parts, and those that end the answer."""
    begun = replace(response, parts=[])
    writer = room.writer(
        ServedRequest(response.model_name or '', [], stream=True, begun=begun, options={'include_usage': True})
    )
    events = list(writer.begin())
    for event in told(response, cut):
        events += writer.event(event)
    ended = list(writer.end(response))
    return from_json(to_json(events)), from_json(to_json(ended))


# ---------------------------------------------------------------------- the client reads


def read_whole(room: Room, body: Any) -> ModelResponse:
    """What a client of ours makes of a whole answer."""
    draft = room.draft()
    room.build().read(room.build().decode, body, draft)
    return draft.get()


def read_events(room: Room, events: Sequence[Any]) -> tuple[ModelResponse, list[Any]]:
    """What a client of ours makes of events, and what it tells its caller."""
    model, draft = room.build(), room.draft()
    heard: list[Any] = []
    for event in events:
        model.read(model.decode_event, event, draft)
        heard += draft.parts.take_events()
    end(room, draft)
    heard += draft.parts.take_events()
    return draft.get(), heard


def end(room: Room, draft: ResponseDraft) -> None:
    """The stream is over."""
    room.build().decode_end(draft)
    draft.parts.end(complete=draft.state == 'complete')


def read_bytes(room: Room, events: Sequence[Json], size: int) -> tuple[ModelResponse, list[Any]]:
    """The same, of events that arrive a few bytes at a time."""
    splitter = EventSplitter()
    data = b''.join(sse(event, name=event.get('type')) for event in events)
    found = [from_json(event) for at in range(0, len(data), size) for event in splitter.feed(data[at : at + size])]
    return read_events(room, found)
