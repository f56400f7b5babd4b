"""Tests of the message values: repr, equality, copies, pickles, and their properties."""

from __future__ import annotations

import pickle
import re
from copy import copy, deepcopy
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError, create_model

from pydantic_llm.exceptions import UnexpectedModelBehavior, UserError
from pydantic_llm.messages import (
    AudioUrl,
    BinaryContent,
    CachePoint,
    DocumentUrl,
    FilePart,
    FinalResultEvent,
    ImageUrl,
    ModelRequest,
    ModelResponse,
    NativeToolCallPart,
    NativeToolReturnPart,
    PartDeltaEvent,
    PartEndEvent,
    PartStartEvent,
    RetryPromptPart,
    SystemPromptPart,
    TextContent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
    ToolCallPart,
    ToolCallPartDelta,
    ToolReturn,
    ToolReturnPart,
    UploadedFile,
    UserPromptPart,
    VideoUrl,
)
from pydantic_llm.native_tools import MCPServerTool, WebSearchTool
from pydantic_llm.usage import RequestUsage, RunUsage, UsageLimits

NOW = datetime(2026, 1, 2, tzinfo=UTC)
PNG = BinaryContent(b'\x89PNG', media_type='image/png')

VALUES: list[Any] = [
    ImageUrl('https://example.com/a.png', force_download=True),
    AudioUrl('https://example.com/a.mp3'),
    DocumentUrl('https://example.com/a.pdf'),
    VideoUrl('https://youtu.be/x'),
    PNG,
    UploadedFile('f', 'openai'),
    TextContent('x', metadata={'a': 1}),
    CachePoint(ttl='1h'),
    SystemPromptPart('x', timestamp=NOW),
    UserPromptPart(['x', PNG], timestamp=NOW),
    ToolReturn({'a': PNG}, content='x', metadata=1),
    ToolReturnPart('look', [PNG, {'a': 1}], 'a', timestamp=NOW),
    RetryPromptPart('x', tool_name='look', tool_call_id='a', timestamp=NOW),
    ModelRequest([UserPromptPart('x', timestamp=NOW)], instructions='y'),
    TextPart('x', provider_details={'a': [1]}),
    ThinkingPart('x', signature='s', provider_name='anthropic'),
    ToolCallPart('look', '{"a": 1}', 'a'),
    NativeToolCallPart('search', {'q': 1}, 'a'),
    NativeToolReturnPart('search', [1], 'a', timestamp=NOW),
    FilePart(PNG, id='f'),
    ModelResponse([TextPart('x')], usage=RequestUsage(input_tokens=1, details={'a': 2}), timestamp=NOW, warnings=['w']),
    PartStartEvent(0, TextPart('x')),
    PartDeltaEvent(0, TextPartDelta('x')),
    PartDeltaEvent(0, ThinkingPartDelta('x', 's')),
    PartDeltaEvent(0, ToolCallPartDelta('{', 'a')),
    PartEndEvent(0, TextPart('x'), next_part_kind='text'),
    FinalResultEvent('look', 'a'),
    RunUsage(input_tokens=1, requests=2, tool_calls=3),
    UsageLimits(request_limit=3),
    WebSearchTool(max_uses=2),
]


@pytest.mark.parametrize('value', VALUES, ids=lambda value: type(value).__name__)
def test_a_value_can_be_copied_and_pickled(value: Any) -> None:
    for twin in (copy(value), deepcopy(value), pickle.loads(pickle.dumps(value))):
        assert twin == value
        assert repr(twin) == repr(value)
        assert type(twin) is type(value)


def test_values_that_differ_in_any_field_are_not_equal() -> None:
    for value in VALUES:
        for item in filter(lambda field: field.compare, fields(value)):
            twin = copy(value)
            object.__setattr__(twin, item.name, ['something else'])
            assert twin != value, item


@pytest.mark.parametrize('value', [v for v in VALUES if not re.search('datetime|<', repr(v))], ids=repr)
def test_the_repr_of_a_value_evaluates_to_it(value: Any) -> None:
    assert eval(repr(value)) == value


def test_a_repr_shows_only_the_fields_that_were_set() -> None:
    assert repr(TextPart('x', id='i')) == "TextPart(content='x', id='i')"
    assert repr(ToolCallPart('look', None, 'a')) == "ToolCallPart(tool_name='look', tool_call_id='a')"
    assert repr(RequestUsage(output_tokens=2)) == 'RequestUsage(output_tokens=2)'
    assert repr(UsageLimits()) == 'UsageLimits(request_limit=50)'


def test_a_repr_does_not_show_bytes() -> None:
    assert repr(BinaryContent(b'secret', media_type='text/plain')) == (
        "BinaryContent(<6 bytes>, media_type='text/plain', identifier='e5e9fa')"
    )


def test_a_repr_does_not_show_secrets() -> None:
    assert 'secret' not in repr(MCPServerTool('s', 'https://x', authorization_token='secret', headers={'k': 'secret'}))


def test_a_repr_shows_a_value_that_cannot_be_compared() -> None:
    class Table:
        def __eq__(self, other: object) -> bool:
            raise ValueError('the truth value of a table is ambiguous')

        __hash__ = None  # type: ignore[assignment] # as a table of numbers has it

        def __repr__(self) -> str:
            return 'Table()'

    assert 'metadata=Table()' in repr(ToolReturnPart('look', 1, 'a', metadata=Table()))


def test_values_of_different_kinds_are_not_equal() -> None:
    assert ToolCallPart('x', '{}', 'a') != NativeToolCallPart('x', '{}', 'a')
    assert ImageUrl('https://example.com/a') != DocumentUrl('https://example.com/a')
    assert RequestUsage() != RunUsage()


# ---------------------------------------------------------------------- content


@pytest.mark.parametrize(
    ('file', 'media_type', 'format'),
    [
        (ImageUrl('https://example.com/a.jpg?size=2'), 'image/jpeg', 'jpeg'),
        (ImageUrl('https://example.com/a.webp'), 'image/webp', 'webp'),
        (AudioUrl('https://example.com/a.mp3'), 'audio/mpeg', 'mp3'),
        (AudioUrl('https://example.com/A.WAV'), 'audio/wav', 'wav'),
        (VideoUrl('https://example.com/a.mov'), 'video/quicktime', 'mov'),
        (VideoUrl('https://example.com/a.mkv'), 'video/x-matroska', 'mkv'),
        (DocumentUrl('https://example.com/a.pdf'), 'application/pdf', 'pdf'),
        (DocumentUrl('https://example.com/a.md'), 'text/markdown', 'md'),
        (DocumentUrl('https://example.com/a.csv'), 'text/csv', 'csv'),
        (DocumentUrl('gs://bucket/a.html'), 'text/html', 'html'),
        (DocumentUrl('https://example.com/a', media_type='text/plain'), 'text/plain', 'txt'),
        (DocumentUrl('https://example.com/a'), None, ''),
        (BinaryContent(b'', media_type='audio/x-wav'), 'audio/wav', 'wav'),
        (BinaryContent(b'', media_type='image/jpg'), 'image/jpeg', 'jpeg'),
        (BinaryContent(b'', media_type='IMAGE/JPG; charset=binary'), 'image/jpeg', 'jpeg'),
        (BinaryContent(b'', media_type='audio/mp3'), 'audio/mpeg', 'mp3'),
        (
            BinaryContent(b'', media_type='audio/L16;codec=pcm;rate=24000'),
            'audio/L16;codec=pcm;rate=24000',
            'L16;codec=pcm;rate=24000',
        ),
        (BinaryContent(b'', media_type='text/plain; charset=utf-8'), 'text/plain', 'txt'),
        (ImageUrl('https://example.com/a', media_type='image/jpg'), 'image/jpeg', 'jpeg'),
        (DocumentUrl('https://example.com/a.yaml'), 'application/yaml', 'yaml'),
        (DocumentUrl('https://example.com/a.YML?x=1'), 'application/yaml', 'yaml'),
        (DocumentUrl('https://example.com/a.toml'), 'application/toml', 'toml'),
        (DocumentUrl('https://example.com/a.ts'), 'text/x-typescript', 'typescript'),
        (VideoUrl('https://example.com/a.3gp'), 'video/3gpp', 'three_gp'),
        (BinaryContent(b'', media_type='video/3gpp'), 'video/3gpp', 'three_gp'),
    ],
)
def test_the_media_type_and_format_of_a_file(file: Any, media_type: str | None, format: str) -> None:
    assert (file.media_type, file.format) == (media_type, format)


def test_files_with_the_same_content_have_the_same_identifier() -> None:
    assert BinaryContent(b'x', media_type='a/b').identifier == BinaryContent(b'x', media_type='c/d').identifier
    assert ImageUrl('https://example.com/a').identifier != ImageUrl('https://example.com/b').identifier
    assert ImageUrl('https://example.com/a', identifier='mine').identifier == 'mine'


@pytest.mark.parametrize(
    ('data', 'media_type'),
    [
        (b'\x89PNG\r\n\x1a\n..', 'image/png'),
        (b'\xff\xd8\xff\xe0', 'image/jpeg'),
        (b'RIFF....WEBPVP8 ', 'image/webp'),
        (b'RIFF....WAVEfmt ', 'audio/wav'),
        (b'RIFF\0\0\0\0CDR ', 'application/octet-stream'),
        (b'\0\0\0\x18ftypheic', 'image/heic'),
        (b'\0\0\0\x18ftypmp42', 'video/mp4'),
        (b'\0\0\0\x18ftypM4A ', 'audio/mp4'),
        (b'ID3\x04', 'audio/mpeg'),
        (b'%PDF-1.7', 'application/pdf'),
        ('Grüße\n'.encode(), 'text/plain'),
        ('Grüße\n'.encode('latin-1'), 'text/plain'),
        ('Grüße\n'.encode('utf-16'), 'text/plain'),
        (b'\x7fELF\x02\x01', 'application/octet-stream'),
        (b'', 'application/octet-stream'),
    ],
)
def test_the_media_type_of_a_path_without_a_known_extension_comes_from_its_content(
    tmp_path: Path, data: bytes, media_type: str
) -> None:
    (tmp_path / 'file.unknown').write_bytes(data)
    assert BinaryContent.from_path(tmp_path / 'file.unknown').media_type == media_type


def test_the_media_type_and_the_identifier_of_a_path_come_from_its_name(tmp_path: Path) -> None:
    (tmp_path / 'a.png').write_bytes(b'x')
    (tmp_path / 'b').write_bytes(b'x')
    assert BinaryContent.from_path(tmp_path / 'a.png') == BinaryContent(
        b'x', media_type='image/png', identifier='a.png'
    )
    (tmp_path / 'b').write_bytes(b'\0')
    assert BinaryContent.from_path(str(tmp_path / 'b')).media_type == 'application/octet-stream'
    (tmp_path / 'a"\n.txt').write_bytes(b'x')
    assert BinaryContent.from_path(tmp_path / 'a"\n.txt').identifier == 'a__.txt'


def test_a_file_and_its_data_uri_are_equivalent() -> None:
    assert PNG.data_uri == 'data:image/png;base64,iVBORw=='
    assert BinaryContent.from_data_uri(PNG.data_uri) == PNG
    assert BinaryContent.from_data_uri('data:text/plain;charset=utf-8;base64,eA%3D%3D').data == b'x'
    assert BinaryContent.from_data_uri('data:;base64,eA==').media_type == 'text/plain'


@pytest.mark.parametrize('uri', ['https://example.com/a', 'data:text/plain,x', 'data:image/png;base64', ''])
def test_an_invalid_data_uri_is_refused(uri: str) -> None:
    with pytest.raises(ValueError, match="A data URI starts with 'data:<media type>;base64,'"):
        BinaryContent.from_data_uri(uri)


def test_a_data_uri_with_invalid_base64_is_refused() -> None:
    with pytest.raises(ValueError, match='base64'):
        BinaryContent.from_data_uri('data:image/png;base64,*')


@pytest.mark.parametrize(
    ('url', 'is_youtube'),
    [
        ('https://www.youtube.com/watch?v=x', True),
        ('https://youtu.be/x', True),
        ('https://notyoutube.com/x', False),
        ('https://music.youtube.com/watch?v=x', False),
        ('https://m.youtube.com/watch?v=x', True),
        ('https://example.com/youtube.com', False),
    ],
)
def test_a_youtube_url_is_recognized(url: str, is_youtube: bool) -> None:
    assert VideoUrl(url).is_youtube is is_youtube


def test_the_media_type_decides_the_category_of_a_file() -> None:
    kinds = {
        media_type: (file.is_image, file.is_audio, file.is_video, file.is_document, file.is_text)
        for media_type in ('image/png', 'audio/wav', 'video/mp4', 'application/pdf', 'text/csv', 'application/json')
        for file in [BinaryContent(b'', media_type=media_type)]
    }
    assert kinds == {
        'image/png': (True, False, False, False, False),
        'audio/wav': (False, True, False, False, False),
        'video/mp4': (False, False, True, False, False),
        'application/pdf': (False, False, False, True, False),
        'text/csv': (False, False, False, True, True),
        'application/json': (False, False, False, True, True),
    }


# ---------------------------------------------------------------------- parts


@pytest.mark.parametrize(
    ('args', 'object_', 'text'),
    [
        (None, {}, '{}'),
        ('', {}, '{}'),
        ({}, {}, '{}'),
        ('{"a" : 1}', {'a': 1}, '{"a" : 1}'),
        ({'a': 1}, {'a': 1}, '{"a":1}'),
    ],
)
def test_arguments_as_an_object_and_as_text(args: Any, object_: dict[str, Any], text: str) -> None:
    call = ToolCallPart('look', args)
    assert (call.args_as_dict(), call.args_as_json_str(), call.has_content()) == (object_, text, bool(args))


@pytest.mark.parametrize(
    ('args', 'sentence'), [('{"a', "The arguments of 'look' are not JSON: "), ('[1]', 'are not a JSON object')]
)
def test_invalid_arguments_are_an_error_with_the_arguments_as_body(args: str, sentence: str) -> None:
    with pytest.raises(UnexpectedModelBehavior, match=sentence) as caught:
        ToolCallPart('look', args).args_as_dict()
    assert caught.value.body == args
    assert ToolCallPart('look', args).args_as_dict(raise_if_invalid=False) == {'invalid_json': args}


def test_tool_calls_without_ids_get_different_ids() -> None:
    assert ToolCallPart('look').tool_call_id != ToolCallPart('look').tool_call_id


@pytest.mark.parametrize(
    ('content', 'text', 'object_'),
    [
        ('seen', 'seen', {'return_value': 'seen'}),
        ({'a': 1}, '{"a":1}', {'a': 1}),
        ([1, None], '[1,null]', {'return_value': [1, None]}),
        (None, 'null', {'return_value': None}),
        (b'\xff', '"_w=="', {'return_value': '_w=='}),
        (float('nan'), '"NaN"', {'return_value': 'NaN'}),
        (NOW, '"2026-01-02T00:00:00Z"', {'return_value': '2026-01-02T00:00:00Z'}),
        (TextPart('x'), None, None),
    ],
)
def test_a_tool_result_as_text_and_as_an_object(content: Any, text: str | None, object_: Any) -> None:
    part = ToolReturnPart('look', content)
    if text is None:
        assert part.model_response_object()['content'] == 'x'
    else:
        assert (part.model_response_str(), part.model_response_object()) == (text, object_)


def test_a_tool_result_that_is_not_json_is_a_user_error() -> None:
    part = ToolReturnPart('look', {'at': object()})
    for written in (part.model_response_str, part.model_response_object):
        with pytest.raises(UserError, match=r"What the tool 'look' returned cannot be written as JSON: .*object"):
            written()


def test_the_files_of_a_tool_result_are_separated() -> None:
    assert (ToolReturnPart('look', PNG).files, ToolReturnPart('look', PNG).without_files()) == ([PNG], [])
    mixed = ToolReturnPart('look', ['a', PNG, {'b': PNG}])
    assert (mixed.files, mixed.without_files()) == ([PNG], ['a', {'b': PNG}])
    assert (ToolReturnPart('look', 'a').files, ToolReturnPart('look', 'a').without_files()) == ([], ['a'])


def test_the_text_of_a_retry_prompt() -> None:
    errors: Any = [
        {'type': 'missing', 'loc': ('age',), 'msg': 'Field required', 'input': {'a': 1}, 'url': 'u', 'ctx': {'e': 1}}
    ]
    assert RetryPromptPart('Too short.').model_response() == 'Too short.\n\nCorrect this and try again.'
    assert RetryPromptPart(errors).model_response() == (
        '1 validation error:\n```json\n[\n  {\n    "type": "missing",\n    "loc": [\n      "age"\n    ],\n'
        '    "msg": "Field required",\n    "input": {\n      "a": 1\n    }\n  }\n]\n```\n\nCorrect this and try again.'
    )
    assert RetryPromptPart(errors * 2).model_response().startswith('2 validation errors:')


def test_the_parts_of_a_response_by_kind() -> None:
    call, native = ToolCallPart('look', '{}', 'a'), NativeToolCallPart('search', {}, 'n')
    returned, pending = NativeToolReturnPart('search', [1], 'n'), NativeToolCallPart('search', {}, 'm')
    response = ModelResponse(
        [
            ThinkingPart('Hm, '),
            ThinkingPart('yes.'),
            TextPart('One '),
            TextPart('line.'),
            call,
            TextPart('Another.'),
            native,
            returned,
            pending,
            FilePart(PNG),
            FilePart(BinaryContent(b'', media_type='audio/wav')),
        ]
    )
    assert response.text == 'One line.\n\nAnother.'
    assert response.thinking == 'Hm, \n\nyes.'
    assert response.tool_calls == [call]
    assert response.native_tool_calls == [(native, returned), (pending, None)]
    assert len(response.files) == 2
    assert response.images == [PNG]
    assert (ModelResponse([]).text, ModelResponse([]).thinking) == (None, None)


def test_the_items_of_a_user_prompt() -> None:
    assert UserPromptPart('x').items() == ['x']
    assert UserPromptPart(['x', PNG]).items() == ['x', PNG]
    assert ModelRequest.user_text_prompt('x', instructions='y').instructions == 'y'


@pytest.mark.parametrize(
    ('part', 'has_content'),
    [
        (TextPart(''), False),
        (ThinkingPart('', signature='s'), False),
        (NativeToolReturnPart('x', None), False),
        (NativeToolReturnPart('x', 0), True),
        (FilePart(BinaryContent(b'', media_type='image/png')), False),
        (FilePart(PNG), True),
    ],
)
def test_has_content_of_each_part(part: Any, has_content: bool) -> None:
    assert part.has_content() is has_content


# ---------------------------------------------------------------------- deltas


@pytest.mark.parametrize(
    ('delta', 'part', 'after'),
    [
        (TextPartDelta('b', {'n': 2}), TextPart('a', provider_details={'m': 1, 'n': 1}), ('ab', {'m': 1, 'n': 2})),
        (ThinkingPartDelta('b'), ThinkingPart('a', signature='s'), ('ab', 's')),
        (ThinkingPartDelta(signature_delta='t'), ThinkingPart('a', signature='s'), ('a', 't')),
        (ToolCallPartDelta('1}'), ToolCallPart('x', '{"a": ', 'i'), '{"a": 1}'),
        (ToolCallPartDelta('{}'), ToolCallPart('x', None, 'i'), '{}'),
        (ToolCallPartDelta({'a': 1}), ToolCallPart('x', '{"b', 'i'), {'a': 1}),
        (ToolCallPartDelta(None), ToolCallPart('x', '{}', 'i'), '{}'),
    ],
)
def test_applying_a_delta_returns_a_new_part(delta: Any, part: Any, after: Any) -> None:
    before = deepcopy(part)
    grown = delta.apply(part)
    shown = {
        TextPart: lambda: (grown.content, grown.provider_details),
        ThinkingPart: lambda: (grown.content, grown.signature),
        ToolCallPart: lambda: grown.args,
    }
    assert shown[type(part)]() == after
    assert part == before


@pytest.mark.parametrize(
    ('delta', 'part'),
    [
        (TextPartDelta('b'), ThinkingPart('a')),
        (ThinkingPartDelta('b'), TextPart('a')),
        (ToolCallPartDelta('b'), TextPart('a')),
    ],
)
def test_a_delta_of_another_part_type_is_refused(delta: Any, part: Any) -> None:
    with pytest.raises(UnexpectedModelBehavior, match=f'{type(delta).__name__} does not fit {type(part).__name__}'):
        delta.apply(part)


def test_a_retry_prompt_does_not_repeat_long_inputs() -> None:
    """Each missing field has all of the arguments as its input."""
    fields: Any = {f'field_{number}': (int, ...) for number in range(30)}
    deep: list[Any] = []
    for _ in range(400):
        deep = [deep]
    for value in ('x' * 700_000, deep, ['x'] * 100_000):
        with pytest.raises(ValidationError) as caught:
            create_model('Many', **fields).model_validate({'value': value})
        text = RetryPromptPart(caught.value.errors(include_url=False), tool_name='f').model_response()
        assert 'field_19' in text
        assert text.startswith('30 validation errors')
        assert text.endswith('Correct this and try again.')
        assert len(text) < 25_000
