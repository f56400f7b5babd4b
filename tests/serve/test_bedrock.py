"""The app as Bedrock: its streams are frames and not texts, so it has tests of its own beside those of the others.

botocore's parser reads the frames.
"""

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
from tests.serve.models import calls, fails, says
from tests.serve.test_app import json_values, places_in

HELLO = {'messages': [{'role': 'user', 'content': [{'text': 'Hello'}]}]}
WHOLE, STREAM = '/model/us.some.model-v1%3A0/converse', '/model/us.some.model-v1%3A0/converse-stream'
PIECES = ('one ', 'two ', 'three')

Frame = tuple[str, Any]


def frames_of(data: bytes) -> Iterator[Frame]:
    """The frames of a stream: their types, and what they hold."""
    buffer = EventStreamBuffer()
    buffer.add_data(data)
    for frame in buffer:
        kind = frame.headers.get(':event-type') or frame.headers[':exception-type']
        try:
            yield kind, json.loads(frame.payload)
        except ValueError:
            yield kind, frame.payload


def text_of(frames: list[Frame]) -> str:
    return ''.join(held['delta'].get('text', '') for kind, held in frames if kind == 'contentBlockDelta')


async def stream_with(connect: Connect, fault: Fault | None) -> httpx2.Response:
    async with connect(says(*PIECES), faults=lambda body: fault) as client:
        return await client.post(STREAM, json=HELLO)


async def test_a_request_is_answered_by_the_model(connect: Connect) -> None:
    async with connect(says('Hello ', 'there')) as client:
        answer = await client.post(WHOLE, json=HELLO)
        streamed = await client.post(STREAM, json=HELLO)
    assert (answer.status_code, answer.headers['content-type']) == (200, 'application/json')
    assert answer.json()['output'] == {'message': {'role': 'assistant', 'content': [{'text': 'Hello there'}]}}
    assert (streamed.status_code, streamed.headers['content-type']) == (200, CONTENT_TYPE)
    frames = [*frames_of(streamed.content)]
    assert (frames[0], frames[-1][0], text_of(frames)) == (
        ('messageStart', {'role': 'assistant'}),
        'metadata',
        'Hello there',
    )
    ids = [each.headers['x-amzn-requestid'] for each in (answer, streamed)]
    assert len(set(ids)) == 2


@pytest.mark.parametrize(
    'name', ['m', 'us.some.model-v1:0', 'arn:aws:bedrock:us-east-1:1:inference-profile/us.some.model-v1:0']
)
async def test_the_address_names_the_model(connect: Connect, name: str) -> None:
    async with connect({name: says('Hello')}) as client:
        quoted = name.replace(':', '%3A').replace('/', '%2F')
        assert (await client.post(f'/model/{quoted}/converse', json=HELLO)).status_code == 200
        other = await client.post('/model/other/converse', json=HELLO)
        verb = await client.post(f'/model/{quoted}/invoke', json=HELLO)
    for answer in (other, verb):
        assert (answer.status_code, answer.headers['x-amzn-errortype']) == (404, 'ResourceNotFoundException')


async def test_the_key_is_a_bearer_token(connect: Connect) -> None:
    async with connect(says('Hello'), key='s3cret') as client:
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
async def test_an_error_at_the_beginning_has_its_own_status(
    connect: Connect, error: Exception, status: int, name: str, path: str
) -> None:
    async with connect(fails(error)) as client:
        answer = await client.post(path, json=HELLO)
    assert (answer.status_code, answer.headers['x-amzn-errortype']) == (status, name)
    assert answer.headers.get('retry-after') == ('7' if status == 429 else None)
    assert len(answer.headers['x-amzn-requestid']) == 36
    assert answer.json()['message']


async def test_an_error_in_the_middle_is_an_exception_of_the_stream(connect: Connect) -> None:
    async with connect(fails(RateLimitError(429, 'm', message='Too fast'), after=2)) as client:
        answer = await client.post(STREAM, json=HELLO)
    *before, last = frames_of(answer.content)
    assert (answer.status_code, text_of(before)) == (200, '0 1 ')
    assert last == ('throttlingException', {'message': 'Too fast'})


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(data=st.data())
async def test_no_body_makes_the_server_fail(connect: Connect, data: st.DataObject) -> None:
    """A good request with one value replaced or taken out, whatever it is."""
    body = deepcopy(FULL)
    holder, key = data.draw(st.sampled_from(list(places_in(body))))
    if data.draw(st.booleans()):
        holder[key] = data.draw(json_values)
    else:
        del holder[key]
    async with connect(calls(('weather', '{"city": "Rome"}'))) as client:
        answer = await client.post(data.draw(st.sampled_from([WHOLE, STREAM])), json=body)
    assert answer.status_code in (200, 400), answer.text


# ---------------------------------------------------------------------- misbehaviour


async def test_a_stream_can_end_early_as_if_it_were_over(connect: Connect) -> None:
    good = [*frames_of((await stream_with(connect, None)).content)]
    for count in range(len(good)):
        assert [*frames_of((await stream_with(connect, Fault(end_after=count))).content)] == good[:count]


async def test_a_stream_can_hold_garbage_in_a_good_frame(connect: Connect) -> None:
    good = [*frames_of((await stream_with(connect, None)).content)]
    for count in range(len(good) + 1):
        frames = [*frames_of((await stream_with(connect, Fault(garbage_after=count))).content)]
        assert frames == [*good[:count], ('contentBlockDelta', b'{"this is no JSON'), *good[count:]]


async def test_a_stream_can_end_in_an_error(connect: Connect) -> None:
    good = [*frames_of((await stream_with(connect, None)).content)]
    for count in range(len(good) + 1):
        frames = [*frames_of((await stream_with(connect, Fault(error_after=count))).content)]
        said = {'message': 'The server was told to fail'}
        assert frames == [*good[:count], ('serviceUnavailableException', said)]


async def test_frames_have_no_signs_of_life(connect: Connect) -> None:
    quiet = await stream_with(connect, Fault(delay_first=0.1, keep_alive=0.02))
    assert text_of([*frames_of(quiet.content)]) == 'one two three'


async def test_a_status_comes_with_the_name_of_the_error(connect: Connect) -> None:
    answer = await stream_with(connect, Fault(status=408, headers={'x-amzn-requestid': 'mine'}))
    assert answer.headers['x-amzn-errortype'] == 'ModelTimeoutException'
    assert answer.headers['x-amzn-requestid'] == 'mine'
