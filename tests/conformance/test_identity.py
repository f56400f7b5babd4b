"""`client ∘ server = identity`: what a server of ours says, a client of ours reads as it was meant."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import from_json, to_json

from pydantic_llm.messages import ModelResponse, ModelResponseStreamEvent, TextPart, ThinkingPart, ToolCallPart
from pydantic_llm.models._parts import PartsManager, replay
from pydantic_llm.models._serve import ServedRequest, sse
from pydantic_llm.transport.sse import EventSplitter
from tests.conformance.rooms import ROOMS, Room
from tests.conformance.strategies import Cut, byte_cuts, conversations, cuts, responses, tools

rooms = pytest.mark.parametrize('room', ROOMS, ids=repr)


def what_counts(response: ModelResponse) -> ModelResponse:
    """The answer without what one side makes up: the time, and the vendor's own words for the end."""
    return replace(response, timestamp=None, provider_details=None)  # pyright: ignore[reportArgumentType] -- for comparing


def told(response: ModelResponse, cut: Cut) -> Iterator[ModelResponseStreamEvent]:
    """The events of an answer that streams in pieces."""
    manager = PartsManager()
    for index, part in enumerate(response.parts):
        match part:
            case TextPart(content=text):
                for piece in cut(text):
                    manager.text(index, piece)
            case ThinkingPart(content=text):
                started = replace(part, content='', signature=None)
                manager.whole(index, started)
                for piece in cut(text):
                    manager.thinking(index, piece)
                if part.signature is not None:
                    manager.thinking(index, signature=part.signature)
            case ToolCallPart():
                manager.tool_call(index, name=part.tool_name, tool_call_id=part.tool_call_id, args='')
                for piece in cut(part.args_as_json_str()):
                    manager.tool_call(index, args=piece)
            case _:
                raise AssertionError(part)
        manager.close(index)
        yield from manager.take_events()


def wire_events(room: Room, response: ModelResponse, cut: Cut) -> list[dict[str, Any]]:
    """The events that a server of ours writes."""
    writer = room.writer(ServedRequest(response.model_name or '', [], stream=True, options={'include_usage': True}))
    events = list(writer.begin())
    for event in told(response, cut):
        events += writer.event(event)
    return [*events, *writer.end(response)]


def read_stream(room: Room, events: list[dict[str, Any]], size: int) -> tuple[ModelResponse, list[Any]]:
    """What a client of ours makes of events that arrive a few bytes at a time, and what it tells its caller."""
    model, draft, splitter = room.build(), room.draft(), EventSplitter()
    heard: list[Any] = []
    data = b''.join(sse(event, name=event.get('type')) for event in events)
    for at in range(0, len(data), size):
        for event in splitter.feed(data[at : at + size]):
            model.decode_event(from_json(event), draft)
            heard += draft.parts.take_events()
    model.decode_end(draft)
    draft.parts.end()
    heard += draft.parts.take_events()
    return draft.get(), heard


def parsed(response: ModelResponse) -> ModelResponse:
    """The answer with its arguments as objects."""
    return replace(
        response,
        parts=[
            replace(part, args=part.args_as_dict()) if isinstance(part, ToolCallPart) else part
            for part in response.parts
        ],
    )


@rooms
@given(data=st.data())
def test_a_whole_answer_is_read_as_it_was_said(room: Room, data: st.DataObject) -> None:
    response = data.draw(responses(room))
    body = room.encode_response(response, ServedRequest('m', []))
    draft = room.draft()
    room.build().decode(from_json(to_json(body)), draft)
    assert what_counts(draft.get()) == what_counts(response)


@rooms
@given(data=st.data())
def test_a_streamed_answer_is_read_as_it_was_said_however_it_is_cut(room: Room, data: st.DataObject) -> None:
    response, cut, size = data.draw(responses(room)), data.draw(cuts()), data.draw(byte_cuts)
    read, _ = read_stream(room, wire_events(room, response, cut), size)
    assert what_counts(parsed(read)) == what_counts(parsed(response))


@rooms
@given(data=st.data())
def test_streamed_arguments_keep_their_bytes(room: Room, data: st.DataObject) -> None:
    response, cut, size = data.draw(responses(room)), data.draw(cuts()), data.draw(byte_cuts)
    read, _ = read_stream(room, wire_events(room, response, cut), size)
    assert [call.args for call in read.tool_calls] == [call.args_as_json_str() for call in response.tool_calls]


@rooms
@given(data=st.data())
def test_who_replays_the_events_holds_the_answer(room: Room, data: st.DataObject) -> None:
    response, cut, size = data.draw(responses(room)), data.draw(cuts()), data.draw(byte_cuts)
    read, heard = read_stream(room, wire_events(room, response, cut), size)
    assert replay(iter(heard)) == read.parts
    ends = [event.index for event in heard if event.event_kind == 'part_end']
    assert sorted(ends) == list(range(len(read.parts)))


@rooms
@given(data=st.data())
def test_whole_and_streamed_answers_are_the_same(room: Room, data: st.DataObject) -> None:
    response, cut, size = data.draw(responses(room)), data.draw(cuts()), data.draw(byte_cuts)
    draft = room.draft()
    room.build().decode(room.encode_response(response, ServedRequest('m', [])), draft)
    streamed, _ = read_stream(room, wire_events(room, response, cut), size)
    assert what_counts(parsed(draft.get())) == what_counts(parsed(streamed))


@rooms
@given(data=st.data())
def test_a_request_says_the_same_after_the_server_has_read_it(room: Room, data: st.DataObject) -> None:
    from pydantic_llm.models import ModelRequestParameters

    model = room.build()
    history, defined = data.draw(conversations(room)), data.draw(tools)
    body = model.encode(room.prepare(history, {'max_tokens': 99}, ModelRequestParameters(defined)))
    served = room.decode_request(from_json(to_json(body)))
    again = model.encode(room.prepare(served.messages, served.settings, served.parameters))
    assert from_json(to_json(again)) == from_json(to_json(body))
