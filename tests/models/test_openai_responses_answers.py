"""The Responses room, decoding: responses, whole and streamed, and errors."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from pydantic_llm.exceptions import (
    AuthenticationError,
    ContextLengthError,
    ModelAPIError,
    ModelHTTPError,
    NotFoundError,
    OverloadedError,
    QuotaExceededError,
    RateLimitError,
    UnexpectedModelBehavior,
)
from pydantic_llm.messages import (
    TextPart,
    ThinkingPart,
    ToolCallPart,
)
from pydantic_llm.usage import RequestUsage
from tests.models.cited import cite
from tests.models.openai_responses import (
    DRAWING,
    HELLO,
    OURS,
    call,
    decode_both_ways,
    decode_response,
    details,
    make_body,
    make_events,
    message,
    model,
    read,
    reasoning,
    stream,
)
from tests.providers.server import Json, Server

# ------------------------------------------------------------------------------------------------------------ responses

URL = {'type': 'url_citation', 'url': 'https://example.com', 'title': 'E', 'start_index': 0, 'end_index': 2}
LOGPROBS = [{'token': 'Hi', 'logprob': -0.1, 'bytes': [72, 105], 'top_logprobs': []}]
RAW = {'content': [{'type': 'reasoning_text', 'text': 'At length.'}]}


@pytest.mark.parametrize(
    ('item', 'parts'),
    [
        (message('Hi there, you.'), [TextPart('Hi there, you.', id='msg_1', **OURS)]),
        ({**message('Hi'), 'phase': 'commentary'}, [TextPart('Hi', id='msg_1', **details(phase='commentary'))]),
        (
            message('Hi', annotations=[URL], logprobs=LOGPROBS),
            [cite(TextPart('Hi', id='msg_1', **details(annotations=[URL], logprobs=LOGPROBS)))],
        ),
        (
            {**message('One.'), 'content': [{'type': 'output_text', 'text': text} for text in ('One.', 'Two.')]},
            [TextPart('One.', id='msg_1', **OURS), TextPart('Two.', id='msg_1', **OURS)],
        ),
        (message(''), []),
        (reasoning('Hm.', 'So.'), [ThinkingPart('Hm.', id='rs_1', **OURS), ThinkingPart('So.', id='rs_1', **OURS)]),
        (
            reasoning('Hm.', 'So.', encrypted_content='sealed'),
            [ThinkingPart('Hm.', id='rs_1', signature='sealed', **OURS), ThinkingPart('So.', id='rs_1', **OURS)],
        ),
        (
            reasoning(encrypted_content='sealed', content=[]),
            [ThinkingPart('', id='rs_1', signature='sealed', **OURS)],
        ),
        (reasoning(**RAW), [ThinkingPart('At length.', id='rs_1', **details(raw=True))]),
        (
            reasoning('In short.', **RAW),
            [ThinkingPart('In short.', id='rs_1', **OURS), ThinkingPart('At length.', id='rs_1', **details(raw=True))],
        ),
        (reasoning(), []),
        (call(), [ToolCallPart('weather', '{"name": "Oslo"}', 'call_1', id='fc_call_1', **OURS)]),
        (call(arguments=''), [ToolCallPart('weather', '', 'call_1', id='fc_call_1', **OURS)]),
        (
            call(namespace='city', caller={'type': 'program', 'caller_id': 'p'}),
            [
                ToolCallPart(
                    'weather',
                    '{"name": "Oslo"}',
                    'call_1',
                    id='fc_call_1',
                    **details(namespace='city', caller={'type': 'program', 'caller_id': 'p'}),
                )
            ],
        ),
    ],
)
async def test_an_item_becomes_parts(item: Json, parts: Any) -> None:
    for found in await decode_both_ways(make_body(item)):
        assert found.parts == parts
        assert (found.finish_reason, found.state) == ('stop', 'complete')


@pytest.mark.parametrize('is_streamed', [False, True])
async def test_arguments_that_are_an_object_and_a_content_that_is_a_text_are_read(is_streamed: bool) -> None:
    called = {'type': 'function_call', 'id': 'fc_1', 'call_id': 'a', 'name': 'look', 'arguments': {'at': 'it'}}
    items = [{**message('Hi'), 'content': 'Hi'}, called]
    events = [
        {'type': f'response.output_item.{when}', 'output_index': index, 'item': item}
        for index, item in enumerate(items)
        for when in ('added', 'done')
    ]
    body = make_body(*items)
    content = stream(*events, {'type': 'response.completed', 'response': body}) if is_streamed else body
    response = await decode_response(content)
    assert response.text == 'Hi'
    assert [called.args_as_dict() for called in response.tool_calls] == [{'at': 'it'}]


async def test_a_response_has_the_model_the_time_and_the_price() -> None:
    usage = {
        'input_tokens': 100,
        'output_tokens': 50,
        'input_tokens_details': {'cached_tokens': 40, 'cache_write_tokens': 20},
        'output_tokens_details': {'reasoning_tokens': 30},
        'cost': 0.5,
        'is_byok': False,
        'cost_details': {'upstream_inference_cost': 0.25, 'upstream_inference_input_cost': None},
    }
    moderation = {'input': {'flagged': False}}
    body = make_body(message('Hi'), usage=usage, service_tier='flex', moderation=moderation, conversation={'id': 'c'})
    for found in await decode_both_ways(body):
        assert (found.model_name, found.provider_response_id) == ('answering-model', 'resp_1')
        assert found.timestamp.isoformat() == '2025-10-09T08:53:20+00:00'
        assert found.usage == RequestUsage(
            input_tokens=100,
            output_tokens=50,
            cache_read_tokens=40,
            cache_write_tokens=20,
            output_reasoning_tokens=30,
            details={'reasoning_tokens': 30},
        )
        assert found.provider_details == {
            'finish_reason': 'completed',
            'service_tier': 'flex',
            'moderation': moderation,
            'conversation': {'id': 'c'},
            'cost': 0.5,
            'is_byok': False,
            'upstream_inference_cost': 0.25,
        }


@pytest.mark.parametrize(('store', 'expected'), [(False, {'store': False}), (True, {}), (None, {})])
async def test_a_response_that_is_not_stored_has_that_detail(store: bool | None, expected: Json) -> None:
    for found in await decode_both_ways(make_body(message('Hi'), store=store)):
        assert found.provider_details == {'finish_reason': 'completed', **expected}


async def test_a_refusal_is_a_content_filter() -> None:
    refusal = {**message(''), 'content': [{'type': 'refusal', 'refusal': 'I cannot do that.'}]}
    for found in await decode_both_ways(make_body(refusal)):
        assert (found.parts, found.finish_reason) == ([], 'content_filter')
        assert found.provider_details == {'finish_reason': 'completed', 'refusal': 'I cannot do that.'}


@pytest.mark.parametrize(
    ('status', 'reason', 'ours', 'raw'),
    [
        ('completed', None, 'stop', 'completed'),
        ('incomplete', 'max_output_tokens', 'length', 'max_output_tokens'),
        ('incomplete', 'content_filter', 'content_filter', 'content_filter'),
        ('incomplete', 'steered', None, 'steered'),
        ('incomplete', None, None, 'incomplete'),
        ('failed', None, 'error', 'failed'),
        ('cancelled', None, 'error', 'cancelled'),
        ('vibes', None, None, 'vibes'),
    ],
)
async def test_a_finish_reason_is_kept_with_ours(status: str, reason: str | None, ours: str | None, raw: str) -> None:
    body = make_body(message('Hi'), status=status, incomplete_details=reason and {'reason': reason})
    found = await decode_response(body)
    state = 'incomplete' if raw in ('incomplete', 'failed', 'cancelled') else 'complete'
    assert (found.finish_reason, found.provider_details, found.state) == (ours, {'finish_reason': raw}, state)


# ------------------------------------------------------------------------------------------------- incomplete responses


@pytest.mark.parametrize('status', ['queued', 'in_progress'])
async def test_a_response_in_the_background_is_incomplete_and_has_its_id(status: str) -> None:
    found = await decode_response(make_body(status=status, background=True, usage=None))
    assert (found.parts, found.state, found.finish_reason) == ([], 'incomplete', None)
    assert found.provider_response_id == 'resp_1'
    assert found.provider_details == {'finish_reason': status, 'background': True}


async def test_a_response_in_the_background_is_retrieved() -> None:
    server = Server(make_body(message('Hi'), background=True))
    retrieving = model(server, settings={'extra_headers': {'x-team': 'a'}})
    found = await retrieving.retrieve('resp/1')
    assert (found.text, found.state, found.finish_reason) == ('Hi', 'complete', 'stop')
    assert (server.request.method, server.request.content) == ('GET', b'')
    assert str(server.request.url) == 'https://api.openai.com/v1/responses/resp%2F1'
    assert server.request.headers['x-team'] == 'a'
    waiting = await model(Server(make_body(status='in_progress'))).retrieve('resp_1')
    assert (waiting.state, waiting.provider_details) == ('incomplete', {'finish_reason': 'in_progress'})


async def test_a_response_that_failed_in_the_background_or_is_not_stored_raises() -> None:
    with pytest.raises(RateLimitError):
        await model(Server(make_body(status='failed', error=LIMITED))).retrieve('resp_1')
    with pytest.raises(NotFoundError):
        await model(Server(error(), status=404)).retrieve('resp_1')


async def test_a_stream_from_the_background_is_decoded_like_any_other() -> None:
    found = make_events(make_body(message('Hi')))
    queued = {'type': 'response.queued', 'response': {**found[0]['response'], 'status': 'queued'}}
    assert (await decode_response(stream(found[0], queued, *found[1:]))).parts == [TextPart('Hi', id='msg_1', **OURS)]


async def test_a_stream_without_its_last_event_is_truncated() -> None:
    found = await decode_response(stream(*make_events(make_body(message('Hello.')))[:3]))
    assert (found.parts, found.state, found.finish_reason) == (
        [TextPart('Hell', id='msg_1', **OURS)],
        'incomplete',
        None,
    )
    assert found.provider_response_id == 'resp_1'


# --------------------------------------------------------------------------------------------- streams of other servers


async def test_items_without_events_are_decoded_from_the_last_event() -> None:
    body = make_body(reasoning('Hm.', encrypted_content='s'), message('Hi'), call())
    [whole, _] = await decode_both_ways(body)
    first, *_, last = make_events(body)
    assert (await decode_response(stream(first, last))).parts == whole.parts
    assert (await decode_response(stream(last))).parts == whole.parts


async def test_items_are_decoded_once_if_the_last_event_has_other_ids() -> None:
    body = make_body(reasoning('Hm.'), message('Hi'))
    *found, last = make_events(body)
    last = deepcopy(last)
    for item in last['response']['output']:
        item['id'] += '_other'
    assert [part.part_kind for part in (await decode_response(stream(*found, last))).parts] == ['thinking', 'text']


async def test_items_are_decoded_once_if_their_indexes_are_wrong() -> None:
    found = [{**event, 'output_index': 0} for event in make_events(make_body(reasoning('Hm.'), message('Hi'), call()))]
    assert [part.part_kind for part in (await decode_response(stream(*found))).parts] == [
        'thinking',
        'text',
        'tool-call',
    ]


async def test_an_item_can_end_after_the_next_one_has() -> None:
    found = make_events(make_body(reasoning(**RAW), message('Hi')))
    late = [event for event in found if event['type'] == 'response.output_item.done' and not event['output_index']]
    rest = [event for event in found if event not in late]
    read = await decode_response(stream(*rest[:-1], *late, rest[-1]))
    assert [part.part_kind for part in read.parts] == ['thinking', 'text']


async def test_tool_calls_without_item_ids_are_separate_parts() -> None:
    calls = [{name: value for name, value in call(id=id).items() if name != 'id'} for id in ('a', 'b')]
    for found in (
        await decode_response(make_body(*calls)),
        read({'type': 'response.completed', 'response': make_body(*calls)}),
    ):
        assert [part.tool_call_id for part in found.tool_calls] == ['a', 'b']
    done = [{'type': 'response.output_item.done', 'output_index': n, 'item': item} for n, item in enumerate(calls)]
    assert [part.tool_call_id for part in read(*done).tool_calls] == ['a', 'b']


async def test_an_event_without_its_item_is_skipped() -> None:
    nothing = {'type': 'response.output_item.added', 'output_index': 7, 'item': None}
    found = make_events(make_body(message('Hi')))
    assert (await decode_response(stream(nothing, *found))).text == 'Hi'


async def test_a_summary_that_only_the_end_contains_is_decoded_too() -> None:
    item = reasoning('In short.', **RAW)
    found = [event for event in make_events(make_body(item)) if 'summary_text' not in event['type']]
    assert [part.content for part in read(*found).parts if isinstance(part, ThinkingPart)] == [
        'At length.',
        'In short.',
    ]


# ------------------------------------------------------------------------------------------------------ reused call ids


async def test_reused_tool_call_ids_are_made_unique() -> None:
    for found in await decode_both_ways(
        make_body(call(id='call_0')), service='bedrock-mantle', name='openai.gpt-5.6-luna'
    ):
        assert [part.tool_call_id for part in found.tool_calls] == ['resp_1:call_0']
    for found in await decode_both_ways(make_body(call(id='call_0'))):
        assert [part.tool_call_id for part in found.tool_calls] == ['call_0']


# --------------------------------------------------------------------------------------------------------------- errors


def error(message: str = 'no', **more: Any) -> Json:
    return {'error': {'message': message, **more}}


@pytest.mark.parametrize(
    ('body', 'message_pattern'),
    [
        ({'id': 'x'}, r'^The answer of openai holds no output'),
        ({'output': [7]}, r'did not answer with a response of the Responses API \(AttributeError'),
        ({'output': [{}]}, r'did not answer with a response of the Responses API \(KeyError'),
        (make_body(message(7)), r'did not answer with a response of the Responses API \(TypeError'),  # type: ignore[arg-type]
        (make_body({**DRAWING, 'result': 'A'}), r'did not answer with a response of the Responses API'),
    ],
)
async def test_a_response_of_the_wrong_shape_raises_unexpected_model_behavior(body: Json, message_pattern: str) -> None:
    with pytest.raises(UnexpectedModelBehavior, match=message_pattern):
        await decode_response(body)


@pytest.mark.parametrize(
    ('status', 'body', 'kind', 'retryable'),
    [
        (400, error(), ModelHTTPError, False),
        (400, error(code='context_length_exceeded'), ContextLengthError, False),
        (401, error(code='invalid_api_key'), AuthenticationError, False),
        (404, error(code='model_not_found'), NotFoundError, False),
        (429, error(code='rate_limit_exceeded'), RateLimitError, True),
        (429, error(code='insufficient_quota'), QuotaExceededError, False),
        (503, error(), OverloadedError, True),
    ],
)
async def test_a_status_becomes_an_error(status: int, body: Json, kind: type, retryable: bool) -> None:
    with pytest.raises(ModelHTTPError) as caught:
        await model(Server(body, status=status, x_request_id='req-1')).request(HELLO)
    found = caught.value
    assert (type(found), found.status_code, found.retryable) == (kind, status, retryable)
    assert (found.request_id, found.provider_name, found.body) == ('req-1', 'openai', body)


FAILED = {'code': 'server_error', 'message': 'no'}
LIMITED = {'code': 'rate_limit_exceeded', 'message': 'no'}


@pytest.mark.parametrize(('error', 'kind', 'status'), [(FAILED, ModelHTTPError, 500), (LIMITED, RateLimitError, 429)])
async def test_a_failed_response_is_an_error(error: Json, kind: type, status: int) -> None:
    failed = make_body(message('Hel'), status='failed', error=error)
    for body in (failed, stream(*make_events(failed))):
        with pytest.raises(ModelHTTPError) as caught:
            await decode_response(body)
        assert (type(caught.value), caught.value.status_code, caught.value.in_stream) == (kind, status, True)


@pytest.mark.parametrize(
    ('event', 'kind', 'status'),
    [
        ({'type': 'error', 'code': 'server_error', 'message': 'no', 'param': None}, ModelHTTPError, 500),
        ({'type': 'error', 'code': 'rate_limit_exceeded', 'message': 'no'}, RateLimitError, 429),
        ({'type': 'error', 'error': {'type': 'server_error', 'code': 'server_is_overloaded'}}, OverloadedError, 503),
        (error(code=502), ModelHTTPError, 502),
        (error(code='context_length_exceeded'), ContextLengthError, 400),
    ],
)
async def test_an_error_inside_a_stream_becomes_the_same_error(event: Json, kind: type, status: int) -> None:
    server = Server(stream(*make_events(make_body(message('Hello.')))[:3], event))
    async with model(server).request_stream(HELLO) as streamed:
        with pytest.raises(ModelHTTPError) as caught:
            [_ async for _ in streamed]
    assert (type(caught.value), caught.value.status_code, caught.value.in_stream) == (kind, status, True)
    assert (streamed.get().parts, streamed.get().state) == ([TextPart('Hell', id='msg_1', **OURS)], 'interrupted')


async def test_an_error_without_a_type_has_no_status() -> None:
    with pytest.raises(ModelAPIError) as caught:
        await decode_response(make_body(status='failed', error={'code': 'invalid_prompt', 'message': 'something'}))
    assert type(caught.value) is ModelAPIError
    assert str(caught.value) == 'gpt-4o failed: something'
