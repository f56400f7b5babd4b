"""LiteLLM's provider: the real package before servers on this machine, which speak the APIs of several vendors."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import pickle
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from time import perf_counter
from typing import Any

import pytest

from pydantic_llm._threads import Once
from pydantic_llm.exceptions import (
    AuthenticationError,
    ContentFilterError,
    ContextLengthError,
    LLMError,
    ModelAPIError,
    ModelConnectionError,
    ModelHTTPError,
    ModelTimeoutError,
    NotFoundError,
    OverloadedError,
    QuotaExceededError,
    RateLimitError,
    StreamInterruptedError,
    UnexpectedModelBehavior,
    UserError,
)
from pydantic_llm.messages import ModelRequest, ModelResponse, TextPart
from pydantic_llm.models import infer_model
from pydantic_llm.models.litellm import LiteLLMModel, LiteLLMRouterModel
from pydantic_llm.profiles.litellm import litellm_model_profile
from pydantic_llm.profiles.openai import OpenAIModelProfile
from pydantic_llm.providers import infer_provider
from pydantic_llm.providers.litellm import LiteLLMProvider
from pydantic_llm.providers.litellm_connection import LITELLM
from pydantic_llm.settings import ModelSettings
from tests.transport.server import (
    Exchange,
    Handler,
    Server,
    chunk,
    completion,
    is_closed_soon,
    send_completion,
    serve_in_thread,
)

HELLO = [ModelRequest.user_text_prompt('Hello?')]
KEY = 'sk-0123456789'
Json = dict[str, Any]
Serve = Callable[[Handler], Awaitable[Server]]


pytestmark = pytest.mark.filterwarnings(
    'ignore:Items? .* on TypedDict class:UserWarning',
    'ignore:Pydantic serializer warnings:UserWarning',
    "ignore:Accessing the 'model_:DeprecationWarning",
)
"""The warnings of pydantic that LiteLLM's own code causes."""


@pytest.fixture(autouse=True, scope='module')
def imported() -> None:
    """LiteLLM takes seconds to import, which no deadline of a test should pay for."""
    LITELLM.wait()


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Start a server whose responses a function makes."""
    running: list[Any] = []

    async def start(handler: Handler) -> Server:
        running.append(Server(handler).run())
        server: Server = await running[-1].__aenter__()
        return server

    async with asyncio.timeout(60):
        yield start
    for server in running:
        await server.__aexit__(None, None, None)


VENDORS = {
    'openai/gpt-4o': '/v1',
    'anthropic/claude-sonnet-4-5': '',
    'gemini/gemini-2.5-flash': '',
    'ollama_chat/qwen3': '',
    'hosted_vllm/qwen3': '/v1',
}
"""Names of LiteLLM's, and the path below the URL of a server of that API."""

vendors = pytest.mark.parametrize('name', VENDORS)


def model(server: Server, name: str = 'openai/gpt-4o', **options: Any) -> LiteLLMModel:
    return LiteLLMModel(name, api_base=server.url + VENDORS.get(name, '/v1'), api_key=KEY, **options)


async def stream_response(asked: LiteLLMModel, settings: Any = None) -> ModelResponse:
    async with asked.request_stream(HELLO, settings) as stream:
        async for _ in stream:
            pass
    return stream.get()


def answers(body: Any, *, status: int = 200, **headers: str) -> Handler:
    async def answer(exchange: Exchange) -> None:
        await exchange.respond(body, status=status, headers={n.replace('_', '-'): v for n, v in headers.items()})

    return answer


async def chat(exchange: Exchange) -> None:
    """A server of Chat Completions."""
    if exchange.json.get('stream'):
        await exchange.begin()
        for event in (chunk('Hel'), chunk('lo!'), chunk(finish='stop')):
            await exchange.event(event)
        usage = {'prompt_tokens': 3, 'completion_tokens': 2, 'total_tokens': 5}
        await exchange.event({**chunk(), 'choices': [], 'usage': usage})
        await exchange.chunk(b'data: [DONE]\n\n')
        await exchange.end()
    else:
        await exchange.respond(completion())


async def messages(exchange: Exchange, *, ends: bool = True) -> None:
    """A server of Anthropic's API."""
    whole = WHOLE['anthropic/claude-sonnet-4-5']
    if not exchange.json.get('stream'):
        await exchange.respond(whole)
        return
    await exchange.begin()
    await exchange.event({'type': 'message_start', 'message': {**whole, 'content': [], 'stop_reason': None}})
    await exchange.event({'type': 'content_block_start', 'index': 0, 'content_block': {'type': 'text', 'text': ''}})
    delta = {'type': 'text_delta', 'text': 'Hello!'}
    await exchange.event({'type': 'content_block_delta', 'index': 0, 'delta': delta})
    if ends:
        end = {'stop_reason': 'end_turn', 'stop_sequence': None}
        await exchange.event({'type': 'content_block_stop', 'index': 0})
        await exchange.event({'type': 'message_delta', 'delta': end, 'usage': {'output_tokens': 2}})
        await exchange.event({'type': 'message_stop'})
    await exchange.end()


# -------------------------------------------------------------------------------------------------------------- answers

WHOLE: dict[str, Json] = {
    'openai/gpt-4o': completion(),
    'hosted_vllm/qwen3': completion(),
    'anthropic/claude-sonnet-4-5': {
        'id': 'm1',
        'type': 'message',
        'role': 'assistant',
        'model': 'claude',
        'content': [{'type': 'text', 'text': 'Hello!'}],
        'stop_reason': 'end_turn',
        'usage': {'input_tokens': 3, 'output_tokens': 2},
    },
    'gemini/gemini-2.5-flash': {
        'candidates': [{'content': {'parts': [{'text': 'Hello!'}], 'role': 'model'}, 'finishReason': 'STOP'}],
        'usageMetadata': {'promptTokenCount': 3, 'candidatesTokenCount': 2, 'totalTokenCount': 5},
    },
    'ollama_chat/qwen3': {
        'model': 'qwen3',
        'message': {'role': 'assistant', 'content': 'Hello!'},
        'done': True,
        'done_reason': 'stop',
        'prompt_eval_count': 3,
        'eval_count': 2,
    },
}
"""A whole response of each API."""


@vendors
async def test_a_whole_response_of_any_vendor(serve: Serve, name: str) -> None:
    server = await serve(answers(WHOLE[name]))
    response = await model(server, name).request(HELLO, {'max_tokens': 9})
    assert (response.parts, response.finish_reason, response.state) == ([TextPart('Hello!')], 'stop', 'complete')
    assert (response.usage.input_tokens, response.usage.output_tokens) == (3, 2)
    assert (response.provider_name, len(server.requests)) == ('litellm', 1)


async def test_a_stream(serve: Serve) -> None:
    server = await serve(chat)
    response = await stream_response(model(server))
    assert (response.parts, response.finish_reason, response.state) == ([TextPart('Hello!')], 'stop', 'complete')
    assert (response.usage.input_tokens, response.usage.output_tokens) == (3, 2)
    assert server.requests[0].json['stream_options'] == {'include_usage': True}


async def test_the_cost_of_a_response_is_reported_if_litellm_knows_it(serve: Serve) -> None:
    server = await serve(chat)
    whole, in_pieces = await model(server).request(HELLO), await stream_response(model(server))
    costs = [(response.provider_details or {})['cost'] for response in (whole, in_pieces)]
    assert costs == pytest.approx([2.75e-05] * 2)
    unknown = await model(server, 'openai/unheard-of').request(HELLO)
    assert 'cost' not in (unknown.provider_details or {})


async def test_the_model_that_responded_is_reported(serve: Serve) -> None:
    server = await serve(answers(completion(model='gpt-4o-2024-11-20')))
    response = await model(server).request(HELLO)
    assert (response.model_name, response.provider_response_id) == ('gpt-4o-2024-11-20', 'c1')


async def test_headers_and_fields_of_the_users_own_are_sent(serve: Serve) -> None:
    server = await serve(chat)
    asked = model(server, extra_headers={'x-a': '1', 'x-b': '1'}, presence_penalty=0.5, n=1)
    await asked.request(HELLO, {'extra_headers': {'x-b': '2'}, 'extra_body': {'logit_bias': {'7': 1}}, 'seed': 3})
    [exchange] = server.requests
    assert (exchange.headers['x-a'], exchange.headers['x-b']) == ('1', '2')
    sent = exchange.json
    assert {name: sent[name] for name in ('logit_bias', 'seed', 'presence_penalty', 'n')} == {
        'logit_bias': {'7': 1},
        'seed': 3,
        'presence_penalty': 0.5,
        'n': 1,
    }


async def test_options_that_are_settings_are_settings() -> None:
    asked = LiteLLMModel(
        'openai/gpt-4o', temperature=0.2, max_tokens=10, api_version='1', settings={'temperature': 0.3}
    )
    assert asked.settings == {'temperature': 0.3, 'max_tokens': 10}


# --------------------------------------------------------------------------------------------------------------- errors

STATUSES: list[tuple[int, type[ModelHTTPError]]] = [
    (400, ModelHTTPError),
    (401, AuthenticationError),
    (402, QuotaExceededError),
    (403, AuthenticationError),
    (404, NotFoundError),
    (408, ModelHTTPError),
    (409, ModelHTTPError),
    (413, ModelHTTPError),
    (422, ModelHTTPError),
    (429, RateLimitError),
    (500, ModelHTTPError),
    (502, ModelHTTPError),
    (503, OverloadedError),
    (504, ModelHTTPError),
    (529, OverloadedError),
]


@vendors
@pytest.mark.parametrize('stream', [False, True], ids=['whole', 'stream'])
async def test_a_status_means_what_it_means_elsewhere(serve: Serve, name: str, stream: bool) -> None:
    status = 0

    async def refuse(exchange: Exchange) -> None:
        said = {'error': {'message': f'Said {status}', 'type': 't', 'code': 'c'}}
        await exchange.respond(said, status=status, headers={'retry-after': '7', 'x-request-id': 'r1'})

    server = await serve(refuse)
    asked = model(server, name)
    found: list[Any] = []
    for status, _ in STATUSES:
        with pytest.raises(LLMError) as caught:
            await (stream_response(asked) if stream else asked.request(HELLO))
        error: Any = caught.value
        assert f'Said {status}' in error.message
        found.append((error.status_code, type(error)))
        assert (error.retry_after, error.request_id, error.provider_name) == (7.0, 'r1', 'litellm')
    assert found == STATUSES
    assert len(server.requests) == len(STATUSES)


TOO_LONG = {
    'error': {'message': "This model's maximum context length is 8192 tokens", 'code': 'context_length_exceeded'}
}
NO_QUOTA = {'error': {'message': 'You exceeded your current quota', 'code': 'insufficient_quota'}}
POLICY = {'error': {'message': 'invalid_request_error: content_policy_violation'}}


@pytest.mark.parametrize(
    ('status', 'body', 'kind'),
    [
        (400, TOO_LONG, ContextLengthError),
        (429, NO_QUOTA, QuotaExceededError),
        (400, POLICY, ContentFilterError),
        (200, b'<html>', UnexpectedModelBehavior),
        (200, b'{"a"', UnexpectedModelBehavior),
        (200, {'id': 'x'}, UnexpectedModelBehavior),
        (200, [], UnexpectedModelBehavior),
        (503, b'<html>Sorry</html>', OverloadedError),
        (502, b'', ModelHTTPError),
        (500, b'\xff\xfe', ModelHTTPError),
    ],
)
async def test_an_unexpected_response(serve: Serve, status: int, body: Any, kind: type[LLMError]) -> None:
    server = await serve(answers(body, status=status))
    with pytest.raises(LLMError) as caught:
        await model(server).request(HELLO)
    assert type(caught.value) is kind
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


@vendors
async def test_a_server_that_is_not_there_is_a_connection_error(name: str) -> None:
    asked = LiteLLMModel(name, api_base=f'http://127.0.0.1:1{VENDORS[name]}', api_key=KEY)
    with pytest.raises(ModelConnectionError, match=f'No answer from {name}'):
        await asked.request(HELLO)


async def test_a_connection_that_breaks_before_the_response_is_a_connection_error(serve: Serve) -> None:
    async def reset(exchange: Exchange) -> None:
        exchange.reset()

    with pytest.raises(ModelConnectionError):
        await model(await serve(reset)).request(HELLO)


@pytest.mark.parametrize(
    ('name', 'options', 'settings', 'message'),
    [
        ('no-such-vendor/m', {}, {}, 'LLM Provider NOT provided'),
        ('openai/gpt-4o', {}, {}, 'Missing credentials'),
        ('cohere_chat/command-r', {'api_key': KEY}, {'seed': 3, 'logprobs': True}, 'does not support parameters'),
    ],
)
async def test_what_litellm_does_not_send_is_the_callers_mistake(
    monkeypatch: pytest.MonkeyPatch, name: str, options: Json, settings: Any, message: str
) -> None:
    monkeypatch.delenv('OPENAI_API_KEY', raising=False)
    with pytest.raises(UserError, match=f'LiteLLM cannot ask {name!r}: .*{message}'):
        await LiteLLMModel(name, **options).request(HELLO, settings)


async def test_what_a_vendor_does_not_have_can_be_dropped(serve: Serve) -> None:
    server = await serve(answers(WHOLE['anthropic/claude-sonnet-4-5']))
    settings: Any = {'litellm_drop_params': True, 'extra_body': {'seed': 3}}
    await model(server, 'anthropic/claude-sonnet-4-5').request(HELLO, settings)
    assert 'seed' not in server.requests[0].json


async def test_no_error_holds_the_key(serve: Serve) -> None:
    said = {'error': {'message': f'Incorrect API key provided: {KEY}'}}
    server = await serve(answers(said, status=401))
    for name in VENDORS:
        with pytest.raises(AuthenticationError) as caught:
            await model(server, name).request(HELLO)
        error = caught.value
        assert 'Incorrect API key provided: [key]' in error.message
        assert KEY not in f'{error!r} {error.__dict__} {error.__cause__} {error.__context__}'
    assert KEY not in repr(model(server)) + repr(model(server).provider)


# -------------------------------------------------------------------------------------------------------------- streams


@pytest.mark.parametrize('name', ['openai/gpt-4o', 'hosted_vllm/qwen3'])
async def test_a_truncated_stream_is_incomplete(serve: Serve, name: str) -> None:
    async def cut(exchange: Exchange) -> None:
        await exchange.begin()
        await exchange.event(chunk('Hel'))
        await exchange.end()

    response = await stream_response(model(await serve(cut), name))
    assert (response.parts, response.finish_reason, response.state) == ([TextPart('Hel')], None, 'incomplete')


async def test_a_truncated_stream_of_anthropic_is_incomplete(serve: Serve) -> None:
    server = await serve(partial(messages, ends=False))
    response = await stream_response(model(server, 'anthropic/claude-sonnet-4-5'))
    assert (response.parts, response.finish_reason, response.state) == ([TextPart('Hello!')], None, 'incomplete')


@pytest.mark.parametrize('name', ['openai/gpt-4o', 'hosted_vllm/qwen3'])
async def test_a_stream_that_breaks_is_interrupted(serve: Serve, name: str) -> None:
    async def break_off(exchange: Exchange) -> None:
        await exchange.begin()
        await exchange.event(chunk('Hel'))
        exchange.reset()

    with pytest.raises(StreamInterruptedError) as caught:
        await stream_response(model(await serve(break_off), name))
    assert caught.value.response is not None
    assert (caught.value.response.parts, caught.value.response.state) == ([TextPart('Hel')], 'interrupted')


@pytest.mark.parametrize('name', ['openai/gpt-4o', 'hosted_vllm/qwen3'])
async def test_an_error_inside_a_stream(serve: Serve, name: str) -> None:
    async def fail(exchange: Exchange) -> None:
        await exchange.begin()
        await exchange.event(chunk('Hel'))
        await exchange.event({'error': {'message': 'Too busy', 'type': 'overloaded_error', 'code': 503}})
        await exchange.end()

    with pytest.raises(OverloadedError, match='Too busy') as caught:
        await stream_response(model(await serve(fail), name))
    assert (caught.value.status_code, caught.value.in_stream) == (503, True)


async def trickle(exchange: Exchange) -> None:
    """Begin a response, and send no more until the client leaves."""
    await exchange.begin()
    await exchange.event(chunk('Hel'))
    await exchange.wait_until_gone()


@pytest.mark.parametrize('name', ['openai/gpt-4o', 'hosted_vllm/qwen3'])
async def test_leaving_a_stream_closes_its_connection(serve: Serve, name: str) -> None:
    server = await serve(trickle)
    async with model(server, name).request_stream(HELLO) as stream:
        async for _ in stream:
            break
        began = perf_counter()
    await server.wait_until_closed()
    assert (stream.get().state, perf_counter() - began < 1) == ('interrupted', True)


async def test_another_task_can_end_a_stream_that_is_being_read(serve: Serve) -> None:
    server = await serve(trickle)
    async with model(server).request_stream(HELLO) as stream:
        begun = asyncio.Event()

        async def read() -> None:
            async for _ in stream:
                begun.set()

        reading = asyncio.create_task(read())
        await begun.wait()
        await stream.cancel()
        await asyncio.wait_for(reading, 1)
    await server.wait_until_closed()
    assert (stream.get().parts, stream.get().state) == ([TextPart('Hel')], 'interrupted')


@pytest.mark.parametrize('handler', [trickle, lambda exchange: exchange.wait_until_gone()], ids=['midway', 'at-once'])
async def test_a_task_that_is_cancelled_closes_its_connection(serve: Serve, handler: Handler) -> None:
    server = await serve(handler)
    asking = asyncio.create_task(stream_response(model(server)))
    await server.until(lambda: bool(server.requests), 5)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await server.wait_until_closed()


DEADLINES: list[tuple[Any, str, Handler]] = [
    ({'timeout': 0.3}, 'timeout', trickle),
    ({'idle_timeout': 0.3}, 'idle_timeout', trickle),
    ({'first_token_timeout': 0.3}, 'first_token_timeout', lambda exchange: exchange.wait_until_gone()),
    ({'timeout': 0.3, 'first_token_timeout': 9}, 'timeout', lambda exchange: exchange.wait_until_gone()),
]


@pytest.mark.parametrize(('settings', 'deadline', 'handler'), DEADLINES, ids=['total', 'idle', 'first', 'both'])
async def test_a_deadline_ends_a_stream(serve: Serve, settings: Any, deadline: str, handler: Handler) -> None:
    server = await serve(handler)
    began = perf_counter()
    with pytest.raises(ModelTimeoutError) as caught:
        await stream_response(model(server), settings)
    assert (caught.value.deadline, caught.value.seconds, perf_counter() - began < 2) == (deadline, 0.3, True)
    await server.wait_until_closed()


async def test_a_deadline_ends_the_wait_for_a_whole_response(serve: Serve) -> None:
    server = await serve(lambda exchange: exchange.wait_until_gone())
    with pytest.raises(ModelTimeoutError) as caught:
        await model(server).request(HELLO, {'timeout': 0.3})
    assert (caught.value.deadline, caught.value.seconds) == ('timeout', 0.3)
    await server.wait_until_closed()


async def test_litellms_own_timeout_is_a_timeout(serve: Serve) -> None:
    server = await serve(lambda exchange: exchange.wait_until_gone())
    provider = LiteLLMProvider(api_base=f'{server.url}/v1', api_key=KEY, timeout=0.3)
    with pytest.raises(ModelTimeoutError, match="within the connection's own limit"):
        await LiteLLMModel('openai/gpt-4o', provider=provider).request(HELLO)


async def test_many_requests_at_once(serve: Serve) -> None:
    server = await serve(chat)
    asked = model(server)
    found = await asyncio.gather(*(asked.request(HELLO) if n % 2 else stream_response(asked) for n in range(20)))
    assert {response.text for response in found} == {'Hello!'}


# ---------------------------------------------------------------------------------------------------------- event loops


def test_a_model_outlives_its_event_loop_and_leaves_no_connection_behind(caplog: pytest.LogCaptureFixture) -> None:
    async def ask(asked: LiteLLMModel) -> str:
        whole, in_pieces = await asked.request(HELLO), await stream_response(asked)
        return (whole.text or '') + (in_pieces.text or '')

    vendors = {'openai/gpt-4o': chat, 'hosted_vllm/qwen3': chat, 'anthropic/claude-sonnet-4-5': messages}
    for name, handler in vendors.items():
        with serve_in_thread(handler) as server, caplog.at_level(logging.WARNING):
            asked = model(server, name)
            for _ in range(3):
                assert asyncio.run(ask(asked)) == 'Hello!Hello!'
                assert is_closed_soon(server)
    assert caplog.messages == []


# --------------------------------------------------------------------------------------------------------------- router


def deployments(server: Server, *names: str, group: str = 'group') -> list[Json]:
    return [
        {
            'model_name': group,
            'litellm_params': {'model': f'openai/{name}', 'api_base': f'{server.url}/v1', 'api_key': f'{KEY}-{name}'},
        }
        for name in names
    ]


async def by_name(exchange: Exchange) -> None:
    """Refuses models that are called after a status."""
    name = exchange.json['model']
    if name.isdecimal():
        await exchange.respond({'error': {'message': f'No, {KEY}-{name}'}}, status=int(name))
    else:
        await chat(exchange)


async def test_a_router_asks_the_next_deployment_if_its_own_policy_allows_it(serve: Serve) -> None:
    server = await serve(by_name)
    policy = {'num_retries': 2, 'retry_after': 0, 'allowed_fails': 0, 'cooldown_time': 60}
    for stream in (False, True):
        asked = LiteLLMRouterModel('group', deployments(server, '500', 'gpt-4o'), client_kwargs=policy)
        for _ in range(6):
            response = await (stream_response(asked) if stream else asked.request(HELLO))
            assert (response.text, response.state) == ('Hello!', 'complete')
    assert sum(exchange.json['model'] == '500' for exchange in server.requests) <= 2


async def test_a_router_asks_another_group_if_one_fails(serve: Serve) -> None:
    server = await serve(by_name)
    listed = [*deployments(server, '500', group='bad'), *deployments(server, 'gpt-4o', group='good')]
    asked = LiteLLMRouterModel('bad', listed, client_kwargs={'fallbacks': [{'bad': ['good']}]})
    assert (await asked.request(HELLO)).text == 'Hello!'
    assert (await stream_response(asked)).text == 'Hello!'
    assert [exchange.json['model'] for exchange in server.requests] == ['500', 'gpt-4o'] * 2


async def test_a_router_does_not_retry_by_itself(serve: Serve) -> None:
    server = await serve(by_name)
    asked = LiteLLMRouterModel('group', deployments(server, '500'))
    with pytest.raises(ModelHTTPError, match=r'answered 500: No, \[key\]') as caught:
        await asked.request(HELLO)
    assert KEY not in f'{caught.value!r} {caught.value.__dict__}'
    assert len(server.requests) == 1


async def test_a_router_whose_deployments_all_cool_down_reports_the_delay(serve: Serve) -> None:
    server = await serve(by_name)
    asked = LiteLLMRouterModel('group', deployments(server, '401'), client_kwargs={'cooldown_time': 30})
    with pytest.raises(AuthenticationError):
        await asked.request(HELLO)
    with pytest.raises(RateLimitError, match='No deployments available') as caught:
        await asked.request(HELLO)
    assert (caught.value.retry_after, len(server.requests)) == (30, 1)


async def test_a_group_that_a_router_does_not_have_is_the_callers_mistake(serve: Serve) -> None:
    server = await serve(chat)
    with pytest.raises(UserError, match="LiteLLM cannot ask 'other'"):
        await LiteLLMRouterModel('other', deployments(server, 'gpt-4o')).request(HELLO)


async def test_a_ready_router_is_used_as_it_is(serve: Serve) -> None:
    server = await serve(chat)
    router = LITELLM.wait().Router(model_list=deployments(server, 'gpt-4o'), num_retries=0)
    asked = LiteLLMRouterModel('group', router=router)
    assert (await asked.request(HELLO)).text == 'Hello!'
    assert asked.client is router


def test_the_profile_of_a_group_is_that_of_its_first_deployment() -> None:
    listed = [{'model_name': 'group', 'litellm_params': {'model': 'anthropic/claude-sonnet-4-5'}}]
    profile = LiteLLMRouterModel('group', listed).profile
    assert profile == litellm_model_profile('anthropic/claude-sonnet-4-5')


def test_a_router_that_is_made_is_the_client() -> None:
    listed = [{'model_name': 'group', 'litellm_params': {'model': 'openai/gpt-4o', 'api_key': KEY}}]
    client = LiteLLMProvider(model_list=listed).client
    assert (type(client).__name__, client.num_retries) == ('Router', 0)
    assert LiteLLMProvider().client is LITELLM.wait()


# ------------------------------------------------------------------------------------------------- options and profiles


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'num_retries': 3}, 'num_retries= would multiply with the retries of this library'),
        ({'max_retries': 3}, 'max_retries= would multiply'),
        ({'messages': []}, 'messages= is set by each request'),
        ({'requests_per_minute': 3}, 'requests_per_minute= is no option of LiteLLM'),
        ({'api_base': 'localhost:8000'}, "api_base= of 'litellm' is 'localhost:8000', which is not a valid URL"),
        ({'api_key': 'sk-\n'}, 'character 4 of 4 is a line break'),
        ({'model_list': []}, 'model_list= is empty'),
        ({'client_kwargs': {}}, 'client_kwargs= are options of a router'),
        ({'router': object(), 'model_list': [{}]}, 'router= brings its own deployments'),
    ],
)
def test_options_that_cannot_be_used_are_refused(options: Json, message: str) -> None:
    with pytest.raises(UserError, match=message):
        LiteLLMProvider(**options)


def test_a_ready_provider_takes_no_other_option() -> None:
    with pytest.raises(UserError, match='api_version= and a ready provider= do not go together'):
        LiteLLMModel('openai/gpt-4o', provider=LiteLLMProvider(), api_version='1')


def test_the_prefix_makes_a_model_of_this_provider() -> None:
    named = infer_model('litellm:anthropic/claude-sonnet-4-5', api_key=KEY)
    assert (type(named), named.model_name, named.system) == (LiteLLMModel, 'anthropic/claude-sonnet-4-5', 'litellm')
    assert type(infer_provider('litellm')) is LiteLLMProvider


def test_an_address_is_shown_without_its_password() -> None:
    provider = LiteLLMProvider(api_base='http://me:secret@localhost:8000/v1')
    assert repr(provider) == "LiteLLMProvider(name='litellm', base_url='http://localhost:8000/v1')"
    assert LiteLLMProvider().base_url == 'litellm'


@pytest.mark.parametrize(
    ('name', 'facts'),
    [
        ('openai/gpt-4o', {'openai_strict_tools': True, 'openai_thinking_back': 'tags', 'supports_thinking': False}),
        ('gpt-5-mini', {'openai_strict_tools': True, 'supports_thinking': True}),
        ('openai/my-own', {'openai_strict_tools': False}),
        ('anthropic/claude-sonnet-4-5', {'openai_thinking_back': 'details', 'supports_thinking': True}),
        ('bedrock/us.anthropic.claude-3-5-haiku-20241022-v1:0', {'supports_thinking': False}),
        ('gemini/gemini-2.0-flash', {'supports_thinking': False, 'openai_thinking_back': 'field'}),
        ('vertex_ai/gemini-2.5-pro', {'supports_thinking': True, 'openai_thinking_off': 'none'}),
        ('deepseek/deepseek-reasoner', {'thinking_always_enabled': True, 'openai_thinking_back': 'field'}),
        ('groq/llama-3.3-70b-versatile', {'openai_flatten_content': 'texts'}),
        ('cerebras/qwen-3-32b', {'openai_flatten_content': 'texts'}),
        ('ollama_chat/qwen3', {'openai_flatten_content': 'texts'}),
        ('mistral/mistral-large', {'openai_flatten_content': False, 'openai_max_tokens_field': 'max_tokens'}),
    ],
)
def test_a_profile(name: str, facts: Json) -> None:
    profile = litellm_model_profile(name)
    assert isinstance(profile, OpenAIModelProfile)
    assert {field: getattr(profile, field) for field in facts} == facts


# ------------------------------------------------------------------------------------------------------ what it changes

PROGRAM = """
import os, sys
before = dict(os.environ)
import pydantic_llm
from pydantic_llm.models.litellm import LiteLLMModel, LiteLLMRouterModel
model = LiteLLMModel('openai/gpt-4o', api_key='k')
listed = [{'model_name': 'g', 'litellm_params': {'model': 'openai/gpt-4o'}}]
router = LiteLLMRouterModel('g', listed, client_kwargs={'num_retries': 1})
pydantic_llm.infer_model('litellm:openai/gpt-4o')
assert 'litellm' not in sys.modules
assert dict(os.environ) == before
client = model.client
import litellm
assert client is litellm
assert litellm.suppress_debug_info
assert litellm.model_cost
added = {name: value for name, value in os.environ.items() if before.get(name) != value and 'LITELLM' in name}
print(sorted(added.items()))
print(litellm.drop_params, litellm.num_retries, litellm.callbacks, litellm.success_callback)
"""


def run(**environment: str) -> str:
    clean = {name: value for name, value in os.environ.items() if not name.startswith('LITELLM_')}
    done = subprocess.run(
        [sys.executable, '-c', PROGRAM], env={**clean, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_litellm_is_imported_at_the_first_request_and_fetches_nothing() -> None:
    names = ['LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS', 'LITELLM_LOCAL_MODEL_COST_MAP', 'LITELLM_OFFLINE_MODE']
    assert run().splitlines() == [str([(name, 'True') for name in names]), 'False None [] []']


def test_variables_that_the_user_has_set_stay() -> None:
    said = run(LITELLM_OFFLINE_MODE='false', LITELLM_LOCAL_MODEL_COST_MAP='true').splitlines()[0]
    assert said == "[('LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS', 'True')]"


async def test_messages_are_litellms_to_change_and_ours_to_keep(serve: Serve) -> None:
    server = await serve(answers(WHOLE['anthropic/claude-sonnet-4-5']))
    before = json.dumps([str(message) for message in HELLO])
    await model(server, 'anthropic/claude-sonnet-4-5').request(HELLO)
    assert json.dumps([str(message) for message in HELLO]) == before


async def test_an_error_of_litellms_own_is_one_of_ours(serve: Serve) -> None:
    settings: ModelSettings = {'extra_body': {'response_format': 7}}
    with pytest.raises((ModelAPIError, UserError)):
        await model(await serve(chat), 'anthropic/claude-sonnet-4-5').request(HELLO, settings)


@pytest.mark.parametrize('stream', [False, True], ids=['whole', 'streamed'])
async def test_the_import_is_part_of_no_deadline(serve: Serve, monkeypatch: pytest.MonkeyPatch, stream: bool) -> None:
    """An import of 0.6 s does not end a request whose `timeout` is 0.5 s."""

    def import_slowly() -> Any:
        time.sleep(0.6)
        return LITELLM.wait()

    server = await serve(send_completion)
    asked = model(server)
    await asked.request(HELLO)  # LiteLLM connects slowly for the first time
    monkeypatch.setattr('pydantic_llm.providers.litellm_connection.LITELLM', Once(import_slowly))
    settings: ModelSettings = {'timeout': 0.5, 'retries': 0}
    response = await (stream_response(asked, settings) if stream else asked.request(HELLO, settings))
    assert response.text == 'Hello!'
