"""Tests of histories that other libraries stored: how their parts become ours."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from pydantic import ValidationError

from pydantic_llm.messages import (
    AudioUrl,
    BinaryContent,
    Citation,
    CompactionPart,
    FilePart,
    ImageUrl,
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelResponse,
    NativeToolCallPart,
    NativeToolReturnPart,
    RetryPromptPart,
    SystemPromptPart,
    TextContent,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
    WebCitationSource,
)
from pydantic_llm.messages.history import repair
from pydantic_llm.usage import RequestUsage
from tests.messages.strategies import histories

TIME = '2026-01-02T03:04:05Z'
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
AUDIO = {'data': 'UklGRg==', 'media_type': 'audio/wav', 'kind': 'binary', 'vendor_metadata': None}
AUDIO_FILE = BinaryContent(b'RIFF', media_type='audio/wav')
ERRORS = [{'type': 'int_parsing', 'loc': ['age'], 'msg': 'no integer', 'input': 'x'}]


def read(*messages: dict[str, Any]) -> list[ModelMessage]:
    """Validate stored messages, from JSON and from Python with the same result."""
    from_json = ModelMessagesTypeAdapter.validate_json(json.dumps(messages))
    assert ModelMessagesTypeAdapter.validate_python(list(messages)) == from_json
    return from_json


def read_request_parts(*parts: dict[str, Any]) -> list[Any]:
    (message,) = read({'parts': list(parts), 'kind': 'request', 'timestamp': TIME})
    return list(message.parts)


def read_response_parts(*parts: dict[str, Any]) -> list[Any]:
    (message,) = read({'parts': list(parts), 'kind': 'response', 'timestamp': TIME})
    return list(message.parts)


REQUEST_PARTS: dict[str, tuple[dict[str, Any], list[Any]]] = {
    'a system prompt with extra fields': (
        {'part_kind': 'system-prompt', 'content': 'Be kind.', 'context_id': 'tone', 'scope': 'request', 'metadata': {}},
        [SystemPromptPart('Be kind.', timestamp=NOW)],
    ),
    'a system prompt that was revoked': (
        {'part_kind': 'system-prompt', 'content': '', 'context_id': 'tone', 'dynamic_ref': None},
        [SystemPromptPart("What was said before under 'tone' no longer applies.", timestamp=NOW)],
    ),
    'a structured value of the user': (
        {
            'part_kind': 'user-prompt',
            'content': [
                'See:',
                {
                    'kind': 'structured-content',
                    'content': '<cart>{"n":1}</cart>',
                    'value': {'n': 1},
                    'tag': 'cart',
                    'metadata': 7,
                },
            ],
        },
        [UserPromptPart(['See:', TextContent('<cart>{"n":1}</cart>', metadata=7)], timestamp=NOW)],
    ),
    'a tool result with extra fields': (
        {
            'part_kind': 'tool-return',
            'tool_name': 'look',
            'content': 'no',
            'tool_call_id': 'a',
            'outcome': 'retried',
            'tool_kind': None,
            'retry': {'cause': 'model_retry', 'attempt': 1},
        },
        [ToolReturnPart('look', 'no', 'a', outcome='retried', timestamp=NOW)],
    ),
    'feedback on the whole response': (
        {'part_kind': 'retry-feedback', 'content': 'Say more.', 'retry': {'cause': 'model_retry'}, 'timestamp': TIME},
        [RetryPromptPart('Say more.', tool_call_id='call_answer_0', timestamp=NOW)],
    ),
    'feedback with validation errors': (
        {'part_kind': 'retry-feedback', 'content': ERRORS, 'retry': {'cause': 'validation_error'}},
        [
            RetryPromptPart(
                [{'type': 'int_parsing', 'loc': ('age',), 'msg': 'no integer', 'input': 'x'}],
                tool_call_id='call_answer_0',
                timestamp=NOW,
            )
        ],
    ),
    'new instructions': (
        {'part_kind': 'instruction-delta', 'id': 'agent:limits', 'content': 'At most two.', 'base_hash': None},
        [SystemPromptPart("The instructions 'agent:limits' are from now on:\n\nAt most two.", timestamp=NOW)],
    ),
    'instructions that were revoked': (
        {'part_kind': 'instruction-delta', 'id': 'agent:limits', 'content': None},
        [SystemPromptPart("The instructions 'agent:limits' no longer apply.", timestamp=NOW)],
    ),
    'a summary': (
        {'part_kind': 'compaction', 'content': 'They met.', 'provider_name': None},
        [UserPromptPart('A summary of the conversation so far:\n\nThey met.', timestamp=NOW)],
    ),
    'a summary without a text': ({'part_kind': 'compaction', 'content': None}, []),
    'speech': (
        {'part_kind': 'speech', 'speaker': 'user', 'transcript': 'Hello.', 'audio': AUDIO},
        [UserPromptPart('Hello.', timestamp=NOW)],
    ),
    'speech without a transcript': (
        {'part_kind': 'speech', 'speaker': 'user', 'transcript': None, 'audio': AUDIO},
        [UserPromptPart([AUDIO_FILE], timestamp=NOW)],
    ),
    'speech without a transcript and audio': ({'part_kind': 'speech', 'speaker': 'user', 'transcript': None}, []),
    'tools that became available': ({'part_kind': 'tool-availability-delta', 'tools_added': ['look']}, []),
    'capabilities that were loaded': ({'part_kind': 'capability-load-delta', 'loaded': ['x']}, []),
    'settings that changed': ({'part_kind': 'model-settings-delta', 'settings': {'thinking': 'high'}}, []),
    'the baseline of the instructions': ({'part_kind': 'instruction-baseline', 'instructions': []}, []),
}


@pytest.mark.parametrize(('part', 'expected'), REQUEST_PARTS.values(), ids=REQUEST_PARTS)
def test_a_stored_request_part_is_translated(part: dict[str, Any], expected: list[Any]) -> None:
    assert read_request_parts(part) == expected


VENDOR: dict[str, Any] = {'provider_name': 'openai', 'provider_details': {'k': 1}}

RESPONSE_PARTS: dict[str, tuple[dict[str, Any], list[Any]]] = {
    'a text with sources': (
        {
            'part_kind': 'text',
            'content': 'It rains.',
            'provider_name': 'openai',
            'provider_details': {'citations': ['own']},
            'citations': [{'sources': [{'kind': 'web', 'url': 'https://example.com'}], 'anchor': None}],
        },
        [
            TextPart(
                'It rains.',
                provider_name='openai',
                provider_details={'citations': ['own']},
                citations=[Citation([WebCitationSource('https://example.com')])],
            )
        ],
    ),
    'a text without sources': (
        {'part_kind': 'text', 'content': 'It rains.', 'id': None, 'citations': None},
        [TextPart('It rains.')],
    ),
    'a tool call with a kind': (
        {
            'part_kind': 'tool-call',
            'tool_name': 'find',
            'args': {'q': 1},
            'tool_call_id': 'a',
            'tool_kind': 'tool-search',
        },
        [ToolCallPart('find', {'q': 1}, 'a')],
    ),
    'a native tool call': (
        {'part_kind': 'builtin-tool-call', 'tool_name': 'web_search', 'args': None, 'tool_call_id': 'n', **VENDOR},
        [NativeToolCallPart('web_search', None, 'n', provider_name='openai', provider_details={'k': 1})],
    ),
    'a native tool result': (
        {
            'part_kind': 'builtin-tool-return',
            'tool_name': 'web_search',
            'content': [1],
            'tool_call_id': 'n',
            'outcome': 'success',
            'content_file_digests': [],
            **VENDOR,
        },
        [
            NativeToolReturnPart(
                'web_search', [1], 'n', timestamp=NOW, provider_name='openai', provider_details={'k': 1}
            )
        ],
    ),
    'a readable summary': (
        {'part_kind': 'compaction', 'content': 'They met.', 'id': 'cmp', **VENDOR},
        [CompactionPart('They met.', id='cmp', **VENDOR)],
    ),
    'an encrypted summary': (
        {'part_kind': 'compaction', 'content': None, 'id': 'cmp', **VENDOR},
        [CompactionPart(id='cmp', **VENDOR)],
    ),
    'an empty summary': ({'part_kind': 'compaction', 'content': None}, [CompactionPart()]),
    'speech': (
        {'part_kind': 'speech', 'speaker': 'assistant', 'transcript': 'Hi.', 'audio': AUDIO, 'id': 'item', **VENDOR},
        [TextPart('Hi.', provider_name='openai', provider_details={'k': 1})],
    ),
    'speech without a transcript': (
        {'part_kind': 'speech', 'speaker': 'assistant', 'transcript': None, 'audio': AUDIO, 'timestamps': None},
        [FilePart(AUDIO_FILE)],
    ),
    'speech without a transcript and audio': ({'part_kind': 'speech', 'speaker': 'assistant', 'transcript': ''}, []),
}


@pytest.mark.parametrize(('part', 'expected'), RESPONSE_PARTS.values(), ids=RESPONSE_PARTS)
def test_a_stored_response_part_is_translated(part: dict[str, Any], expected: list[Any]) -> None:
    assert read_response_parts(part) == expected


def test_the_fields_of_a_stored_response_are_translated() -> None:
    stored = {
        'kind': 'response',
        'parts': [],
        'usage': {'request_tokens': 5, 'response_tokens': 7, 'total_tokens': 12, 'requests': 1, 'details': None},
        'model_name': 'm',
        'timestamp': TIME,
        'vendor_details': {'finish_reason': 'end'},
        'vendor_id': 'msg_1',
        'state': 'suspended',
        'finish_reason': None,
        'warnings': None,
        'model_id': 'openai:m',
        'canonical_system': 'openai',
        'workspace_ref': None,
        'history_digest': 'd',
        'failed_attempts': [],
    }
    assert read(stored) == [
        ModelResponse(
            [],
            usage=RequestUsage(input_tokens=5, output_tokens=7),
            model_name='m',
            timestamp=NOW,
            provider_details={'finish_reason': 'end'},
            provider_response_id='msg_1',
            state='suspended',
        )
    ]


@pytest.mark.parametrize('usage', [None, {}, {'input_tokens': None, 'request_tokens': None, 'details': {}}])
def test_usage_without_values_is_zero(usage: Any) -> None:
    (message,) = read({'kind': 'response', 'parts': [], 'timestamp': TIME, 'usage': usage})
    assert message == ModelResponse([], timestamp=NOW)


def test_unknown_usage_counts_become_details() -> None:
    usage = {'input_tokens': 1, 'output_reasoning_tokens': 3, 'audio_seconds': 0.5, 'cost': '0.1', 'details': {'x': 2}}
    (message,) = read({'kind': 'response', 'parts': [], 'timestamp': TIME, 'usage': usage})
    assert isinstance(message, ModelResponse)
    assert message.usage == RequestUsage(input_tokens=1, output_reasoning_tokens=3, details={'x': 2})


@pytest.mark.parametrize('name', ['reasoning_tokens', 'thoughts_tokens', 'thinking_tokens'])
def test_thinking_that_was_stored_as_a_detail_is_a_count_of_its_own(name: str) -> None:
    (message,) = read({'kind': 'response', 'parts': [], 'timestamp': TIME, 'usage': {'details': {name: 3}}})
    assert isinstance(message, ModelResponse)
    assert message.usage == RequestUsage(output_reasoning_tokens=3, details={name: 3})


def test_tool_calls_that_were_stored_without_ids_are_paired_with_their_results() -> None:
    """The oldest histories have no ids."""
    null = {'tool_call_id': None}
    history = read(
        {
            'kind': 'request',
            'parts': [
                {'content': 'Be kind.', 'dynamic_ref': None, 'part_kind': 'system-prompt'},
                {
                    'content': [
                        'Look.',
                        {'url': 'https://example.com/a.png', 'kind': 'image-url'},
                        {'url': 'https://example.com/a.mp3', 'kind': 'audio-url'},
                    ],
                    'timestamp': TIME,
                    'part_kind': 'user-prompt',
                },
            ],
            'timestamp': TIME,
        },
        {
            'kind': 'response',
            'model_name': 'm',
            'timestamp': TIME,
            'parts': [
                {'content': 'Well.', 'part_kind': 'text'},
                {'tool_name': 'look', 'args': {'at': 1}, **null, 'part_kind': 'tool-call'},
                {'tool_name': 'look', 'args': '{}', 'part_kind': 'tool-call'},
                {'tool_name': 'find', 'args': {}, 'tool_call_id': 'own', 'part_kind': 'tool-call'},
            ],
        },
        {
            'kind': 'request',
            'timestamp': TIME,
            'parts': [
                {'tool_name': 'look', 'content': 1, **null, 'timestamp': TIME, 'part_kind': 'tool-return'},
                {'content': 'no', 'tool_name': 'look', **null, 'timestamp': TIME, 'part_kind': 'retry-prompt'},
                {
                    'tool_name': 'find',
                    'content': 2,
                    'tool_call_id': 'own',
                    'timestamp': TIME,
                    'part_kind': 'tool-return',
                },
            ],
        },
    )
    assert history == [
        ModelRequest(
            [
                SystemPromptPart('Be kind.', timestamp=NOW),
                UserPromptPart(
                    ['Look.', ImageUrl('https://example.com/a.png'), AudioUrl('https://example.com/a.mp3')],
                    timestamp=NOW,
                ),
            ],
            timestamp=NOW,
        ),
        ModelResponse(
            [
                TextPart('Well.'),
                ToolCallPart('look', {'at': 1}, 'call_look_0'),
                ToolCallPart('look', '{}', 'call_look_1'),
                ToolCallPart('find', {}, 'own'),
            ],
            model_name='m',
            timestamp=NOW,
        ),
        ModelRequest(
            [
                ToolReturnPart('look', 1, 'call_look_0', timestamp=NOW),
                RetryPromptPart('no', tool_name='look', tool_call_id='call_look_1', timestamp=NOW),
                ToolReturnPart('find', 2, 'own', timestamp=NOW),
            ],
            timestamp=NOW,
        ),
    ]
    assert repair(history)[0] is history


@pytest.mark.parametrize('kind', ['request', 'response'])
def test_an_unknown_part_kind_is_one_error_that_names_it(kind: str) -> None:
    stored = [{'kind': kind, 'parts': [{'part_kind': 'hologram', 'content': 'x'}], 'timestamp': TIME}]
    with pytest.raises(ValidationError, match="'hologram'") as caught:
        ModelMessagesTypeAdapter.validate_python(stored)
    assert [error['loc'] for error in caught.value.errors()] == [(0, kind, 'parts', 0)]


@pytest.mark.parametrize(
    ('stored', 'place'),
    [
        ([{'kind': 'note', 'parts': []}], (0,)),
        ([{'parts': []}], (0,)),
        ([{'kind': 'request'}], (0, 'request', 'parts')),
        ([{'kind': 'request', 'parts': [{'content': 'x'}]}], (0, 'request', 'parts', 0)),
        ([{'kind': 'request', 'parts': ['x']}], (0, 'request', 'parts', 0)),
        ([{'kind': 'request', 'parts': {'a': 1}}], (0, 'request', 'parts')),
        (['x'], (0,)),
        ('x', ()),
    ],
)
def test_an_invalid_history_is_one_error_with_its_location(stored: Any, place: tuple[Any, ...]) -> None:
    with pytest.raises(ValidationError) as caught:
        ModelMessagesTypeAdapter.validate_python(stored)
    assert [error['loc'] for error in caught.value.errors()] == [place]


def test_reading_does_not_change_the_stored_value() -> None:
    stored = {'kind': 'request', 'parts': [{'part_kind': 'user-prompt', 'content': ['x'], 'tool_call_id': None}]}
    before = json.dumps(stored)
    ModelMessagesTypeAdapter.validate_python([stored])
    assert json.dumps(stored) == before


@pytest.mark.parametrize('odd', [[], {}, 7, True, [[]], {'x': None}])
@pytest.mark.parametrize('field', ['kind', 'parts', 'part_kind', 'state', 'usage', 'content', 'provider_details', 'id'])
@pytest.mark.parametrize('kind', ['request', 'response'])
def test_json_of_any_shape_is_a_history_or_a_validation_error(kind: str, field: str, odd: Any) -> None:
    part = {'part_kind': 'user-prompt' if kind == 'request' else 'text', 'content': 'x'}
    stored = {'kind': kind, 'parts': [part | ({field: odd} if field in ('part_kind', 'content', 'id') else {})]}
    stored |= {} if field in ('part_kind', 'content', 'id') else {field: odd}
    with suppress(ValidationError):
        ModelMessagesTypeAdapter.validate_json(json.dumps([stored]))


def test_a_stored_history_cannot_permit_local_downloads() -> None:
    url = ImageUrl('http://127.0.0.1/x.png', force_download='allow-local')
    history: list[ModelMessage] = [ModelRequest([UserPromptPart(['look', url])])]
    for loaded in (
        ModelMessagesTypeAdapter.validate_json(ModelMessagesTypeAdapter.dump_json(history)),
        ModelMessagesTypeAdapter.validate_python(ModelMessagesTypeAdapter.dump_python(history)),
    ):
        part = loaded[0].parts[0]
        assert isinstance(part, UserPromptPart)
        assert isinstance(part.content[1], ImageUrl)
        assert part.content[1].force_download is True


# ---------------------------------------------------------------------- messages that need no translation

STRANGE_FIELDS: dict[str, Any] = {
    'context_id': 'a',
    'citations': [{'url': 'https://a'}],
    'force_download': 'allow-local',
    'cache_write_1h_tokens': 3,
    'part_kind': 'speech',
    'timestamp': None,
    'tool_call_id': None,
    'usage': None,
    'warnings': None,
    'details': {'reasoning_tokens': 5},
}


def load(message: dict[str, Any]) -> object:
    """Return the message that a stored one becomes, or that it is invalid."""
    try:
        return ModelMessagesTypeAdapter.validate_python([message])
    except ValidationError:
        return None


def as_read_only(message: dict[str, Any]) -> dict[str, Any]:
    """Return the message with parts that no fast path knows."""
    return {**message, 'parts': [MappingProxyType(part) for part in message['parts']]}


EACH_KIND: list[ModelMessage] = [
    ModelRequest([SystemPromptPart('a'), SystemPromptPart(''), UserPromptPart('b')], timestamp=NOW),
    ModelRequest([UserPromptPart(['c', TextContent('d')])], timestamp=NOW),
    ModelRequest([ToolReturnPart('look', {'a': 1}, 'call_1'), RetryPromptPart('e', tool_name='look')], timestamp=NOW),
    ModelResponse(
        [TextPart('f'), ThinkingPart('g'), ToolCallPart('look', {}, 'call_1')],
        usage=RequestUsage(input_tokens=1),
    ),
    ModelResponse([FilePart(AUDIO_FILE), CompactionPart('i'), NativeToolCallPart('h', {}, 'call_2')]),
]


def test_messages_of_ours_are_read_as_translated_ones_are() -> None:
    for message in ModelMessagesTypeAdapter.dump_python(EACH_KIND, mode='json'):
        assert load(message) == load(as_read_only(message)) is not None
        for place in (message, *message['parts'], message.get('usage', {})):
            for name in {*place, *STRANGE_FIELDS} - {'parts', 'kind'}:
                before = dict(place)
                place.pop(name, None)
                if 'timestamp' in message:  # otherwise the time of a message is that of its loading
                    assert load(message) == load(as_read_only(message)), (message, name)
                place[name] = STRANGE_FIELDS.get(name)
                if message['timestamp'] is not None:
                    assert load(message) == load(as_read_only(message)), (message, name)
                place.clear()
                place.update(before)


@given(histories)
def test_random_messages_of_ours_are_read_as_translated_ones_are(history: list[ModelMessage]) -> None:
    for message in ModelMessagesTypeAdapter.dump_python(history, mode='json'):
        assert load(message) == load(as_read_only(message))
