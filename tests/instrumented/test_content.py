"""The content of messages: off by default, in the JSON form of the conventions, redacted, without bytes of files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel

from pydantic_llm import Agent, BinaryContent, ImageUrl, ToolReturn
from pydantic_llm.direct import model_request, model_request_stream
from pydantic_llm.exceptions import ContentFilterError, UnexpectedModelBehavior, UserError
from pydantic_llm.messages import (
    CachePoint,
    CompactionPart,
    DocumentUrl,
    FilePart,
    ModelMessage,
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
    UploadedFile,
    UserPromptPart,
)
from pydantic_llm.models import ModelRequestParameters
from pydantic_llm.models.function import FunctionModel
from pydantic_llm.models.instrumented import InstrumentationSettings, InstrumentedModel
from pydantic_llm.models.instrumented.content import ContentEncoder
from pydantic_llm.models.test import TestModel
from pydantic_llm.native_tools import WebSearchTool
from pydantic_llm.tools import ToolDefinition
from tests.models.scripted import Scripted, unreachable

from .recorder import Recorder, attributes_of

VARIABLE = 'OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT'

IMAGE = BinaryContent(b'\x89PNG secret', media_type='image/png')

REQUEST = ModelRequest(
    [
        SystemPromptPart('Be brief.'),
        UserPromptPart(
            [
                'Look:',
                TextContent('more'),
                CachePoint(),
                IMAGE,
                ImageUrl('https://example.com/a.jpg'),
                DocumentUrl('data:text/plain;base64,c2VjcmV0'),
                UploadedFile('file-1', 'openai', media_type='application/pdf'),
            ]
        ),
        ToolReturnPart('look', {'seen': [IMAGE, b'secret', 1.5, None]}, 'c1'),
        RetryPromptPart('no city', tool_name='look', tool_call_id='c2'),
        RetryPromptPart('empty'),
    ],
    instructions='Speak French.',
)

RESPONSE = ModelResponse(
    [
        ThinkingPart('hm'),
        TextPart('Hello'),
        ToolCallPart('look', '{"city": "Rome"}', 'c3'),
        ToolCallPart('look', '{"city', 'c4'),
        NativeToolCallPart('web_search', {'query': 'x'}, 'c5'),
        NativeToolReturnPart('web_search', {'found': 1}, 'c5'),
        FilePart(IMAGE),
        CompactionPart('so far'),
    ],
    finish_reason='tool_call',
)

BLOB = {'type': 'blob', 'modality': 'image', 'mime_type': 'image/png', 'byte_count': 11}

INPUT = [
    {'role': 'system', 'parts': [{'type': 'text', 'content': 'Be brief.'}]},
    {
        'role': 'user',
        'parts': [
            {'type': 'text', 'content': 'Look:'},
            {'type': 'text', 'content': 'more'},
            BLOB,
            {'type': 'uri', 'modality': 'image', 'mime_type': 'image/jpeg', 'uri': 'https://example.com/a.jpg'},
            {'type': 'blob', 'modality': 'document', 'mime_type': 'text/plain'},
            {'type': 'file', 'modality': 'document', 'mime_type': 'application/pdf', 'file_id': 'file-1'},
        ],
    },
    {
        'role': 'tool',
        'parts': [
            {
                'type': 'tool_call_response',
                'id': 'c1',
                'response': {
                    'seen': [
                        BLOB,
                        {'type': 'blob', 'modality': 'document', 'mime_type': None, 'byte_count': 6},
                        1.5,
                        None,
                    ]
                },
            },
            {'type': 'tool_call_response', 'id': 'c2', 'response': 'no city\n\nCorrect this and try again.'},
        ],
    },
    {'role': 'user', 'parts': [{'type': 'text', 'content': 'empty\n\nCorrect this and try again.'}]},
]

OUTPUT = [
    {
        'role': 'assistant',
        'parts': [
            {'type': 'reasoning', 'content': 'hm'},
            {'type': 'text', 'content': 'Hello'},
            {'type': 'tool_call', 'id': 'c3', 'name': 'look', 'arguments': {'city': 'Rome'}},
            {'type': 'tool_call', 'id': 'c4', 'name': 'look', 'arguments': '{"city'},
            {
                'type': 'server_tool_call',
                'id': 'c5',
                'name': 'web_search',
                'server_tool_call': {'type': 'web_search', 'arguments': {'query': 'x'}},
            },
            {
                'type': 'server_tool_call_response',
                'id': 'c5',
                'server_tool_call_response': {'type': 'web_search', 'content': {'found': 1}},
            },
            BLOB,
            {'type': 'compaction', 'content': 'so far'},
        ],
        'finish_reason': 'tool_call',
    }
]

PARAMETERS = ModelRequestParameters(
    function_tools=[ToolDefinition('look', {'type': 'object', 'properties': {}}, 'Look at a city.')],
    native_tools=[WebSearchTool()],
)

TOOLS = [
    {
        'type': 'function',
        'name': 'look',
        'description': 'Look at a city.',
        'parameters': {'type': 'object', 'properties': {}},
    },
    {'type': 'web_search', 'name': 'web_search'},
]

CONTENT = {
    'gen_ai.system_instructions': [{'type': 'text', 'content': 'Speak French.'}],
    'gen_ai.input.messages': INPUT,
    'gen_ai.output.messages': OUTPUT,
    'gen_ai.tool.definitions': TOOLS,
}


def respond(messages: object, info: object) -> ModelResponse:
    return RESPONSE


async def send(settings: InstrumentationSettings) -> None:
    await InstrumentedModel(FunctionModel(respond), settings).request([REQUEST], None, PARAMETERS)


def text_of(recorder: Recorder) -> str:
    """Everything that was recorded, as text."""
    return f'{[span.to_json() for span in recorder.spans]} {recorder.events()}'


async def test_by_default_no_content_is_recorded(recorder: Recorder) -> None:
    await send(recorder.settings())
    recorded = text_of(recorder)
    words = ['brief', 'Look', 'French', 'Hello', 'Rome', 'secret', 'example.com', 'so far', 'file-1']
    assert [word for word in words if word in recorded] == []
    assert recorder.events() == []


async def test_content_on_spans_is_json_in_the_form_of_the_conventions(recorder: Recorder) -> None:
    await send(recorder.settings(include_content=True))
    found = {name: json.loads(value) for name, value in recorder.attributes.items() if name in CONTENT}
    assert found == CONTENT
    assert recorder.events() == []


async def test_content_in_events_is_structured_and_has_the_attributes_of_the_span(recorder: Recorder) -> None:
    await send(recorder.settings(include_content='event'))
    [(name, attributes)] = recorder.events()
    assert name == 'gen_ai.client.inference.operation.details'
    assert json.loads(json.dumps({key: attributes[key] for key in CONTENT})) == CONTENT
    assert {**attributes, **recorder.attributes} == attributes | {'gen_ai.response.finish_reasons': ('tool_call',)}
    assert CONTENT.keys() & recorder.attributes.keys() == set()


async def test_content_can_be_in_both(recorder: Recorder) -> None:
    await send(recorder.settings(include_content='span_and_event'))
    assert CONTENT.keys() <= recorder.attributes.keys()
    assert len(recorder.events()) == 1


@pytest.mark.parametrize(
    ('value', 'content'),
    [
        ('', False),
        ('false', False),
        ('NO_CONTENT', False),
        ('true', 'span'),
        ('SPAN_ONLY', 'span'),
        ('event_only', 'event'),
        ('SPAN_AND_EVENT', 'span_and_event'),
    ],
)
def test_the_environment_variable_of_other_instrumentations_is_the_default(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch, value: str, content: object
) -> None:
    monkeypatch.setenv(VARIABLE, value)
    assert recorder.settings().include_content == content
    assert recorder.settings(include_content=False).include_content is False


def test_an_unknown_value_of_the_variable_is_a_warning_and_records_nothing(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, 'SPANS')
    with pytest.warns(UserWarning, match="is 'SPANS'.*SPAN_ONLY"):
        assert recorder.settings().include_content is False


@pytest.mark.parametrize(
    'options', [{'include_content': 'spans'}, {'include_binary_content': 1}, {'redact': 'x'}], ids=str
)
def test_a_wrong_option_is_an_error_that_names_it(recorder: Recorder, options: dict[str, Any]) -> None:
    with pytest.raises(UserError, match=next(iter(options))):
        recorder.settings(**options)


def test_files_have_their_bytes_only_if_the_settings_include_them(recorder: Recorder) -> None:
    encoder = ContentEncoder(recorder.settings(include_binary_content=True))
    assert encoder.encode_value(IMAGE) == {
        'type': 'blob',
        'modality': 'image',
        'mime_type': 'image/png',
        'content': IMAGE.base64,
    }


def test_files_in_any_value_of_a_tool_are_not_inlined(recorder: Recorder) -> None:
    @dataclass
    class Data:
        image: BinaryContent

    class Model(BaseModel):
        image: BinaryContent
        raw: bytes

    encoder = ContentEncoder(recorder.settings())
    value = [Data(IMAGE), Model(image=IMAGE, raw=b'secret'), {'x': (IMAGE,)}, {IMAGE.media_type}, Data]
    encoded = encoder.encode_value(value)
    assert encoded[0] == {'image': BLOB}
    assert encoded[1]['image'] == BLOB
    assert encoded[2] == {'x': [BLOB]}
    assert 'secret' not in json.dumps(encoded)
    assert IMAGE.base64 not in json.dumps(encoded)


def test_any_value_can_be_recorded(recorder: Recorder) -> None:
    encoder = ContentEncoder(recorder.settings())
    nested: list[Any] = []
    nested.append(nested)
    for value in (nested, object(), float('nan'), {1: 2}, {(1, 2): object}, ValueError('x'), '\ud800', range(3)):
        json.dumps(encoder.encode_value(value))


async def test_each_recorded_text_is_redacted(recorder: Recorder) -> None:
    seen: list[str] = []

    def redact(text: str) -> str:
        seen.append(text)
        return '***'

    await send(recorder.settings(include_content='span_and_event', redact=redact))
    recorded = text_of(recorder)
    words = ['brief', 'Look', 'French', 'Hello', 'Rome', 'secret', 'example.com', 'so far']
    assert [word for word in words if word in recorded] == []
    assert {'Be brief.', 'Speak French.', 'Hello', 'Rome', 'https://example.com/a.jpg', 'Look at a city.'} <= {*seen}


async def test_error_messages_are_redacted(recorder: Recorder) -> None:
    settings = recorder.settings(redact=lambda text: text.replace('refused', '***'))
    with pytest.raises(Exception, match='refused'):
        await model_request(InstrumentedModel(Scripted('m', [unreachable()]), settings), 'hello')
    assert 'refused' not in text_of(recorder)
    assert 'connection ***' in text_of(recorder)


async def test_a_redaction_that_fails_records_no_text_and_does_not_fail_the_request(recorder: Recorder) -> None:
    def fail(text: str) -> str:
        raise ValueError(text)

    await send(recorder.settings(include_content=True, redact=fail))
    recorded = text_of(recorder)
    assert 'Hello' not in recorded
    assert '[the redaction failed]' in recorded


@pytest.mark.parametrize('error', [UnexpectedModelBehavior('got "secret"'), ContentFilterError('"secret" is bad')])
async def test_the_message_of_an_error_that_quotes_content_is_content(recorder: Recorder, error: Exception) -> None:
    for options, is_recorded in (({}, False), ({'include_content': True}, True)):
        recorder.clear()
        with pytest.raises(type(error)):
            await model_request(InstrumentedModel(Scripted('m', [error]), recorder.settings(**options)), 'hello')
        assert ('secret' in text_of(recorder)) is is_recorded
        assert type(error).__name__ in text_of(recorder)


async def test_the_content_of_a_failed_request_is_what_was_sent(recorder: Recorder) -> None:
    model = InstrumentedModel(Scripted('m', [unreachable()]), recorder.settings(include_content='span_and_event'))
    with pytest.raises(Exception, match='refused'):
        await model_request(model, 'hello')
    assert json.loads(recorder.attributes['gen_ai.input.messages'])[0]['parts'][0]['content'] == 'hello'
    assert 'gen_ai.output.messages' not in recorder.attributes
    assert [name for name, _ in recorder.events()] == [
        'gen_ai.client.operation.exception',
        'gen_ai.client.inference.operation.details',
    ]


async def test_the_content_of_a_stream_that_fails_has_what_arrived(recorder: Recorder) -> None:
    model = InstrumentedModel(Scripted('m', ['so far', unreachable()]), recorder.settings(include_content=True))

    async def read() -> None:
        async with model_request_stream(model, 'hello') as stream:
            async for _ in stream:
                pass

    with pytest.raises(Exception, match='refused'):
        await read()
    [output] = json.loads(recorder.attributes['gen_ai.output.messages'])
    assert (output['parts'][0]['content'], output['finish_reason']) == ('so far', 'interrupted')


async def test_an_agent_records_the_content_of_its_run_and_tool_calls(recorder: Recorder) -> None:
    agent = Agent(TestModel(), instructions='Be kind.', name='a', instrument=recorder.settings(include_content=True))

    @agent.tool_plain
    def draw(city: str) -> ToolReturn:
        return ToolReturn([IMAGE, {'city': city}], content='Look at it.')

    result = await agent.run('hello')
    tool = attributes_of(recorder.named('execute_tool draw'))
    assert json.loads(tool['gen_ai.tool.call.arguments']) == {'city': 'a'}
    assert json.loads(tool['gen_ai.tool.call.result']) == [BLOB, {'city': 'a'}]
    run = attributes_of(recorder.named('invoke_agent a'))
    assert json.loads(run['gen_ai.system_instructions']) == [{'type': 'text', 'content': 'Be kind.'}]
    roles = [message['role'] for message in json.loads(run['gen_ai.input.messages'])]
    assert roles == ['user', 'assistant', 'tool', 'user']
    [output] = json.loads(run['gen_ai.output.messages'])
    assert output['parts'] == [{'type': 'text', 'content': result.output}]
    assert json.loads(run['gen_ai.tool.definitions'])[0]['name'] == 'draw'


def test_a_response_without_a_finish_reason_has_its_state_there(recorder: Recorder) -> None:
    encoder = ContentEncoder(recorder.settings())
    history: list[ModelMessage] = [ModelResponse([TextPart('x')], state='interrupted')]
    assert encoder.encode_output(ModelResponse([TextPart('x')], state='interrupted'))[0]['finish_reason'] == (
        'interrupted'
    )
    assert encoder.encode_input(history) == [{'role': 'assistant', 'parts': [{'type': 'text', 'content': 'x'}]}]
