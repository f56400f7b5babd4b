"""The app without a network: what comes in, who answers, what goes out."""

from __future__ import annotations

import json
import logging
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
from pydantic_llm.messages import ModelMessage, ModelRequest, ModelResponse, SystemPromptPart, TextPart
from pydantic_llm.models.function import AgentInfo, FunctionModel
from pydantic_llm.models.test.model import TestModel
from pydantic_llm.serve import create_app
from pydantic_llm.serve.protocols import PROTOCOLS
from tests.serve.conftest import Connect
from tests.serve.models import calls, fails, says
from tests.serve.protocols import ANTHROPIC, OPENAI, WIRES, Wire, data_of, events_of

JSON = {'content-type': 'application/json'}

# ------------------------------------------------------------------------------------------------------- what goes out


async def test_a_request_is_answered_by_the_model(connect: Connect, wire: Wire) -> None:
    async with connect(says('Hello ', 'there')) as client:
        answer = await client.post(wire.to(body := wire.request()), json=body)
    assert (answer.status_code, answer.headers['content-type']) == (200, 'application/json')
    assert int(answer.headers['content-length']) == len(answer.content)
    assert wire.read_text(answer.json()) == 'Hello there'
    assert answer.json().get('model') == ('speaker' if wire.names_model else None)


async def test_a_stream_comes_piece_by_piece_and_says_when_it_is_over(connect: Connect, wire: Wire) -> None:
    async with connect(says('Hello ', 'there')) as client:
        answer = await client.post(wire.to(body := wire.request(stream=True)), json=body)
    assert (answer.status_code, answer.headers['content-type']) == (200, 'text/event-stream; charset=utf-8')
    deltas = [wire.read_delta(event) for event in events_of(answer.text)]
    assert [delta for delta in deltas if delta] == ['Hello ', 'there']
    assert wire.done in data_of(answer.text)[-1]


async def test_an_anthropic_event_says_its_type_twice(connect: Connect) -> None:
    async with connect(says('Hello')) as client:
        answer = await client.post(ANTHROPIC.path, json=ANTHROPIC.request(stream=True))
    names = [line.removeprefix('event: ') for line in answer.text.splitlines() if line.startswith('event: ')]
    assert names == [event['type'] for event in events_of(answer.text)]
    assert names[0] == 'message_start'


async def test_an_answer_without_a_part_is_an_answer(connect: Connect, wire: Wire) -> None:
    async with connect(says()) as client:
        answer = await client.post(wire.to(body := wire.request(stream=True)), json=body)
    assert answer.status_code == 200
    assert wire.done in data_of(answer.text)[-1]


@pytest.mark.parametrize('stream', [False, True])
async def test_tools_are_offered_to_the_model(connect: Connect, wire: Wire, stream: bool) -> None:
    model = TestModel()
    async with connect(model) as client:
        await client.post(wire.to(body := wire.request(tools=wire.tools, stream=stream)), json=body)
    assert model.last_model_request_parameters is not None
    assert [tool.name for tool in model.last_model_request_parameters.function_tools] == ['weather']


async def test_calls_of_tools_go_out(connect: Connect, wire: Wire) -> None:
    async with connect(calls(('weather', '{"city": "Rome"}'), ('weather', '{"city": "Oslo"}'))) as client:
        answer = await client.post(wire.to(body := wire.request(tools=wire.tools)), json=body)
    assert wire.read_calls(answer.json()) == [('weather', {'city': 'Rome'}), ('weather', {'city': 'Oslo'})]


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


# -------------------------------------------------------------------------------------------------------- who answers


async def test_one_model_answers_to_any_name(connect: Connect, wire: Wire) -> None:
    async with connect(says('me')) as client:
        answer = await client.post(wire.to(body := wire.request() | {'model': 'whatever'}), json=body)
    assert wire.read_text(answer.json()) == 'me'


@pytest.mark.parametrize(('name', 'said'), [('a:one', '1'), ('b:two', '2'), ('two', '2'), ('three', '3')])
async def test_one_of_several_models_answers_to_its_name(connect: Connect, wire: Wire, name: str, said: str) -> None:
    models = {'a:one': says('1'), 'b:two': says('2'), 'three': says('3')}
    async with connect(models) as client:
        answer = await client.post(wire.to(body := wire.request() | {'model': name}), json=body)
    assert wire.read_text(answer.json()) == said


@pytest.mark.parametrize('name', ['four', 'same', ''])
async def test_a_name_that_no_model_has_is_not_found(connect: Connect, name: str) -> None:
    async with connect({'a:same': says('1'), 'b:same': says('2')}) as client:
        answer = await client.post(OPENAI.path, json=OPENAI.request() | {'model': name or 'a:'})
    assert answer.status_code == 404
    assert answer.json()['error']['message'] == f"There is no model {name or 'a:'!r}; there are 'a:same', 'b:same'"


async def test_the_models_are_listed_in_both_vendors_words(connect: Connect) -> None:
    async with connect({'a:one': says('1'), 'b:two': says('2')}) as client:
        answer = await client.get('/v1/models')
        one = await client.get('/v1/models/a:one')
        none = await client.get('/v1/models/nobody')
    assert answer.json() == snapshot(
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
    assert one.json() == answer.json()['data'][0]
    assert (none.status_code, none.json()['error']['type']) == (404, 'not_found_error')


async def test_the_model_that_answers_to_any_name_is_listed_by_its_own(connect: Connect) -> None:
    async with connect(says('me', name='my-model')) as client:
        answer = await client.get('/v1/models')
    assert [model['id'] for model in answer.json()['data']] == ['my-model']


# ------------------------------------------------------------------------------------------------------ who may ask


@pytest.mark.parametrize(
    'headers',
    [
        {'authorization': 'Bearer s3cret'},
        {'Authorization': 'bearer s3cret'},
        {'x-api-key': 's3cret'},
        {'x-goog-api-key': 's3cret'},
    ],
)
async def test_who_brings_the_key_is_answered(connect: Connect, wire: Wire, headers: dict[str, str]) -> None:
    async with connect(says('Hello'), key='s3cret') as client:
        answer = await client.post(wire.to(body := wire.request()), json=body, headers=headers)
        listed = await client.get('/v1/models', headers=headers)
    assert (answer.status_code, listed.status_code) == (200, 200)


@pytest.mark.parametrize(
    'headers',
    [{}, {'authorization': 'Bearer'}, {'authorization': 'Bearer S3CRET'}, {'x-api-key': ''}, {'x-api-key': 'é'}],
)
async def test_who_brings_another_key_is_not(connect: Connect, wire: Wire, headers: dict[str, str]) -> None:
    model = TestModel()
    async with connect(model, key='s3cret') as client:
        encoded = [(name.encode(), value.encode('latin-1')) for name, value in headers.items()]
        answers = [
            await client.post(wire.to(body := wire.request()), json=body, headers=encoded),
            await client.get('/v1/models', headers=encoded),
            await client.get('/v1/models/test', headers=encoded),
        ]
    assert [answer.status_code for answer in answers] == [401, 401, 401]
    shape_of(wire, answers[0].json())
    assert {answer.json()['error']['type'] for answer in answers[1:]} == {'authentication_error'}
    assert not any('s3cret' in answer.text for answer in answers)
    assert model.last_messages is None


def test_an_empty_key_is_refused_when_the_app_is_made() -> None:
    with pytest.raises(UserError, match='key= is empty'):
        create_app(TestModel(), key='')


def test_an_app_needs_a_model() -> None:
    with pytest.raises(UserError, match='models= is empty'):
        create_app({})


async def test_a_word_that_a_vendor_has_added_since_passes(connect: Connect) -> None:
    model = TestModel()
    async with connect(model) as client:
        answer = await client.post(OPENAI.path, json=OPENAI.request(service_tier='turbo', reasoning_effort='infinite'))
    assert answer.status_code == 200
    assert model.last_model_settings == {'service_tier': 'turbo', 'openai_reasoning_effort': 'infinite'}


# --------------------------------------------------------------------------------------------- requests that are none


def shape_of(wire: Wire, error: dict[str, Any]) -> None:
    """The error must have the form that the vendor's own errors have."""
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
            pytest.fail(f'This is no error of {wire}: {error!r}')


@pytest.mark.parametrize('number', range(12))
async def test_a_body_of_the_wrong_shape_is_a_bad_request(connect: Connect, wire: Wire, number: int) -> None:
    async with connect(says('Hello')) as client:
        answer = await client.post(wire.to(body := wire.wrong[number]), json=body)
    assert answer.status_code == 400, answer.text
    shape_of(wire, answer.json())


@pytest.mark.parametrize(
    'content',
    [b'', b'{', b'[]', b'"Hello"', b'null', b'\xff\xfe', b'[' * 100_000, b'{"model": NaN'],
    ids=lambda c: repr(c[:9]),
)
async def test_a_body_that_is_no_json_object_is_a_bad_request(connect: Connect, wire: Wire, content: bytes) -> None:
    async with connect(says('Hello')) as client:
        answer = await client.post(wire.path, content=content, headers=JSON)
    assert answer.status_code == 400
    shape_of(wire, answer.json())


async def test_a_body_that_does_not_claim_to_be_json_is_refused(connect: Connect, wire: Wire) -> None:
    """A web page of a stranger can send it unasked from its visitor's browser."""
    model = TestModel()
    async with connect(model) as client:
        content = json.dumps(wire.request())
        answer = await client.post(wire.path, content=content, headers={'content-type': 'text/plain'})
    assert answer.status_code == 415
    shape_of(wire, answer.json())
    assert model.last_messages is None


async def test_a_body_over_the_limit_is_refused(connect: Connect, wire: Wire) -> None:
    body = json.dumps(wire.request('x' * 1000)).encode()
    async with connect(says('Hello'), max_body_bytes=len(body)) as client:
        assert (await client.post(wire.path, content=body, headers=JSON)).status_code == 200
        answer = await client.post(wire.path, content=body + b' ', headers=JSON)
    assert answer.status_code == 413
    shape_of(wire, answer.json())


@pytest.mark.parametrize(('method', 'path', 'status'), [('POST', '/v1/nothing', 404), ('GET', '/v1/messages', 405)])
async def test_a_path_that_is_not_there_says_which_are(connect: Connect, method: str, path: str, status: int) -> None:
    async with connect(says('Hello')) as client:
        answer = await client.request(method, path)
    assert answer.status_code == status
    for wire in WIRES:
        shape_of(wire, answer.json())
    said = answer.json()['error']['message']
    paths = ', '.join(protocol.paths[0] for protocol in PROTOCOLS)
    assert said == f'{method} {path} is not served here; POST to one of {paths}'


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(['', 'user', 'text', 'auto', 'tool', 'Hello']),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(['type', 'text', 'x']), inner, max_size=2)
    ),
    max_leaves=4,
)


def places_in(body: Any) -> Iterator[tuple[Any, Any]]:
    """Every place where a value stands: what holds it, and its key or index there."""
    keys: Any = body if isinstance(body, dict) else range(len(body)) if isinstance(body, list) else ()
    for key in keys:
        yield body, key
        yield from places_in(body[key])


async def test_a_request_with_something_of_everything_is_answered(connect: Connect, wire: Wire) -> None:
    async with connect(says('Hello')) as client:
        answer = await client.post(wire.to(body := wire.full), json=body)
    assert answer.status_code == 200, answer.text


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(data=st.data())
async def test_no_body_makes_the_server_fail(connect: Connect, wire: Wire, data: st.DataObject) -> None:
    """A good request with one value replaced or taken out, whatever it is."""
    body = deepcopy(wire.full)
    holder, key = data.draw(st.sampled_from(list(places_in(body))))
    if data.draw(st.booleans()):
        holder[key] = data.draw(json_values)
    else:
        del holder[key]
    async with connect(says('Hello')) as client:
        answer = await client.post(wire.to(body), json=body)
    assert answer.status_code in (200, 400), answer.text


# ------------------------------------------------------------------------------------------------- models that fail

ERRORS = [
    (UserError('This cannot be sent'), 400),
    (ContentFilterError('This may not be said'), 400),
    (RateLimitError(429, 'm', message='Too fast', retry_after=7), 429),
    (OverloadedError(529, 'm', message='Too busy'), 529),
    (ModelConnectionError('m', 'Nobody is there'), 502),
    (UnexpectedModelBehavior('This is no answer'), 502),
    (ModelTimeoutError('m', deadline='timeout', seconds=3), 504),
]


@pytest.mark.parametrize(('error', 'status'), ERRORS, ids=[type(error).__name__ for error, _ in ERRORS])
@pytest.mark.parametrize('stream', [False, True], ids=['whole', 'stream'])
async def test_an_error_at_the_beginning_has_its_own_status(
    connect: Connect, wire: Wire, error: Exception, status: int, stream: bool
) -> None:
    async with connect(fails(error)) as client:
        answer = await client.post(wire.to(body := wire.request(stream=stream)), json=body)
    assert (answer.status_code, answer.headers['content-type']) == (status, 'application/json')
    shape_of(wire, answer.json())
    assert str(error) in wire.read_error(answer.json())


async def test_how_long_to_wait_is_passed_on(connect: Connect, wire: Wire) -> None:
    async with connect(fails(RateLimitError(429, 'm', message='Too fast', retry_after=7.5))) as client:
        answer = await client.post(wire.to(body := wire.request()), json=body)
    assert answer.headers['retry-after'] == '7.5'


@pytest.mark.parametrize('stream', [False, True], ids=['whole', 'stream'])
async def test_a_model_that_breaks_is_told_by_its_kind_alone(
    connect: Connect, wire: Wire, stream: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async with connect(fails(ZeroDivisionError('the password is 1234'))) as client:
        answer = await client.post(wire.to(body := wire.request(stream=stream)), json=body)
    assert answer.status_code == 500
    shape_of(wire, answer.json())
    assert wire.read_error(answer.json()) == 'The server failed: ZeroDivisionError'
    [record] = caplog.records
    assert (record.name, record.levelno) == ('pydantic_llm.serve', logging.ERROR)
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], ZeroDivisionError)


@pytest.mark.parametrize(
    ('error', 'said'),
    [
        (OverloadedError(529, 'm', message='Too busy'), 'Too busy'),
        (ZeroDivisionError('the password is 1234'), 'The server failed: ZeroDivisionError'),
    ],
    ids=['ours', 'foreign'],
)
async def test_an_error_in_the_middle_is_an_event_and_the_last(
    connect: Connect, wire: Wire, error: Exception, said: str
) -> None:
    async with connect(fails(error, after=2)) as client:
        answer = await client.post(wire.to(body := wire.request(stream=True)), json=body)
    assert answer.status_code == 200
    *before, last = events_of(answer.text)
    assert ''.join(wire.read_delta(event) for event in before) == '0 1 '
    shape_of(wire, last)
    assert wire.read_error(last) == said
    assert wire.done not in data_of(answer.text)[-1]


async def test_what_cannot_be_written_as_json_is_an_error(connect: Connect) -> None:
    def answer(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        details: dict[str, Any] = {'logprobs': [object()]}
        return ModelResponse([TextPart('Hello')], provider_details=details)

    async with connect(FunctionModel(answer)) as client:
        response = await client.post(OPENAI.path, json=OPENAI.request())
    assert response.status_code == 500
    shape_of(OPENAI, response.json())
