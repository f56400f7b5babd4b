"""The app as Bedrock, whose streams are binary frames and not text. botocore's parser decodes the frames."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import httpx2
import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import HealthCheck, given, settings, strategies as st

from pydantic_llm.exceptions import ModelConnectionError, OverloadedError, RateLimitError, UserError
from pydantic_llm.serve import Fault
from pydantic_llm.transport.eventstream import CONTENT_TYPE
from tests.models.test_bedrock_served import FULL
from tests.serve.conftest import Connect
from tests.serve.models import failing_model, text_model, tool_call_model
from tests.serve.test_app import json_values, values_in

HELLO = {'messages': [{'role': 'user', 'content': [{'text': 'Hello'}]}]}
WHOLE, STREAM = '/model/us.some.model-v1%3A0/converse', '/model/us.some.model-v1%3A0/converse-stream'
PIECES = ('one ', 'two ', 'three')

Frame = tuple[str, Any]


def frames_of(data: bytes) -> Iterator[Frame]:
    """Yield the type and the payload of each frame of a stream."""
    buffer = EventStreamBuffer()
    buffer.add_data(data)
    for frame in buffer:
        kind = frame.headers.get(':event-type') or frame.headers[':exception-type']
        try:
            yield kind, json.loads(frame.payload)
        except ValueError:
            yield kind, frame.payload


def text_of(frames: list[Frame]) -> str:
    return ''.join(payload['delta'].get('text', '') for kind, payload in frames if kind == 'contentBlockDelta')


async def stream_with(connect: Connect, fault: Fault | None) -> httpx2.Response:
    async with connect(text_model(*PIECES), faults=lambda body: fault) as client:
        return await client.post(STREAM, json=HELLO)


async def test_the_model_responds_to_a_request(connect: Connect) -> None:
    async with connect(text_model('Hello ', 'there')) as client:
        response = await client.post(WHOLE, json=HELLO)
        streamed = await client.post(STREAM, json=HELLO)
    assert (response.status_code, response.headers['content-type']) == (200, 'application/json')
    assert response.json()['output'] == {'message': {'role': 'assistant', 'content': [{'text': 'Hello there'}]}}
    assert (streamed.status_code, streamed.headers['content-type']) == (200, CONTENT_TYPE)
    frames = [*frames_of(streamed.content)]
    assert (frames[0], frames[-1][0], text_of(frames)) == (
        ('messageStart', {'role': 'assistant'}),
        'metadata',
        'Hello there',
    )
    ids = [each.headers['x-amzn-requestid'] for each in (response, streamed)]
    assert len(set(ids)) == 2


@pytest.mark.parametrize(
    'name', ['m', 'us.some.model-v1:0', 'arn:aws:bedrock:us-east-1:1:inference-profile/us.some.model-v1:0']
)
async def test_the_address_names_the_model(connect: Connect, name: str) -> None:
    async with connect({name: text_model('Hello')}) as client:
        quoted = name.replace(':', '%3A').replace('/', '%2F')
        assert (await client.post(f'/model/{quoted}/converse', json=HELLO)).status_code == 200
        other = await client.post('/model/other/converse', json=HELLO)
        verb = await client.post(f'/model/{quoted}/invoke', json=HELLO)
    for response in (other, verb):
        assert (response.status_code, response.headers['x-amzn-errortype']) == (404, 'ResourceNotFoundException')


async def test_the_key_is_a_bearer_token(connect: Connect) -> None:
    async with connect(text_model('Hello'), key='s3cret') as client:
        good = await client.post(WHOLE, json=HELLO, headers={'authorization': 'Bearer s3cret'})
        wrong = await client.post(WHOLE, json=HELLO, headers={'authorization': 'AWS4-HMAC-SHA256 Credential=s3cret'})
    assert (good.status_code, wrong.status_code) == (200, 401)
    assert wrong.headers['x-amzn-errortype'] == 'UnrecognizedClientException'


@pytest.mark.parametrize(
    ('error', 'status', 'name'),
    [
        (UserError('No'), 400, 'ValidationException'),
        (RateLimitError(429, 'm', message='No', retry_after=7), 429, 'ThrottlingException'),
        (OverloadedError(529, 'm', message='No'), 529, 'ServiceUnavailableException'),
        (ModelConnectionError('m', 'No'), 502, 'InternalServerException'),
        (RuntimeError('No'), 500, 'InternalServerException'),
    ],
)
@pytest.mark.parametrize('path', [WHOLE, STREAM])
async def test_an_error_before_the_response_has_its_own_status(
    connect: Connect, error: Exception, status: int, name: str, path: str
) -> None:
    async with connect(failing_model(error)) as client:
        response = await client.post(path, json=HELLO)
    assert (response.status_code, response.headers['x-amzn-errortype']) == (status, name)
    assert response.headers.get('retry-after') == ('7' if status == 429 else None)
    assert len(response.headers['x-amzn-requestid']) == 36
    assert response.json()['message']


async def test_an_error_in_a_stream_is_an_exception_frame(connect: Connect) -> None:
    async with connect(failing_model(RateLimitError(429, 'm', message='Too fast'), after=2)) as client:
        response = await client.post(STREAM, json=HELLO)
    *before, last = frames_of(response.content)
    assert (response.status_code, text_of(before)) == (200, '0 1 ')
    assert last == ('throttlingException', {'message': 'Too fast'})


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(data=st.data())
async def test_no_body_causes_a_server_error(connect: Connect, data: st.DataObject) -> None:
    """Send a valid request with one value replaced or removed."""
    body = deepcopy(FULL)
    container, key = data.draw(st.sampled_from(list(values_in(body))))
    if data.draw(st.booleans()):
        container[key] = data.draw(json_values)
    else:
        del container[key]
    async with connect(tool_call_model(('weather', '{"city": "Rome"}'))) as client:
        response = await client.post(data.draw(st.sampled_from([WHOLE, STREAM])), json=body)
    assert response.status_code in (200, 400), response.text


# ---------------------------------------------------------------------- faults


async def test_a_stream_can_end_early_as_if_it_were_complete(connect: Connect) -> None:
    good = [*frames_of((await stream_with(connect, None)).content)]
    for count in range(len(good)):
        assert [*frames_of((await stream_with(connect, Fault(end_after=count))).content)] == good[:count]


async def test_a_stream_can_contain_an_invalid_event_in_a_valid_frame(connect: Connect) -> None:
    good = [*frames_of((await stream_with(connect, None)).content)]
    for count in range(len(good) + 1):
        frames = [*frames_of((await stream_with(connect, Fault(garbage_after=count))).content)]
        assert frames == [*good[:count], ('contentBlockDelta', b'{"this is no JSON'), *good[count:]]


async def test_a_stream_can_end_in_an_error(connect: Connect) -> None:
    good = [*frames_of((await stream_with(connect, None)).content)]
    for count in range(len(good) + 1):
        frames = [*frames_of((await stream_with(connect, Fault(error_after=count))).content)]
        error = {'message': 'The server was told to fail'}
        assert frames == [*good[:count], ('serviceUnavailableException', error)]


async def test_a_silence_has_no_keep_alive_frames(connect: Connect) -> None:
    quiet = await stream_with(connect, Fault(delay_first=0.1, keep_alive=0.02))
    assert text_of([*frames_of(quiet.content)]) == 'one two three'


async def test_a_status_comes_with_the_name_of_its_error(connect: Connect) -> None:
    response = await stream_with(connect, Fault(status=408, headers={'x-amzn-requestid': 'mine'}))
    assert response.headers['x-amzn-errortype'] == 'ModelTimeoutException'
    assert response.headers['x-amzn-requestid'] == 'mine'
