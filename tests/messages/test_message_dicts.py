"""Conversations as dicts of Chat Completions and of the Messages API: to messages and back."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from anthropic.types import Message
from hypothesis import given, settings, strategies as st
from openai.types.chat import ChatCompletionMessage

from pydantic_llm import (
    Agent,
    messages_from_anthropic,
    messages_from_openai,
    messages_to_anthropic,
    messages_to_openai,
)
from pydantic_llm.direct import model_request_sync
from pydantic_llm.exceptions import UserError
from pydantic_llm.messages import (
    BinaryContent,
    ImageUrl,
    ModelMessage,
    ModelMessagesTypeAdapter,
    ModelRequest,
    ModelResponse,
    NativeToolCallPart,
    RetryPromptPart,
    SystemPromptPart,
    TextContent,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UploadedFile,
    UserPromptPart,
)
from tests.agent.scripted import outline
from tests.wire.folder import FOUND, MISSING
from tests.wire.recordings import exchanges

Json = dict[str, Any]

CALL: Json = {'id': 'c1', 'type': 'function', 'function': {'name': 'look', 'arguments': '{"a": 1}'}}

OPENAI: list[Json] = [
    {'role': 'system', 'content': 'Be kind.'},
    {'role': 'user', 'name': 'Ann', 'content': [{'type': 'text', 'text': 'Hello'}]},
    {
        'role': 'user',
        'content': [
            {'type': 'text', 'text': 'Look.'},
            {'type': 'image_url', 'image_url': {'url': 'https://a.example/b.png', 'detail': 'low'}},
            {'type': 'image_url', 'image_url': {'url': 'data:image/png;base64,QUFB'}},
            {'type': 'input_audio', 'input_audio': {'data': 'QUFB', 'format': 'mp3'}},
            {'type': 'file', 'file': {'file_data': 'data:application/pdf;base64,QUFB', 'filename': 'a.pdf'}},
            {'type': 'file', 'file': {'file_id': 'file-1'}},
        ],
    },
    {'role': 'assistant', 'reasoning': 'Hm.', 'tool_calls': [CALL], 'content': 'I look.'},
    {'role': 'tool', 'tool_call_id': 'c1', 'content': 'done'},
    {'role': 'assistant', 'content': 'A cat.'},
    {'role': 'user', 'content': 'Thanks.'},
]

ANTHROPIC: list[Json] = [
    {
        'role': 'user',
        'content': [
            {'type': 'text', 'text': 'Look.'},
            {'type': 'image', 'source': {'type': 'base64', 'media_type': 'image/png', 'data': 'QUFB'}},
            {'type': 'image', 'source': {'type': 'url', 'url': 'https://a.example/b.png'}},
            {'type': 'document', 'source': {'type': 'file', 'file_id': 'file-1'}},
        ],
    },
    {
        'role': 'assistant',
        'content': [
            {'type': 'thinking', 'thinking': 'Hm.', 'signature': 'c2VhbA=='},
            {'type': 'text', 'text': 'I look.'},
            {'type': 'tool_use', 'id': 't1', 'name': 'look', 'input': {'a': 1}},
        ],
    },
    {
        'role': 'user',
        'content': [
            {
                'type': 'tool_result',
                'tool_use_id': 't1',
                'content': [{'type': 'text', 'text': 'No.'}],
                'is_error': True,
            },
            {'type': 'text', 'text': 'And now?'},
        ],
    },
]

# ------------------------------------------------------------------------------------------------------ every content


def test_a_conversation_of_openai_becomes_messages_and_the_same_dicts_again() -> None:
    messages = messages_from_openai(OPENAI)
    assert outline(messages)[1:] == [
        [('thinking', 'Hm.'), ('text', 'I look.'), ('call', 'look', '{"a": 1}', 'c1')],
        [('return', 'look', 'done', 'c1', 'success')],
        [('text', 'A cat.')],
        [('user', 'Thanks.')],
    ]
    system, named, files = messages[0].parts
    assert isinstance(system, SystemPromptPart)
    assert isinstance(named, UserPromptPart)
    assert isinstance(files, UserPromptPart)
    assert (system.content, named.content) == ('Be kind.', [TextContent('Hello', metadata={'openai_name': 'Ann'})])
    kinds = [str, ImageUrl, BinaryContent, BinaryContent, BinaryContent, UploadedFile]
    assert [type(item) for item in files.content] == kinds
    assert messages_to_openai(messages) == OPENAI


def test_a_conversation_of_anthropic_becomes_messages_and_the_same_dicts_again() -> None:
    messages = messages_from_anthropic(ANTHROPIC, system='Be kind.')
    assert outline(messages)[1:] == [
        [('thinking', 'Hm.'), ('text', 'I look.'), ('call', 'look', {'a': 1}, 't1')],
        [('return', 'look', 'No.', 't1', 'failed'), ('user', 'And now?')],
    ]
    assert outline(messages)[0][0] == ('system', 'Be kind.')
    assert messages_to_anthropic(messages) == (ANTHROPIC, 'Be kind.')


def test_older_and_rarer_forms_of_openai_are_read() -> None:
    given: list[Json] = [
        {'role': 'developer', 'content': [{'type': 'text', 'text': 'Be '}, {'type': 'text', 'text': 'kind.'}]},
        {'role': 'user', 'content': 'Hello'},
        {'role': 'assistant', 'content': None, 'function_call': {'name': 'look', 'arguments': '{}'}},
        {'role': 'function', 'name': 'look', 'content': '7'},
        {'role': 'assistant', 'content': None, 'refusal': 'I cannot say.'},
        {'role': 'assistant', 'content': [{'type': 'refusal', 'refusal': 'Nor that.'}]},
    ]
    assert outline(messages_from_openai(given)) == [
        [('system', 'Be kind.'), ('user', 'Hello')],
        [('call', 'look', '{}', 'call_1')],
        [('return', 'look', '7', 'call_1', 'success')],
        [('text', 'I cannot say.')],
        [('text', 'Nor that.')],
    ]


def test_the_images_of_a_tool_result_are_read() -> None:
    image = {'type': 'image_url', 'image_url': {'url': 'data:image/png;base64,QUFB'}}
    content = [{'type': 'text', 'text': 'Seen:'}, image]
    call: Json = {'role': 'assistant', 'tool_calls': [CALL]}
    [_, request] = messages_from_openai([call, {'role': 'tool', 'tool_call_id': 'c1', 'content': content}])
    [result] = request.parts
    assert isinstance(result, ToolReturnPart)
    assert result.content == ['Seen:', BinaryContent(b'AAA', media_type='image/png')]


def test_instructions_and_retries_are_written() -> None:
    messages: list[ModelMessage] = [
        ModelRequest([UserPromptPart('Hello')], instructions='Be kind.'),
        ModelResponse([ToolCallPart('look', {'a': 1}, 'c1')]),
        ModelRequest([RetryPromptPart('No.', tool_name='look', tool_call_id='c1')], instructions='Be kind.'),
    ]
    assert messages_to_openai(messages) == [
        {'role': 'system', 'content': 'Be kind.'},
        {'role': 'user', 'content': 'Hello'},
        {
            'role': 'assistant',
            'content': None,
            'tool_calls': [
                {'id': 'c1', 'type': 'function', 'function': {'name': 'look', 'arguments': '{"a":1}'}},
            ],
        },
        {'role': 'tool', 'tool_call_id': 'c1', 'content': 'No.\n\nCorrect this and try again.'},
    ]
    turns, system = messages_to_anthropic(messages)
    assert (turns[2]['content'][0]['is_error'], system) == (True, [{'type': 'text', 'text': 'Be kind.'}])


def test_objects_of_the_vendors_clients_are_read() -> None:
    message = ChatCompletionMessage.model_validate({'role': 'assistant', 'content': 'Hi', 'tool_calls': [CALL]})
    assert outline(messages_from_openai([OPENAI[0], message]))[1] == [
        ('text', 'Hi'),
        ('call', 'look', '{"a": 1}', 'c1'),
    ]
    response = Message.model_validate(
        {
            'id': 'm',
            'type': 'message',
            'role': 'assistant',
            'model': 'c',
            'content': ANTHROPIC[1]['content'],
            'stop_reason': 'tool_use',
            'stop_sequence': None,
            'usage': {'input_tokens': 1, 'output_tokens': 1},
        }
    )
    turns = [ANTHROPIC[0], {'role': 'assistant', 'content': response.content}]
    assert messages_from_anthropic(turns)[1].parts == messages_from_anthropic(ANTHROPIC)[1].parts


@pytest.mark.filterwarnings('error')
def test_a_tool_call_at_the_end_stays_without_a_result() -> None:
    assert messages_to_openai(messages_from_openai(OPENAI[:4])) == OPENAI[:4]
    assert messages_to_anthropic(messages_from_anthropic(ANTHROPIC[:2])) == (ANTHROPIC[:2], None)


def test_thinking_of_another_vendor_is_written_and_what_has_no_place_is_warned_of() -> None:
    thinking = ThinkingPart('Hm.', signature='c2VhbA==', provider_name='anthropic')
    native = NativeToolCallPart('web_search', {'query': 'cats'}, provider_name='anthropic')
    messages: list[ModelMessage] = [ModelRequest.user_text_prompt('Hello'), ModelResponse([thinking, TextPart('Hi')])]
    assert messages_to_openai(messages)[1] == {'role': 'assistant', 'reasoning_content': 'Hm.', 'content': 'Hi'}
    messages[1] = ModelResponse([native, TextPart('Hi')])
    with pytest.warns(UserWarning, match='web_search'):
        assert messages_to_openai(messages)[1] == {'role': 'assistant', 'content': 'Hi'}


# ------------------------------------------------------------------------------------------------------- wrong values


@pytest.mark.parametrize('read', [messages_from_openai, messages_from_anthropic])
@pytest.mark.parametrize(
    'wrong',
    ['Hello', {'role': 'user'}, 7, [7], [{}], [{'role': 'nobody', 'content': 'Hi'}], [{'role': 'user', 'content': 7}]],
    ids=str,
)
def test_what_is_no_conversation_is_refused(read: Any, wrong: Any) -> None:
    with pytest.raises(UserError):
        read(wrong)


def test_content_that_the_other_api_cannot_have_is_refused() -> None:
    with pytest.raises(UserError, match='cannot take'):
        messages_to_anthropic(messages_from_openai(OPENAI))


def test_a_history_of_dicts_is_an_error_that_names_the_converters() -> None:
    agent = Agent('test')
    for send in (
        lambda: agent.run_sync('Hi', message_history=OPENAI),  # type: ignore[arg-type]
        lambda: agent.run_sync('Hi', message_history=OPENAI[0]),  # type: ignore[arg-type]
        lambda: model_request_sync('test', OPENAI),  # type: ignore[arg-type]
    ):
        with pytest.raises(UserError, match=r'messages_from_openai\(\).*messages_from_anthropic\(\)'):
            send()
    stored = ModelMessagesTypeAdapter.dump_python(messages_from_openai(OPENAI))
    with pytest.raises(UserError, match='ModelMessagesTypeAdapter'):
        agent.run_sync('Hi', message_history=stored)


# -------------------------------------------------------------------------------------------------------- round trips

texts = st.text('abc äß漢.', min_size=1).map(lambda text: f'x{text}x')
arguments = st.dictionaries(texts, st.none() | st.booleans() | st.integers(-9, 9) | texts, max_size=3)


@st.composite
def openai_conversations(draw: st.DrawFn) -> list[Json]:
    """Draw a conversation in the one form in which `messages_to_openai` writes it."""
    messages: list[Json] = [{'role': 'system', 'content': draw(texts)}] if draw(st.booleans()) else []
    for turn in range(draw(st.integers(1, 3))):
        parts = [{'type': 'text', 'text': draw(texts)}, OPENAI[2]['content'][draw(st.integers(1, 5))]]
        messages.append({'role': 'user', 'content': parts if draw(st.booleans()) else draw(texts)})
        answer: Json = {'role': 'assistant', 'content': draw(texts)}
        if draw(st.booleans()):
            answer['reasoning_content'] = draw(texts)
        calls = [
            {'id': f'{turn}-{n}', 'type': 'function', 'function': {'name': 'look', 'arguments': json.dumps(args)}}
            for n, args in enumerate(draw(st.lists(arguments, max_size=2)))
        ]
        if calls:
            answer['tool_calls'] = calls
        messages.append(answer)
        messages += [{'role': 'tool', 'tool_call_id': call['id'], 'content': draw(texts)} for call in calls]
    return messages


@settings(max_examples=50)
@given(openai_conversations())
def test_dicts_of_openai_survive_the_round_trip(conversation: list[Json]) -> None:
    assert messages_to_openai(messages_from_openai(conversation)) == conversation


@st.composite
def anthropic_conversations(draw: st.DrawFn) -> list[Json]:
    """Draw a conversation in the one form in which `messages_to_anthropic` writes it."""
    turns: list[Json] = []
    results: list[Json] = []
    for turn in range(draw(st.integers(1, 3))):
        content = [{'type': 'text', 'text': draw(texts)}, ANTHROPIC[0]['content'][draw(st.integers(1, 3))]]
        turns.append({'role': 'user', 'content': [*results, *content[: draw(st.integers(1, 2))]]})
        calls = [
            {'type': 'tool_use', 'id': f't{turn}_{n}', 'name': 'look', 'input': args}
            for n, args in enumerate(draw(st.lists(arguments, max_size=2)))
        ]
        thinking = {'type': 'thinking', 'thinking': draw(texts), 'signature': 'c2VhbA=='}
        blocks = [*([thinking] if draw(st.booleans()) else []), {'type': 'text', 'text': draw(texts)}, *calls]
        turns.append({'role': 'assistant', 'content': blocks})
        results = [
            {
                'type': 'tool_result',
                'tool_use_id': call['id'],
                'content': [{'type': 'text', 'text': draw(texts)}],
                'is_error': draw(st.booleans()),
            }
            for call in calls
        ]
    return turns


@settings(max_examples=50)
@given(anthropic_conversations(), st.none() | texts)
def test_dicts_of_anthropic_survive_the_round_trip(turns: list[Json], system: str | None) -> None:
    assert messages_to_anthropic(messages_from_anthropic(turns, system=system)) == (turns, system)


ONE_WAY = ('tool_reference', '"compaction"', '"thinking": [', 'document_url', 'cache_control', '"advisor"')
"""What is sent back only by a room that knows the tools of the request, or that is another service's dialect."""


def recorded_bodies() -> Iterator[tuple[str, Json]]:
    """Yield the URL and the body of each recorded request of the two APIs."""
    for case in exchanges('encode'):
        for exchange in case.content()['exchanges']:
            url, body = exchange['request']['url'].partition('?')[0], exchange['request'].get('body')
            if isinstance(body, dict) and 'messages' in body and url.endswith(('/chat/completions', '/messages')):
                yield url, body


@pytest.mark.skipif(not FOUND, reason=MISSING)
def test_recorded_requests_are_the_same_messages_after_a_round_trip() -> None:
    count = 0
    for url, body in recorded_bodies():
        is_anthropic = url.endswith('/messages')
        moves_system = is_anthropic and any(turn['role'] == 'system' for turn in body['messages'])
        if moves_system or any(word in json.dumps(body) for word in ONE_WAY):
            continue
        count += 1
        with warnings.catch_warnings():
            warnings.simplefilter('ignore', UserWarning)
            if is_anthropic:
                first = messages_from_anthropic(body['messages'], body.get('system'))
                second = messages_from_anthropic(*messages_to_anthropic(first))
            else:
                first = messages_from_openai(body['messages'])
                second = messages_from_openai(messages_to_openai(first))
        assert describe(first) == describe(second), body['messages']
    assert count > 300


def describe(messages: list[ModelMessage]) -> Any:
    """Return messages as JSON values, without their times."""

    def drop_times(value: Any) -> Any:
        match value:
            case dict():
                return {key: drop_times(item) for key, item in value.items() if key != 'timestamp'}
            case list():
                return [drop_times(item) for item in value]
            case _:
                return value

    return drop_times(ModelMessagesTypeAdapter.dump_python(messages, mode='json'))


def test_system_prompts_inside_a_conversation_are_kept() -> None:
    messages = messages_from_openai([OPENAI[6], OPENAI[5], {'role': 'system', 'content': 'Be brief.'}, OPENAI[6]])
    assert isinstance(messages[2].parts[0], SystemPromptPart)
    assert messages_to_openai(messages)[2] == {'role': 'system', 'content': 'Be brief.'}
    assert isinstance(messages_from_anthropic(ANTHROPIC)[2].parts[0], ToolReturnPart)
