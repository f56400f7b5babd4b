"""The playground's requests, without its page."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from operator import itemgetter
from typing import Any

import pytest
from starlette.testclient import TestClient

from pydantic_llm.exceptions import UserError
from pydantic_llm.messages import (
    BinaryContent,
    ModelMessage,
    ModelResponse,
    TextPart,
    ToolCallPart,
    ToolReturn,
    UserPromptPart,
)
from pydantic_llm.models.function import AgentInfo, DeltaThinkingPart, DeltaToolCall, FunctionModel
from pydantic_llm.models.openai import OpenAIChatModel
from pydantic_llm.models.test import TestModel
from pydantic_llm.providers.openai import OpenAIProvider
from pydantic_llm.serve import GatewayKey, LocalServer, create_app

KEY = 'the-key-of-the-server'
HEADERS = {'authorization': f'Bearer {KEY}'}


def temperature(city: str) -> float:
    """The temperature in a city, in degrees Celsius."""
    return -3.0


def broken(city: str) -> str:
    """Always fails."""
    raise ValueError(city)


async def report_weather(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[Any]:
    if isinstance(messages[-1].parts[-1], UserPromptPart):
        yield {0: DeltaThinkingPart(content='The weather.')}
        yield {1: DeltaToolCall(name='temperature', json_args='{"city": ', tool_call_id='call-1')}
        yield {1: DeltaToolCall(json_args='"Oslo"}')}
    else:
        yield 'It is '
        yield 'cold.'


def make_client(model: Any = None, **options: Any) -> TestClient:
    options = {'playground': [temperature], **options}
    app = create_app(model or FunctionModel(stream_function=report_weather), **options)
    return TestClient(app, base_url='http://127.0.0.1')


def ask(client: TestClient, prompt: str = 'How is the weather?', **fields: Any) -> list[Any]:
    model = client.get('/playground/models', headers=HEADERS).json()['models'][0]
    response = client.post('/playground/ask', json={'model': model, 'prompt': prompt, **fields}, headers=HEADERS)
    assert response.status_code == 200, response.text
    return [json.loads(line) for line in response.text.splitlines()]


def test_a_response_is_sent_as_it_happens() -> None:
    lines = ask(make_client(), tools=['temperature'])
    assert lines[:6] == [
        {'kind': 'part', 'index': 0, 'part': 'thinking', 'text': 'The weather.'},
        {'kind': 'part', 'index': 1, 'part': 'call', 'id': 'call-1', 'name': 'temperature', 'text': '{"city": '},
        {'kind': 'delta', 'index': 1, 'text': '"Oslo"}'},
        {'kind': 'result', 'id': 'call-1', 'name': 'temperature', 'text': '-3.0', 'failed': False},
        {'kind': 'part', 'index': 0, 'part': 'text', 'text': 'It is '},
        {'kind': 'delta', 'index': 0, 'text': 'cold.'},
    ]
    assert [line['kind'] for line in lines[6:]] == ['wire', 'end']
    assert lines[-1]['usage']['requests'] == 2
    assert lines[-1]['usage']['output'] > 0


def test_arguments_that_are_objects_are_shown() -> None:
    lines = ask(make_client(TestModel()), tools=['temperature'])
    assert lines[:2] == [
        {'kind': 'part', 'index': 0, 'part': 'call', 'id': lines[0]['id'], 'name': 'temperature', 'text': ''},
        {'kind': 'delta', 'index': 0, 'text': '{"city":"a"}', 'replaces': True},
    ]


def test_the_messages_of_a_response_continue_the_conversation() -> None:
    def count_messages(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        return ModelResponse([TextPart(f'{len(messages)} messages')])

    client = make_client(FunctionModel(count_messages))
    first = ask(client)
    second = ask(client, 'And now?', history=first[-1]['messages'])
    assert [line['text'] for line in (first[0], second[0])] == ['1 messages', '3 messages']


def test_a_stopped_response_continues_the_conversation() -> None:
    history = [
        {'kind': 'request', 'parts': [{'part_kind': 'user-prompt', 'content': 'Hi'}]},
        {'kind': 'response', 'parts': [{'part_kind': 'text', 'content': 'He'}], 'state': 'interrupted'},
    ]
    assert ask(make_client(TestModel()), 'Go on', history=history)[-1]['kind'] == 'end'


def test_the_exchange_with_the_vendor_is_shown_without_a_key() -> None:
    with LocalServer(create_app(TestModel(custom_output_text='Hello'))) as url:
        provider = OpenAIProvider(api_key='sk-the-key-of-the-vendor', base_url=f'{url}/v1')
        lines = ask(make_client(OpenAIChatModel('m', provider=provider)))
    [exchange] = lines[-2]['exchanges']
    assert (exchange['method'], exchange['url'], exchange['status']) == ('POST', f'{url}/v1/chat/completions', 200)
    assert json.loads(exchange['request'])['messages'] == [{'role': 'user', 'content': 'How is the weather?'}]
    assert exchange['response'].startswith('data: {')
    assert 'Hello' in exchange['response']
    assert 'sk-the-key' not in json.dumps(lines)


def test_an_error_of_the_vendor_is_shown_with_its_exchange() -> None:
    with LocalServer(create_app(TestModel(), key='another')) as url:
        provider = OpenAIProvider(api_key='wrong', base_url=f'{url}/v1')
        wire, end = ask(make_client(OpenAIChatModel('m', provider=provider)))
    assert (end['kind'], end['type']) == ('error', 'AuthenticationError')
    assert wire['exchanges'][0]['request']
    assert 'AuthenticationError' in wire['exchanges'][0]['error']


def test_a_failed_tool_is_shown() -> None:
    def call_then_stop(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        return ModelResponse([ToolCallPart('temperature', {'town': 1}, 'c') if len(messages) == 1 else TextPart('No.')])

    lines = ask(make_client(FunctionModel(call_then_stop)), tools=['temperature'])
    [result] = [line for line in lines if line['kind'] == 'result']
    assert result['failed']


def test_a_bug_in_a_tool_is_an_error_of_the_response() -> None:
    def call(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        return ModelResponse([ToolCallPart('broken', {'city': 'Oslo'}, 'c')])

    lines = ask(make_client(FunctionModel(call), playground=[broken]), tools=['broken'])
    assert lines[-1]['kind'] == 'error'
    assert lines[-1]['type'] == 'ValueError'


@pytest.mark.parametrize(
    ('fields', 'message'),
    [
        ({'prompt': 1}, 'prompt: Input should be a valid string'),
        ({'tools': ['rm']}, "The playground has no tools 'rm'"),
        ({'unknown': 1}, 'unknown: Extra inputs are not permitted'),
        ({'files': [{'name': 'a', 'media_type': 'image/png', 'data': '%'}]}, 'files.0.data'),
    ],
)
def test_a_wrong_question_is_refused(fields: dict[str, Any], message: str) -> None:
    response = make_client().post('/playground/ask', json={'model': 'm', 'prompt': 'Hi', **fields})
    assert response.status_code == 400
    assert message in response.json()['message']


@pytest.mark.parametrize(
    ('fields', 'message'),
    [
        ({'settings': {'temperature': 'hot'}}, 'temperature'),
        ({'history': [{'kind': 'request', 'parts': 1}]}, 'history'),
        ({'prompt': ''}, 'prompt is empty'),
    ],
)
def test_a_question_that_the_model_cannot_get_is_an_error(fields: dict[str, Any], message: str) -> None:
    client = make_client()
    fields = {'prompt': 'Hi', **fields}
    [_, end] = ask(client, **fields)
    assert end['kind'] == 'error'
    assert message in end['message']


def test_a_key_is_needed_and_counted() -> None:
    key = GatewayKey('team', KEY, models=['weather'])
    models = {'weather': FunctionModel(stream_function=report_weather), 'other': TestModel()}
    client = make_client(models, keys=[key])
    assert client.get('/playground').status_code == 200
    assert client.get('/playground/models').status_code == 401
    assert client.post('/playground/ask', json={'model': 'weather', 'prompt': 'Hi'}).status_code == 401
    assert client.get('/playground/models', headers=HEADERS).json()['models'] == ['weather']
    refused = client.post('/playground/ask', json={'model': 'other', 'prompt': 'Hi'}, headers=HEADERS)
    assert refused.status_code == 403


def test_the_budget_of_a_key_holds() -> None:
    client = make_client(keys=[GatewayKey('team', KEY, tokens_per_day=300)])
    settings = {'max_tokens': 5}
    assert ask(client, settings=settings)[-1]['kind'] == 'end'
    [_, end] = ask(client, 'How is the weather? ' * 100, settings=settings)
    assert end['type'] == 'QuotaExceededError'


def test_pages_of_other_sites_reach_nothing() -> None:
    response = make_client().post(
        '/playground/ask', json={'model': 'm', 'prompt': 'Hi'}, headers={'origin': 'https://evil.example'}
    )
    assert response.status_code == 403


def test_there_is_no_playground_unless_it_is_asked_for() -> None:
    assert TestClient(create_app(TestModel()), base_url='http://127.0.0.1').get('/playground').status_code == 404


def test_files_outside_the_playground_are_not_sent() -> None:
    assert make_client().get('/playground/routes.py').status_code == 404
    assert make_client().get('/playground/..%2fapp.py').status_code == 404


@pytest.mark.parametrize('playground', ['yes', [3], {'a': temperature}, [temperature, temperature]])
def test_wrong_tools_are_refused(playground: Any) -> None:
    with pytest.raises(UserError, match='playground'):
        create_app(TestModel(), playground=playground)


def test_half_a_character_is_replaced_and_the_response_goes_on() -> None:
    def half(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        return ModelResponse([TextPart('a\ud800b')])

    first, *_, end = ask(make_client(FunctionModel(half)))
    assert first['text'] == 'a\ufffdb'
    assert end['kind'] == 'end'


def draw() -> BinaryContent:
    """Draws."""
    return BinaryContent(b'\x89PNG', media_type='image/png')


def draw_and_tell() -> list[Any]:
    """Draws, and returns a text."""
    return ['See the image.', draw()]


def draw_beside() -> ToolReturn:
    """Returns a text, and adds an image after it."""
    return ToolReturn('Drawn.', content=['This is it:', draw()])


def test_the_files_of_tools_are_shown_as_files() -> None:
    tools = [draw, draw_and_tell, draw_beside]
    lines = ask(make_client(TestModel(), playground=tools), tools=[tool.__name__ for tool in tools])
    file = {'media_type': 'image/png', 'data': 'iVBORw=='}
    results = [(line['name'], line['text'], line['files']) for line in lines if line['kind'] == 'result']
    # the tools run at the same time
    assert sorted(results, key=itemgetter(0)) == [
        ('draw', '', [file]),
        ('draw_and_tell', 'See the image.', [file]),
        ('draw_beside', 'Drawn.', [file]),
    ]


async def test_a_client_that_reads_nothing_and_goes_frees_the_stream() -> None:
    has_ended = asyncio.Event()

    async def stream(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[str]:
        try:
            while True:
                yield 'word '
        finally:
            has_ended.set()

    app = create_app(FunctionModel(stream_function=stream), playground=True)
    body = json.dumps({'model': 'm', 'prompt': 'Hi'}).encode()
    gone = asyncio.Event()
    incoming = iter([{'type': 'http.request', 'body': body, 'more_body': False}])

    async def receive() -> Any:
        if (message := next(incoming, None)) is None:
            await gone.wait()
            return {'type': 'http.disconnect'}
        return message

    async def send(message: Any) -> None:
        if message['type'] == 'http.response.body':
            gone.set()
            await asyncio.Event().wait()

    headers = [(b'host', b'127.0.0.1'), (b'content-type', b'application/json')]
    scope = {'type': 'http', 'method': 'POST', 'path': '/playground/ask', 'headers': headers, 'query_string': b''}
    await asyncio.wait_for(app({**scope, 'http_version': '1.1', 'scheme': 'http'}, receive, send), 10)
    assert has_ended.is_set()
