"""Tests that client after server is the identity: a client decodes what the server of its room encoded."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st
from pydantic_core import from_json, to_json

from pydantic_llm.models import ModelRequestParameters
from tests.conformance.exchange import (
    comparable,
    decode_body,
    decode_bytes,
    encode_body,
    encode_events,
    parse_arguments,
)
from tests.conformance.room import Room
from tests.conformance.rooms import ROOMS
from tests.conformance.strategies import chunk_sizes, conversations, responses, splitters, tools
from tests.replay import replay

rooms = pytest.mark.parametrize('room', ROOMS, ids=repr)


@rooms
@given(data=st.data())
def test_a_response_body_is_decoded_to_the_same_response(room: Room, data: st.DataObject) -> None:
    response = data.draw(responses(room))
    assert comparable(decode_body(room, encode_body(room, response))) == comparable(response)


@rooms
@given(data=st.data())
def test_a_stream_is_decoded_to_the_same_response_however_it_is_split(room: Room, data: st.DataObject) -> None:
    response, split, size = data.draw(responses(room)), data.draw(splitters()), data.draw(chunk_sizes)
    started, ended = encode_events(room, response, split)
    read, emitted = decode_bytes(room, [*started, *ended], size)
    assert comparable(parse_arguments(read)) == comparable(parse_arguments(response))
    assert [call.args_as_json_str() for call in read.tool_calls] == [
        call.args_as_json_str() for call in response.tool_calls
    ]
    assert replay(emitted) == read.parts
    ends = [event.index for event in emitted if event.event_kind == 'part_end']
    assert sorted(ends) == list(range(len(read.parts)))


@rooms
@given(data=st.data())
def test_a_request_is_the_same_after_the_server_decoded_it(room: Room, data: st.DataObject) -> None:
    model = room.build()
    history, defined = data.draw(conversations(room)), data.draw(tools)
    body = model.encode(room.prepare(history, {'max_tokens': 99}, ModelRequestParameters(defined)))
    served = room.decode_request(from_json(to_json(body)))
    again = model.encode(room.prepare(served.messages, served.settings, served.parameters))
    assert from_json(to_json(again)) == from_json(to_json(body))
