"""The name of a file reaches the vendor in the field that its API has for names, and the server reads it back."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic_core import from_json, to_json

from pydantic_llm.exceptions import UserError
from pydantic_llm.messages import BinaryContent, ModelRequest, UserContent, UserPromptPart
from pydantic_llm.testing.room import Room
from tests.conformance.rooms import ROOMS

PDF = BinaryContent(b'%PDF-1', media_type='application/pdf', identifier='report.pdf')
TEXT = BinaryContent(b'Hello', media_type='text/plain', identifier='report.txt')

NAMES: dict[str, tuple[str, str]] = {
    'openai-chat': ('filename', 'report.pdf'),
    'litellm': ('filename', 'report.pdf'),
    'acme_chat': ('filename', 'report.pdf'),
    'openai-responses': ('filename', 'report.pdf'),
    'anthropic': ('title', 'report.pdf'),
    'bedrock': ('name', 'report pdf'),
    'mistral': ('document_name', 'report.pdf'),
}
"""Room → the field for the name of a document, and its value; the other rooms take no documents, or have no names."""

UNNAMED = ('gemini', 'acme')
"""Rooms whose API has no place for the name of a text file: Google's `displayName` is for other methods."""


@pytest.mark.parametrize('room', ROOMS, ids=repr)
def test_the_name_of_a_document_is_sent_in_its_field(room: Room) -> None:
    if room.name not in NAMES:
        return
    body = encode(room, PDF)
    field, name = NAMES[room.name]
    assert name in find_all(body, field)
    [served] = [item for item in read(room, body) if isinstance(item, BinaryContent)]
    assert room.name == 'bedrock' or served.identifier == 'report.pdf'


@pytest.mark.parametrize('room', ROOMS, ids=repr)
def test_the_name_of_a_text_file_is_sent(room: Room) -> None:
    if room.name not in UNNAMED:
        assert 'report' in to_json(encode(room, TEXT)).decode()


@pytest.mark.parametrize('room', ROOMS, ids=repr)
def test_a_file_without_a_name_gets_no_name_from_its_hash(room: Room) -> None:
    field, _ = NAMES.get(room.name, ('', ''))
    try:
        names = find_all(encode(room, BinaryContent(b'%PDF-1', media_type='application/pdf')), field)
    except UserError:
        return
    assert not [name for name in names if name not in ('filename.pdf', 'Document 1')]


def encode(room: Room, file: UserContent) -> Any:
    history = [ModelRequest([UserPromptPart(['Read this.', file])])]
    return from_json(to_json(room.build().encode(room.prepare(history, {}, None))))


def read(room: Room, body: Any) -> list[Any]:
    messages = room.decode_request(body).messages
    parts = [part for message in messages for part in message.parts if isinstance(part, UserPromptPart)]
    return [item for part in parts for item in part.items()]


def find_all(value: Any, name: str) -> list[Any]:
    """Return the values of a field, at any depth."""
    if isinstance(value, dict):
        inner = [found for item in value.values() for found in find_all(item, name)]
        return [*([value[name]] if name in value else []), *inner]
    return [found for item in value for found in find_all(item, name)] if isinstance(value, list) else []
