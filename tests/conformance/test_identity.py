"""`client ∘ server = identity`: what a server of ours says, a client of ours reads as it was meant."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st
from pydantic_core import from_json, to_json

from pydantic_llm.models import ModelRequestParameters
from tests.conformance.exchange import parsed, read_bytes, read_whole, streamed, what_counts, whole_body
from tests.conformance.room import Room
from tests.conformance.rooms import ROOMS
from tests.conformance.strategies import byte_cuts, conversations, cuts, responses, tools
from tests.replay import replay

rooms = pytest.mark.parametrize('room', ROOMS, ids=repr)


@rooms
@given(data=st.data())
def test_a_whole_answer_is_read_as_it_was_said(room: Room, data: st.DataObject) -> None:
    response = data.draw(responses(room))
    assert what_counts(read_whole(room, whole_body(room, response))) == what_counts(response)


@rooms
@given(data=st.data())
def test_a_streamed_answer_is_read_as_it_was_said_however_it_is_cut(room: Room, data: st.DataObject) -> None:
    response, cut, size = data.draw(responses(room)), data.draw(cuts()), data.draw(byte_cuts)
    begun, ended = streamed(room, response, cut)
    read, heard = read_bytes(room, [*begun, *ended], size)
    assert what_counts(parsed(read)) == what_counts(parsed(response))
    assert [call.args_as_json_str() for call in read.tool_calls] == [
        call.args_as_json_str() for call in response.tool_calls
    ]
    assert replay(heard) == read.parts
    ends = [event.index for event in heard if event.event_kind == 'part_end']
    assert sorted(ends) == list(range(len(read.parts)))


@rooms
@given(data=st.data())
def test_a_request_says_the_same_after_the_server_has_read_it(room: Room, data: st.DataObject) -> None:
    model = room.build()
    history, defined = data.draw(conversations(room)), data.draw(tools)
    body = model.encode(room.prepare(history, {'max_tokens': 99}, ModelRequestParameters(defined)))
    served = room.decode_request(from_json(to_json(body)))
    again = model.encode(room.prepare(served.messages, served.settings, served.parameters))
    assert from_json(to_json(again)) == from_json(to_json(body))
