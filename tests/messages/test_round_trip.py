"""Tests that a history stays the same when it is written as JSON and read again."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given, settings
from pydantic import BaseModel, TypeAdapter, ValidationError

from pydantic_llm.messages import (
    BinaryContent,
    CompactionPart,
    ImageUrl,
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelResponse,
    ModelResponseStreamEvent,
    NativeToolReturnPart,
    PartDeltaEvent,
    PartEndEvent,
    PartStartEvent,
    TextPart,
    ThinkingPartDelta,
    ToolReturnPart,
    UploadedFile,
    UserPromptPart,
)
from pydantic_llm.usage import RequestUsage
from tests.messages.strategies import histories, responses

few = settings(max_examples=40)
"""Fewer examples, since the values are large."""

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
IMAGE = ImageUrl('https://example.com/a.png', vendor_metadata={'detail': 'low'})
AUDIO = BinaryContent(b'\xff\x00\xfb\xef\xbe', media_type='audio/wav')
UPLOAD = UploadedFile('file-1', 'openai')


OTHER_COUNTS = ModelResponse([TextPart('Yes', provider_details={})], usage=RequestUsage(details={'images': 1}))


@few
@given(histories)
@example([OTHER_COUNTS])
@example([ModelResponse([CompactionPart('')])])
def test_a_history_survives_json(messages: list[ModelMessage]) -> None:
    assert ModelMessagesTypeAdapter.validate_json(ModelMessagesTypeAdapter.dump_json(messages)) == messages


@few
@given(histories)
def test_a_history_survives_python(messages: list[ModelMessage]) -> None:
    assert ModelMessagesTypeAdapter.validate_python(ModelMessagesTypeAdapter.dump_python(messages)) == messages


@few
@given(histories)
def test_a_history_survives_python_in_json_mode(messages: list[ModelMessage]) -> None:
    dumped = ModelMessagesTypeAdapter.dump_python(messages, mode='json')
    assert ModelMessagesTypeAdapter.validate_python(json.loads(json.dumps(dumped))) == messages


@few
@given(histories)
def test_writing_a_history_again_gives_the_same_json(messages: list[ModelMessage]) -> None:
    written = ModelMessagesTypeAdapter.dump_json(messages)
    again = ModelMessagesTypeAdapter.dump_json(ModelMessagesTypeAdapter.validate_json(written))
    assert json.loads(again) == json.loads(written)


@few
@given(histories)
def test_message_objects_are_valid_input(messages: list[ModelMessage]) -> None:
    read = ModelMessagesTypeAdapter.validate_python(messages)
    assert read == messages


@few
@given(responses)
def test_events_survive_json(response: ModelResponse) -> None:
    adapter: TypeAdapter[list[ModelResponseStreamEvent]] = TypeAdapter(list[ModelResponseStreamEvent])
    events: list[ModelResponseStreamEvent] = [
        *(PartStartEvent(index, part) for index, part in enumerate(response.parts)),
        PartDeltaEvent(0, ThinkingPartDelta(signature_delta='s')),
        *(PartEndEvent(index, part) for index, part in enumerate(response.parts)),
    ]
    assert adapter.validate_json(adapter.dump_json(events)) == events


def test_a_history_inside_a_pydantic_model_survives() -> None:
    class Chat(BaseModel):
        messages: list[ModelMessage]

    chat = Chat(messages=[ModelRequest([ToolReturnPart('look', [IMAGE], 'a', timestamp=NOW)])])
    assert Chat.model_validate_json(chat.model_dump_json()) == chat


def test_bytes_are_base64_in_json_and_both_alphabets_are_read() -> None:
    written = ModelMessagesTypeAdapter.dump_python(
        [ModelRequest([UserPromptPart([AUDIO], timestamp=NOW)])], mode='json'
    )
    stored = written[0]['parts'][0]['content'][0]
    assert stored['data'] == base64.b64encode(AUDIO.data).decode()
    stored['data'] = base64.urlsafe_b64encode(AUDIO.data).decode()
    assert ModelMessagesTypeAdapter.validate_python(written)[0].parts[0] == UserPromptPart([AUDIO], timestamp=NOW)


def test_invalid_base64_is_refused() -> None:
    with pytest.raises(ValidationError, match='the data is not base64') as caught:
        TypeAdapter(BinaryContent).validate_json('{"data": "not*base64", "media_type": "image/png"}')
    assert caught.value.error_count() == 1


def test_values_that_json_does_not_have_are_written_as_text() -> None:
    part = ToolReturnPart('measure', {'raw': b'\xff\xfe', 'value': float('nan')}, 'a', timestamp=NOW)
    read = ModelMessagesTypeAdapter.validate_json(ModelMessagesTypeAdapter.dump_json([ModelRequest([part])]))
    assert read[0].parts[0] == ToolReturnPart('measure', {'raw': '__4=', 'value': 'NaN'}, 'a', timestamp=NOW)


# ---------------------------------------------------------------------- files in tool results


def history_json(content: Any, **more: Any) -> bytes:
    """Return a stored history with one tool result, as JSON."""
    part = {'tool_name': 'look', 'content': content, 'tool_call_id': 'a', 'part_kind': 'tool-return', **more}
    return json.dumps([{'parts': [part], 'kind': 'request'}]).encode()


def content_of(data: bytes) -> Any:
    part = ModelMessagesTypeAdapter.validate_json(data)[0].parts[0]
    assert isinstance(part, ToolReturnPart)
    return part.content


@pytest.mark.parametrize('kind', [ToolReturnPart, NativeToolReturnPart])
def test_files_anywhere_in_a_tool_result_stay_files(kind: Any) -> None:
    part = kind('look', {'views': [IMAGE, {'deep': (AUDIO, UPLOAD)}], 'note': 'nice'}, 'a', timestamp=NOW)
    message: Any = ModelRequest([part]) if kind is ToolReturnPart else ModelResponse([part])
    read = ModelMessagesTypeAdapter.validate_json(ModelMessagesTypeAdapter.dump_json([message]))[0].parts[0]
    assert read == kind('look', {'views': [IMAGE, {'deep': [AUDIO, UPLOAD]}], 'note': 'nice'}, 'a', timestamp=NOW)


def test_data_that_looks_like_a_file_stays_data() -> None:
    """Else content that a tool fetched could make us download from an address of its choice."""
    lookalike = {'kind': 'image-url', 'url': 'http://127.0.0.1/admin', 'force_download': 'allow-local'}
    part = ToolReturnPart('fetch', {'found': lookalike, 'mine': IMAGE}, 'a', timestamp=NOW)
    data = ModelMessagesTypeAdapter.dump_json([ModelRequest([part])])
    assert content_of(data) == {'found': lookalike, 'mine': IMAGE}


def test_data_that_looks_like_a_broken_file_stays_data() -> None:
    for data in ({'kind': 'image-url'}, {'kind': 'binary', 'data': '*', 'media_type': 'a/b'}, {'kind': ['image-url']}):
        assert content_of(history_json(data)) == data
    extended = {'kind': 'image-url', 'url': 'https://example.com/a.png', 'caption': 'A view.'}
    assert content_of(history_json(extended)) == extended


def test_without_digests_a_public_url_is_a_file_without_forced_download() -> None:
    plain = {'kind': 'image-url', 'url': 'https://example.com/a.png', 'force_download': 'allow-local'}
    local = {'kind': 'image-url', 'url': 'file:///etc/passwd'}
    upload = {'kind': 'uploaded-file', 'file_id': 'f', 'provider_name': 'openai'}
    assert content_of(history_json([plain, local, upload])) == [ImageUrl('https://example.com/a.png'), local, upload]


def test_a_file_that_was_stored_without_its_null_fields_is_restored() -> None:
    part = ToolReturnPart('look', [ImageUrl('gs://bucket/a.png', force_download=True)], 'a', timestamp=NOW)
    data = ModelMessagesTypeAdapter.dump_json([ModelRequest([part])], exclude_none=True)
    assert content_of(data) == part.content
