"""The app without a network: requests, the choice of the model, keys, responses and errors."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from inline_snapshot import snapshot

from pydantic_llm.exceptions import (
    ContentFilterError,
    ModelConnectionError,
    ModelTimeoutError,
    OverloadedError,
    RateLimitError,
    UnexpectedModelBehavior,
    UserError,
)
from pydantic_llm.messages import ModelMessage, ModelRequest, ModelResponse, SystemPromptPart, TextPart, ToolCallPart
from pydantic_llm.models.function import AgentInfo, FunctionModel
from pydantic_llm.models.test.model import TestModel
from pydantic_llm.serve import create_app
from pydantic_llm.serve.protocols import PROTOCOLS
from tests.serve.conftest import Connect
from tests.serve.models import failing_model, text_model, tool_call_model
from tests.serve.protocols import ANTHROPIC, GEMINI, OPENAI, WIRES, Wire, data_of, events_of

JSON = {'content-type': 'application/json'}

# ---------------------------------------------------------------------------------------------------------- responses


async def test_the_model_responds_to_a_request(connect: Connect, wire: Wire) -> None:
    async with connect(text_model('Hello ', 'there')) as client:
        response = await client.post(wire.to(body := wire.request()), json=body)
    assert (response.status_code, response.headers['content-type']) == (200, 'application/json')
    assert int(response.headers['content-length']) == len(response.content)
    assert wire.read_text(response.json()) == 'Hello there'
    assert response.json().get('model') == ('speaker' if wire.names_model else None)


async def test_a_stream_sends_each_piece_and_an_end(connect: Connect, wire: Wire) -> None:
    async with connect(text_model('Hello ', 'there')) as client:
        response = await client.post(wire.to(body := wire.request(stream=True)), json=body)
    assert (response.status_code, response.headers['content-type']) == (200, 'text/event-stream; charset=utf-8')
    deltas = [wire.read_delta(event) for event in events_of(response.text)]
    assert [delta for delta in deltas if delta] == ['Hello ', 'there']
    assert wire.done in data_of(response.text)[-1]


PAUSES = {
    'anthropic': '"pause_turn"',
    'openai-responses': '"end_turn":false',
    'cohere': 'MAX_TOKENS',
    'gemini': 'MAX_TOKENS',
}


@pytest.mark.parametrize('stream', [False, True])
async def test_a_paused_turn_is_a_pause_or_truncated(connect: Connect, wire: Wire, stream: bool) -> None:
    async def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        return ModelResponse([TextPart('Wait.')], state='suspended')

    async with connect(FunctionModel(respond)) as client:
        response = await client.post(wire.to(body := wire.request(stream=stream)), json=body)
    assert PAUSES.get(wire.name, '"length"') in response.text.replace(': ', ':')


async def test_an_anthropic_event_is_named_by_its_type(connect: Connect) -> None:
    async with connect(text_model('Hello')) as client:
        response = await client.post(ANTHROPIC.path, json=ANTHROPIC.request(stream=True))
    names = [line.removeprefix('event: ') for line in response.text.splitlines() if line.startswith('event: ')]
    assert names == [event['type'] for event in events_of(response.text)]
    assert names[0] == 'message_start'


async def test_a_stream_without_parts_is_valid(connect: Connect, wire: Wire) -> None:
    async with connect(text_model()) as client:
        response = await client.post(wire.to(body := wire.request(stream=True)), json=body)
    assert response.status_code == 200
    assert wire.done in data_of(response.text)[-1]


@pytest.mark.parametrize('stream', [False, True])
async def test_tools_are_offered_to_the_model(connect: Connect, wire: Wire, stream: bool) -> None:
    model = TestModel()
    async with connect(model) as client:
        await client.post(wire.to(body := wire.request(tools=wire.tools, stream=stream)), json=body)
    assert model.last_model_request_parameters is not None
    assert [tool.name for tool in model.last_model_request_parameters.function_tools] == ['weather']


async def test_tool_calls_are_sent(connect: Connect, wire: Wire) -> None:
    async with connect(tool_call_model(('weather', '{"city": "Rome"}'), ('weather', '{"city": "Oslo"}'))) as client:
        response = await client.post(wire.to(body := wire.request(tools=wire.tools)), json=body)
    assert wire.read_calls(response.json()) == [('weather', {'city': 'Rome'}), ('weather', {'city': 'Oslo'})]


async def test_the_conversation_and_the_settings_reach_the_model(connect: Connect) -> None:
    model = TestModel()
    messages = [{'role': 'system', 'content': 'Be brief.'}, {'role': 'user', 'content': 'Hello'}]
    async with connect(model) as client:
        await client.post(OPENAI.path, json={'model': 'm', 'messages': messages, 'temperature': 0.5, 'seed': 7})
    assert model.last_messages is not None
    [request] = model.last_messages
    assert isinstance(request, ModelRequest)
    assert [part.content for part in request.parts if not isinstance(part, SystemPromptPart)] == ['Hello']
    assert [part.content for part in request.parts if isinstance(part, SystemPromptPart)] == ['Be brief.']
    assert model.last_model_settings == {'temperature': 0.5, 'seed': 7}


# ------------------------------------------------------------------------------------------------ choice of the model


async def test_a_single_model_serves_any_name(connect: Connect, wire: Wire) -> None:
    async with connect(text_model('me')) as client:
        response = await client.post(wire.to(body := wire.request() | {'model': 'whatever'}), json=body)
    assert wire.read_text(response.json()) == 'me'


@pytest.mark.parametrize(('name', 'expected'), [('a:one', '1'), ('b:two', '2'), ('two', '2'), ('three', '3')])
async def test_each_of_several_models_serves_its_name(connect: Connect, wire: Wire, name: str, expected: str) -> None:
    models = {'a:one': text_model('1'), 'b:two': text_model('2'), 'three': text_model('3')}
    async with connect(models) as client:
        response = await client.post(wire.to(body := wire.request() | {'model': name}), json=body)
    assert wire.read_text(response.json()) == expected


@pytest.mark.parametrize('name', ['four', 'same', ''])
async def test_an_unknown_or_ambiguous_name_is_not_found(connect: Connect, name: str) -> None:
    async with connect({'a:same': text_model('1'), 'b:same': text_model('2')}) as client:
        response = await client.post(OPENAI.path, json=OPENAI.request() | {'model': name or 'a:'})
    assert response.status_code == 404
    assert response.json()['error']['message'] == f"There is no model {name or 'a:'!r}; there are 'a:same', 'b:same'"


async def test_the_list_of_models_has_the_fields_of_both_vendors(connect: Connect) -> None:
    async with connect({'a:one': text_model('1'), 'b:two': text_model('2')}) as client:
        response = await client.get('/v1/models')
        one = await client.get('/v1/models/a:one')
        unknown = await client.get('/v1/models/unknown')
    assert response.json() == snapshot(
        {
            'object': 'list',
            'data': [
                {
                    'id': 'a:one',
                    'object': 'model',
                    'created': 0,
                    'owned_by': 'pydantic_llm',
                    'type': 'model',
                    'display_name': 'a:one',
                    'created_at': '1970-01-01T00:00:00Z',
                },
                {
                    'id': 'b:two',
                    'object': 'model',
                    'created': 0,
                    'owned_by': 'pydantic_llm',
                    'type': 'model',
                    'display_name': 'b:two',
                    'created_at': '1970-01-01T00:00:00Z',
                },
            ],
            'first_id': 'a:one',
            'last_id': 'b:two',
            'has_more': False,
        }
    )
    assert one.json() == response.json()['data'][0]
    assert (unknown.status_code, unknown.json()['error']['type']) == (404, 'not_found_error')


async def test_a_single_model_is_listed_by_its_own_name(connect: Connect) -> None:
    async with connect(text_model('me', name='my-model')) as client:
        response = await client.get('/v1/models')
    assert [model['id'] for model in response.json()['data']] == ['my-model']


# ------------------------------------------------------------------------------------------------------------- keys


@pytest.mark.parametrize(
    'headers',
    [
        {'authorization': 'Bearer s3cret'},
        {'Authorization': 'bearer s3cret'},
        {'x-api-key': 's3cret'},
        {'x-goog-api-key': 's3cret'},
    ],
)
async def test_a_request_with_the_key_is_accepted(connect: Connect, wire: Wire, headers: dict[str, str]) -> None:
    async with connect(text_model('Hello'), key='s3cret') as client:
        response = await client.post(wire.to(body := wire.request()), json=body, headers=headers)
        listed = await client.get('/v1/models', headers=headers)
    assert (response.status_code, listed.status_code) == (200, 200)


@pytest.mark.parametrize(
    'headers',
    [{}, {'authorization': 'Bearer'}, {'authorization': 'Bearer S3CRET'}, {'x-api-key': ''}, {'x-api-key': 'é'}],
)
async def test_a_request_with_another_key_is_rejected(connect: Connect, wire: Wire, headers: dict[str, str]) -> None:
    model = TestModel()
    async with connect(model, key='s3cret') as client:
        encoded = [(name.encode(), value.encode('latin-1')) for name, value in headers.items()]
        responses = [
            await client.post(wire.to(body := wire.request()), json=body, headers=encoded),
            await client.get('/v1/models', headers=encoded),
            await client.get('/v1/models/test', headers=encoded),
        ]
    assert [response.status_code for response in responses] == [401, 401, 401]
    check_error_shape(wire, responses[0].json())
    assert {response.json()['error']['type'] for response in responses[1:]} == {'authentication_error'}
    assert not any('s3cret' in response.text for response in responses)
    assert model.last_messages is None


async def test_with_a_key_every_host_is_accepted(connect: Connect, wire: Wire) -> None:
    async with connect(TestModel(), key='secret') as client:
        headers = {'host': 'models.example', 'authorization': 'Bearer secret'}
        response = await client.post(wire.to(body := wire.request()), json=body, headers=headers)
    assert response.status_code == 200


@pytest.mark.parametrize('wire', WIRES, ids=repr)
def test_the_time_for_many_messages_of_one_user_grows_with_their_number(wire: Wire) -> None:
    protocol = next(each for each in PROTOCOLS if each.name == wire.name)
    body = wire.request()
    name = next(name for name in ('messages', 'contents', 'input') if name in body)
    turns = body[name] if isinstance(body[name], list) else [{'role': 'user', 'content': body[name]}]

    def measure(number: int) -> float:
        many = body | {'model': 'm', name: turns[-1:] * number}
        began = time.process_time()
        protocol.decode_request(many)
        return time.process_time() - began

    measure(10)
    ratio = min(measure(16_000) / measure(2_000) for _ in range(3))
    assert ratio < 24  # 8 if the time grows with the number, 64 if with its square


def test_an_app_needs_a_model() -> None:
    with pytest.raises(UserError, match='models= is empty'):
        create_app({})


async def test_a_new_value_of_an_open_setting_passes(connect: Connect) -> None:
    model = TestModel()
    async with connect(model) as client:
        response = await client.post(
            OPENAI.path, json=OPENAI.request(service_tier='turbo', reasoning_effort='infinite')
        )
    assert response.status_code == 200
    assert model.last_model_settings == {'service_tier': 'turbo', 'openai_reasoning_effort': 'infinite'}


# --------------------------------------------------------------------------------------------------- invalid requests


def check_error_shape(wire: Wire, error: dict[str, Any]) -> None:
    """Fail if the error does not have the shape of the vendor's own errors."""
    match wire.name, error:
        case 'openai-chat' | 'openai-responses', {'error': {'message': str(), 'type': str(), 'param': _, 'code': _}}:
            pass
        case 'anthropic', {'type': 'error', 'error': {'type': str(), 'message': str()}}:
            pass
        case 'gemini', {'error': {'message': str(), 'status': str(), 'code': _}}:
            pass
        case 'mistral', {'object': 'error', 'message': str(), 'type': str(), 'param': _, 'code': _}:
            pass
        case 'cohere', {'message': str()} | {'type': 'message-end', 'delta': {'error': str()}}:
            pass
        case _:
            pytest.fail(f'This is not an error of {wire}: {error!r}')


@pytest.mark.parametrize('number', range(12))
async def test_a_body_of_the_wrong_shape_is_a_bad_request(connect: Connect, wire: Wire, number: int) -> None:
    async with connect(text_model('Hello')) as client:
        response = await client.post(wire.to(body := wire.invalid[number]), json=body)
    assert response.status_code == 400, response.text
    check_error_shape(wire, response.json())


@pytest.mark.parametrize(
    'content',
    [b'', b'{', b'[]', b'"Hello"', b'null', b'\xff\xfe', b'[' * 100_000, b'{"model": NaN'],
    ids=lambda c: repr(c[:9]),
)
async def test_a_body_that_is_not_a_json_object_is_a_bad_request(connect: Connect, wire: Wire, content: bytes) -> None:
    async with connect(text_model('Hello')) as client:
        response = await client.post(wire.path, content=content, headers=JSON)
    assert response.status_code == 400
    check_error_shape(wire, response.json())


async def test_a_body_without_the_json_content_type_is_rejected(connect: Connect, wire: Wire) -> None:
    """Any web page can make a visitor's browser send such a body."""
    model = TestModel()
    async with connect(model) as client:
        content = json.dumps(wire.request())
        response = await client.post(wire.path, content=content, headers={'content-type': 'text/plain'})
    assert response.status_code == 415
    check_error_shape(wire, response.json())
    assert model.last_messages is None


async def test_a_body_over_the_limit_is_rejected(connect: Connect, wire: Wire) -> None:
    body = json.dumps(wire.request('x' * 1000)).encode()
    async with connect(text_model('Hello'), max_body_bytes=len(body)) as client:
        assert (await client.post(wire.path, content=body, headers=JSON)).status_code == 200
        response = await client.post(wire.path, content=body + b' ', headers=JSON)
    assert response.status_code == 413
    check_error_shape(wire, response.json())


@pytest.mark.parametrize(('method', 'path', 'status'), [('POST', '/v1/nothing', 404), ('GET', '/v1/messages', 405)])
async def test_the_error_for_an_unknown_path_lists_the_paths(
    connect: Connect, method: str, path: str, status: int
) -> None:
    async with connect(text_model('Hello')) as client:
        response = await client.request(method, path)
    assert response.status_code == status
    for wire in WIRES:
        check_error_shape(wire, response.json())
    message = response.json()['error']['message']
    paths = ', '.join(protocol.paths[0] for protocol in PROTOCOLS)
    assert message == f'{method} {path} is not served here; POST to one of {paths}'


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(['', 'user', 'text', 'auto', 'tool', 'Hello']),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(['type', 'text', 'x']), inner, max_size=2)
    ),
    max_leaves=4,
)


def values_in(body: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the container and the key or index of every value in a body."""
    keys: Any = body if isinstance(body, dict) else range(len(body)) if isinstance(body, list) else ()
    for key in keys:
        yield body, key
        yield from values_in(body[key])


async def test_a_request_with_every_kind_of_content_is_accepted(connect: Connect, wire: Wire) -> None:
    async with connect(text_model('Hello')) as client:
        response = await client.post(wire.to(body := wire.full), json=body)
    assert response.status_code == 200, response.text


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(data=st.data())
async def test_no_body_causes_a_server_error(connect: Connect, wire: Wire, data: st.DataObject) -> None:
    """Send a valid request with one value replaced or removed."""
    body = deepcopy(wire.full)
    container, key = data.draw(st.sampled_from(list(values_in(body))))
    if data.draw(st.booleans()):
        container[key] = data.draw(json_values)
    else:
        del container[key]
    async with connect(text_model('Hello')) as client:
        response = await client.post(wire.to(body), json=body)
    assert response.status_code in (200, 400), response.text


# ------------------------------------------------------------------------------------------------- models that fail

ERRORS = [
    (UserError('This cannot be sent'), 400),
    (ContentFilterError('This is blocked'), 400),
    (RateLimitError(429, 'm', message='Too fast', retry_after=7), 429),
    (OverloadedError(529, 'm', message='Too busy'), 529),
    (ModelConnectionError('m', 'There is no server'), 502),
    (UnexpectedModelBehavior('This is not a response'), 502),
    (ModelTimeoutError('m', deadline='timeout', seconds=3), 504),
]


@pytest.mark.parametrize(('error', 'status'), ERRORS, ids=[type(error).__name__ for error, _ in ERRORS])
@pytest.mark.parametrize('stream', [False, True], ids=['whole', 'stream'])
async def test_an_error_before_the_response_has_its_own_status(
    connect: Connect, wire: Wire, error: Exception, status: int, stream: bool
) -> None:
    async with connect(failing_model(error)) as client:
        response = await client.post(wire.to(body := wire.request(stream=stream)), json=body)
    assert (response.status_code, response.headers['content-type']) == (status, 'application/json')
    check_error_shape(wire, response.json())
    assert str(error) in wire.read_error(response.json())


async def test_the_retry_delay_is_passed_on(connect: Connect, wire: Wire) -> None:
    async with connect(failing_model(RateLimitError(429, 'm', message='Too fast', retry_after=7.5))) as client:
        response = await client.post(wire.to(body := wire.request()), json=body)
    assert response.headers['retry-after'] == '7.5'


@pytest.mark.parametrize(('seconds', 'shown'), [(2_676_450, '2676450'), (0.25, '0.25'), (0.00001, '0')])
async def test_the_time_of_a_retry_is_written_without_an_exponent(connect: Connect, seconds: float, shown: str) -> None:
    async with connect(failing_model(RateLimitError(429, 'm', message='Too fast', retry_after=seconds))) as client:
        response = await client.post(GEMINI.to(body := GEMINI.request()), json=body)
    assert response.headers['retry-after'] == shown
    assert response.json()['error']['details'][0]['retryDelay'] == f'{shown}s'


@pytest.mark.parametrize('stream', [False, True], ids=['whole', 'stream'])
async def test_an_unexpected_error_is_reported_by_its_type_alone(
    connect: Connect, wire: Wire, stream: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async with connect(failing_model(ZeroDivisionError('the password is 1234'))) as client:
        response = await client.post(wire.to(body := wire.request(stream=stream)), json=body)
    assert response.status_code == 500
    check_error_shape(wire, response.json())
    assert wire.read_error(response.json()) == 'The server failed: ZeroDivisionError'
    [record] = caplog.records
    assert (record.name, record.levelno) == ('pydantic_llm.serve', logging.ERROR)
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], ZeroDivisionError)


@pytest.mark.parametrize(
    ('error', 'message'),
    [
        (OverloadedError(529, 'm', message='Too busy'), 'Too busy'),
        (ZeroDivisionError('the password is 1234'), 'The server failed: ZeroDivisionError'),
    ],
    ids=['ours', 'foreign'],
)
async def test_an_error_in_a_stream_is_its_last_event(
    connect: Connect, wire: Wire, error: Exception, message: str
) -> None:
    async with connect(failing_model(error, after=2)) as client:
        response = await client.post(wire.to(body := wire.request(stream=True)), json=body)
    assert response.status_code == 200
    *before, last = events_of(response.text)
    assert ''.join(wire.read_delta(event) for event in before) == '0 1 '
    check_error_shape(wire, last)
    assert wire.read_error(last) == message
    assert wire.done not in data_of(response.text)[-1]


async def test_a_response_that_cannot_be_encoded_is_an_error(connect: Connect) -> None:
    def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        return ModelResponse([ToolCallPart('look', {'at': object()})])

    async with connect(FunctionModel(respond)) as client:
        response = await client.post(OPENAI.path, json=OPENAI.request())
    assert response.status_code == 500
    check_error_shape(OPENAI, response.json())


async def test_a_request_for_several_responses_is_refused(connect: Connect) -> None:
    async with connect(text_model()) as client:
        refused = await client.post(OPENAI.path, json={**OPENAI.request(), 'n': 3})
        accepted = await client.post(OPENAI.path, json={**OPENAI.request(), 'n': 1})
    assert (refused.status_code, accepted.status_code) == (400, 200)
    assert refused.json()['error']['message'] == 'n is 3: this server generates one response for each request'
