"""Tests of finish reasons: a response that was broken off, one that is paused, one without a reason."""

from __future__ import annotations

from typing import Any

import pytest

from pydantic_llm.messages import (
    ModelRequest,
)
from pydantic_llm.streaming.broken_off import BROKEN_OFF
from pydantic_llm.testing.exchange import (
    decode_body,
    decode_events,
    encode_body,
    encode_events,
)
from pydantic_llm.testing.room import Room
from pydantic_llm.testing.samples import make_response, make_text, split_in_threes
from tests.conformance.rooms import ROOMS

rooms = pytest.mark.parametrize('room', ROOMS, ids=repr)
REASON_FIELDS = {'finish_reason', 'stop_reason', 'stopReason', 'finishReason', 'status', 'finish'}
"""The fields in which the APIs name the finish reason."""


def replace_finish_reasons(value: Any, word: str) -> Any:
    if isinstance(value, list):
        return [replace_finish_reasons(item, word) for item in value]
    if not isinstance(value, dict):
        return value
    named = {name: word for name in value if name in REASON_FIELDS and value[name]}
    return {name: replace_finish_reasons(item, word) for name, item in value.items()} | named


@rooms
@pytest.mark.parametrize('word', [*BROKEN_OFF, 'ABORT', 'Error', 'engine_error', 'request_cancelled', 'interrupted'])
def test_a_response_that_the_server_broke_off_is_never_complete(room: Room, word: str) -> None:
    sent = make_response(room, make_text(room, 'Hello.'))
    body = replace_finish_reasons(encode_body(room, sent), word)
    started, ended = encode_events(room, sent, split_in_threes)
    for read in (decode_body(room, body), decode_events(room, [*started, *replace_finish_reasons(ended, word)])[0]):
        assert (read.state, read.finish_reason) == ('incomplete', 'error')
        assert (read.provider_details or {})['finish_reason'] == word
        assert read.text == 'Hello.'


@rooms
def test_a_finish_reason_is_never_invented(room: Room) -> None:
    body = replace_finish_reasons(encode_body(room, make_response(room, make_text(room, 'Hello.'))), '')
    assert decode_body(room, body).finish_reason in (None, 'stop' if room.name == 'openai-responses' else None)


@pytest.mark.parametrize('room', [room for room in ROOMS if room.features.pauses], ids=repr)
def test_a_paused_turn_is_suspended_and_can_be_sent_back(room: Room) -> None:
    sent = make_response(room, make_text(room, 'Wait.'), finish_reason=None, state='suspended')
    started, ended = encode_events(room, sent, split_in_threes)
    for read in (decode_body(room, encode_body(room, sent)), decode_events(room, [*started, *ended])[0]):
        assert (read.state, read.finish_reason, read.text) == ('suspended', None, 'Wait.')
        assert read.must_continue
        request = room.prepare([ModelRequest.user_text_prompt('Hi'), read])
        assert 'Wait.' in str(room.build().encode(request))
        assert request.warnings == []
