"""No room sends a file that its API cannot take: it is refused, or sent in a form that is accepted."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest

from pydantic_llm.exceptions import UserError
from pydantic_llm.messages import (
    AudioUrl,
    BinaryContent,
    DocumentUrl,
    ImageUrl,
    ModelRequest,
    UploadedFile,
    UserPromptPart,
    VideoUrl,
)
from pydantic_llm.testing.room import Room
from pydantic_llm.wire.files import file_urls
from tests.conformance.rooms import ROOMS

FOUR = {'image/png', 'image/jpeg', 'image/gif', 'image/webp'}

ACCEPTED: dict[str, set[str]] = {
    'anthropic': {*FOUR, 'application/pdf', 'text/plain'},
    'bedrock': set(),  # formats, not media types: BEDROCK_FORMATS
    'cohere': FOUR,
    'gemini': {*FOUR - {'image/gif'}, 'image/heic', 'image/heif', 'audio/', 'video/', 'text/', 'application/pdf'},
    'groq': {'image/'},
    'huggingface': {'image/'},
    'litellm': {'image/', 'application/'},
    'mistral': {'image/', 'application/'},
    'openai-chat': {*FOUR, 'application/pdf'},
    'openai-responses': {*FOUR, 'application/', 'text/'},
}
"""The media types that the API of a room takes: whole ones, or kinds if the API documents no list."""

AUDIO_FORMATS = {'openai-chat': {'mp3', 'wav'}, 'litellm': {'mp3', 'wav'}}
"""The formats of `input_audio`, for the rooms that have it."""

TYPES = (
    'image/png', 'image/jpeg', 'image/jpg', 'image/gif', 'image/webp', 'image/heic', 'image/tiff', 'image/svg+xml',
    'audio/wav', 'audio/x-wav', 'audio/mpeg', 'audio/mp3', 'audio/ogg', 'audio/aac', 'video/mp4', 'video/webm',
    'application/pdf', 'application/x-pdf', 'application/zip', 'application/octet-stream', 'application/json',
    'application/yaml', 'text/plain', 'text/csv; charset=utf-8', 'text/html',
    'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
)  # fmt: skip

SPELLINGS = {'image/jpg', 'audio/x-wav', 'audio/mp3', 'application/x-pdf'}
"""The types that are only another spelling: none of them may be sent."""

MEDIA_TYPE = re.compile(r'(?:data:|"(?:media_type|mimeType)": ?")((?:image|audio|video|application|text)/[\w.+-]+)')

OURS = [room for room in ROOMS if room.name in ACCEPTED]


def encode_file(room: Room, file: Any) -> str | None:
    """Return the body as JSON, or `None` if the file is refused. A file that would be downloaded is not tried."""
    model = room.build()
    request = model.prepare([ModelRequest([UserPromptPart(['Look:', file])])])
    if any(model.must_download(url) for url in file_urls(request.messages)):
        return None
    try:
        return json.dumps(model.encode(request))
    except UserError:
        return None


def check(room: Room, body: str | None) -> None:
    if body is None:
        return
    sent, accepted = set(MEDIA_TYPE.findall(body)), ACCEPTED[room.name]
    assert sent & SPELLINGS == set()
    assert {each for each in sent if each not in accepted and f'{each.partition("/")[0]}/' not in accepted} == set()
    formats = set(re.findall(r'"input_audio": \{"data": "[^"]*", "format": "(\w+)"', body))
    assert formats <= AUDIO_FORMATS.get(room.name, set())


@pytest.mark.parametrize('room', OURS, ids=str)
@pytest.mark.parametrize('media_type', TYPES)
def test_a_file_is_sent_only_in_a_form_that_the_api_takes(room: Room, media_type: str) -> None:
    check(room, encode_file(room, BinaryContent(b'abc', media_type=media_type)))


@pytest.mark.parametrize('room', OURS, ids=str)
@pytest.mark.parametrize('media_type', TYPES)
@pytest.mark.parametrize('url_type', [ImageUrl, AudioUrl, DocumentUrl, VideoUrl])
def test_a_data_uri_is_sent_only_in_a_form_that_the_api_takes(room: Room, media_type: str, url_type: Any) -> None:
    kinds = {ImageUrl: 'image/', AudioUrl: 'audio/', VideoUrl: 'video/', DocumentUrl: ('application/', 'text/')}
    if media_type.startswith(kinds[url_type]):
        check(room, encode_file(room, url_type(f'data:{media_type};base64,{base64.b64encode(b"abc").decode()}')))


@pytest.mark.parametrize('room', OURS, ids=str)
@pytest.mark.parametrize('url', ['data:image/png;base64,???', 'data:image/png,abc', 'data:'])
def test_an_invalid_data_uri_is_refused(room: Room, url: str) -> None:
    assert encode_file(room, ImageUrl(url)) is None


@pytest.mark.parametrize('room', OURS, ids=str)
def test_a_file_of_another_vendor_is_refused(room: Room) -> None:
    assert encode_file(room, UploadedFile('file-1', 'another')) is None


@pytest.mark.parametrize('room', OURS, ids=str)
def test_audio_is_refused_where_the_api_has_none(room: Room) -> None:
    sent = encode_file(room, BinaryContent(b'abc', media_type='audio/wav'))
    has_audio = {'gemini', 'openai-chat', 'litellm'}
    assert (sent is not None) is (room.name in has_audio)
