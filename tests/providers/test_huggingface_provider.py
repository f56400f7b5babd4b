"""Hugging Face's provider: tokens, services, endpoints, and the lookup of services at the Hub."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

import httpx
import httpx2
import pytest
from huggingface_hub import AsyncInferenceClient, constants, set_async_client_factory
from huggingface_hub.inference._providers import _common, hf_inference
from huggingface_hub.utils._http import default_async_client_factory

from pydantic_llm.exceptions import (
    AuthenticationError,
    ModelAPIError,
    ModelConnectionError,
    ModelTimeoutError,
    NotFoundError,
    OverloadedError,
    UnexpectedModelBehavior,
    UserError,
)
from pydantic_llm.messages import ModelRequest, TextPart
from pydantic_llm.models import ModelRequestParameters, OutputObjectDefinition, infer_model
from pydantic_llm.models.huggingface import HuggingFaceModel
from pydantic_llm.profiles.openai import OpenAIModelProfile
from pydantic_llm.providers import huggingface, infer_provider
from pydantic_llm.providers.huggingface import PROBE, HuggingFaceProvider, Routes
from pydantic_llm.providers.openai import OpenAIProvider
from tests.providers.server import STOPPED, Json, Server as Answers, chunks
from tests.transport.server import Exchange, Handler, Server

HELLO = [ModelRequest.user_text_prompt('Hello?')]
QWEN = 'Qwen/Qwen3-32B'
ROUTER = 'https://router.huggingface.co'
AUTO = f'{ROUTER}/v1/chat/completions'

Hub = Callable[[Handler], Awaitable[Server]]


@pytest.fixture(autouse=True)
def nobody_is_logged_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No token but those of the test; gives where one that logs in would put it."""
    for name in (*huggingface.KEY_VARIABLES, *huggingface.URL_VARIABLES, 'HF_OIDC_RESOURCE'):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / 'token'
    monkeypatch.setattr(constants, 'HF_TOKEN_PATH', str(path))
    monkeypatch.setattr(constants, 'HF_STORED_TOKENS_PATH', str(tmp_path / 'stored_tokens'))
    return path


@pytest.fixture
async def hub(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Hub]:
    """Start a Hub, which is asked by the package itself; what the package remembers of others is forgotten."""
    _common._fetch_inference_provider_mapping.cache_clear()
    hf_inference._check_supported_task.cache_clear()
    async with asyncio.timeout(20):
        servers: list[Any] = []

        async def start(handler: Handler) -> Server:
            running = Server(handler).run()
            server = await running.__aenter__()
            servers.append(running)
            monkeypatch.setattr(constants, 'ENDPOINT', server.url)
            return server

        yield start
        for running in servers:
            await running.__aexit__(None, None, None)


@pytest.fixture
def default_sessions() -> Iterator[None]:
    """The package makes its clients as it does by itself, after the test."""
    yield
    set_async_client_factory(default_async_client_factory)


def serve_model(**services: str) -> Handler:
    """A Hub on which a model is served by these services, under these names."""

    async def answer(exchange: Exchange) -> None:
        mapping = [
            {'provider': provider.replace('_', '-'), 'providerId': name, 'status': 'live', 'task': 'conversational'}
            for provider, name in services.items()
        ]
        await exchange.respond({'id': QWEN, 'inferenceProviderMapping': mapping})

    return answer


def model(answers: Answers, name: str = QWEN, **options: Any) -> HuggingFaceModel:
    """Return a model whose server, at any URL, sends these responses."""
    provider = HuggingFaceProvider(**{'api_key': 'hf_key', 'http_client': answers.client(), **options})
    return HuggingFaceModel(name, provider=provider)


async def sent(name: str = QWEN, **options: Any) -> Any:
    """The request that is sent."""
    answers = Answers()
    await model(answers, name, **options).request(HELLO)
    return answers.request


# --------------------------------------------------------------------------------------------------------------- tokens


async def test_the_key_of_the_parameter_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('HF_TOKEN', 'hf_environment')
    assert (await sent(api_key='hf_given')).headers['authorization'] == 'Bearer hf_given'


@pytest.mark.parametrize('variable', ['HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN'])
async def test_the_key_is_found_in_the_environment(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, 'hf_environment')
    assert (await sent(api_key=None)).headers['authorization'] == 'Bearer hf_environment'


def test_the_key_is_found_where_hf_auth_login_put_it(nobody_is_logged_in: Path) -> None:
    nobody_is_logged_in.write_text('hf_stored')
    assert asyncio.run(sent(api_key=None)).headers['authorization'] == 'Bearer hf_stored'


def test_a_stored_token_is_read_again_once_it_is_refused(nobody_is_logged_in: Path) -> None:
    nobody_is_logged_in.write_text('hf_old')
    tokens: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        tokens.append(request.headers['authorization'])
        nobody_is_logged_in.write_text('hf_new')
        return httpx2.Response(200, json=STOPPED) if 'hf_new' in tokens[-1] else httpx2.Response(401, json={})

    provider = HuggingFaceProvider(http_client=httpx2.AsyncClient(transport=httpx2.MockTransport(answer)))
    for _ in range(2):
        assert asyncio.run(HuggingFaceModel(QWEN, provider=provider).request(HELLO)).parts == [TextPart('Hello!')]
    assert tokens == ['Bearer hf_old', 'Bearer hf_new', 'Bearer hf_new']


async def test_a_given_token_that_is_refused_is_an_authentication_error() -> None:
    answers = Answers({'error': 'Invalid username or password.'}, status=401)
    with pytest.raises(AuthenticationError, match=r'answered 401: Invalid username or password\.'):
        await model(answers).request(HELLO)
    assert len(answers.requests) == 1


def test_a_missing_key_is_reported_when_the_model_is_built() -> None:
    with pytest.raises(UserError) as caught:
        HuggingFaceModel(QWEN)
    assert caught.value.message == (
        "The key of 'huggingface' is missing: set the environment variable HF_TOKEN, give api_key=, or log in with "
        "'hf auth login'"
    )


def test_a_key_that_no_header_can_carry_is_refused_without_showing_it() -> None:
    with pytest.raises(UserError, match='character 10 of 10 is a line break') as caught:
        HuggingFaceProvider(api_key='hf_secret\n')
    assert 'hf_secret' not in str(caught.value)


async def test_nothing_that_can_be_printed_holds_the_key() -> None:
    answers = Answers({'error': 'The token hf_supersecret is not known'}, status=401)
    asked = model(answers, api_key='hf_supersecret')
    with pytest.raises(AuthenticationError) as caught:
        await asked.request(HELLO)
    told = [asked, asked.provider, asked.client, caught.value, caught.value.__dict__, caught.value.__cause__]
    assert 'supersecret' not in ' '.join(map(repr, told))


# ------------------------------------------------------------------------------------------------- where a request goes

LOCAL = 'http://localhost:8080/v1/chat/completions'
OPENAI = 'https://api.openai.com/v1'
CLOUD = 'https://x.aws.endpoints.huggingface.cloud/a'

PLACES: list[tuple[Json, str, str, str]] = [
    ({}, QWEN, AUTO, QWEN),
    ({}, f'{QWEN}:together', AUTO, f'{QWEN}:together'),
    ({'provider_name': 'auto'}, QWEN, AUTO, QWEN),
    ({'base_url': 'http://localhost:8080'}, 'tgi', LOCAL, 'tgi'),
    ({'base_url': 'http://localhost:8080/v1/'}, 'tgi', LOCAL, 'tgi'),
    ({'base_url': CLOUD}, 'm', f'{CLOUD}/v1/chat/completions', 'm'),
    ({'hf_client': AsyncInferenceClient(f'{LOCAL}?a=1')}, 'm', f'{LOCAL}?a=1', 'm'),
    ({'hf_client': AsyncInferenceClient('another/model')}, QWEN, AUTO, QWEN),
    ({'provider_name': 'openai', 'api_key': 'sk-key'}, 'gpt-4o', f'{OPENAI}/chat/completions', 'gpt-4o'),
]


@pytest.mark.parametrize(('options', 'name', 'url', 'called'), PLACES)
async def test_where_requests_go(options: Json, name: str, url: str, called: str) -> None:
    request = await sent(name, **options)
    assert (str(request.url), json.loads(request.content)['model']) == (url, called)


ROUTES: list[tuple[Json, str]] = [
    ({'provider_name': 'together'}, f'{ROUTER}/together/v1/chat/completions'),
    ({'provider_name': 'fireworks-ai'}, f'{ROUTER}/fireworks-ai/inference/v1/chat/completions'),
    ({'provider_name': 'groq', 'api_key': 'gsk_key'}, 'https://api.groq.com/openai/v1/chat/completions'),
    ({'hf_client': AsyncInferenceClient(provider='cerebras')}, f'{ROUTER}/cerebras/v1/chat/completions'),
]


@pytest.mark.parametrize(('options', 'url'), ROUTES)
async def test_a_service_is_asked_under_the_name_that_the_hub_knows(hub: Hub, options: Json, url: str) -> None:
    asked = await hub(serve_model(together='qwen-3', fireworks_ai='qwen-3', groq='qwen-3', cerebras='qwen-3'))
    request = await sent(**options)
    assert (str(request.url), json.loads(request.content)['model']) == (url, 'qwen-3')
    assert [exchange.path for exchange in asked.requests] == [f'/api/models/{QWEN}?expand=inferenceProviderMapping']


async def test_a_model_at_hf_inference_has_an_address_of_its_own(hub: Hub) -> None:
    async def answer(exchange: Exchange) -> None:
        await exchange.respond({'id': QWEN, 'pipeline_tag': 'text-generation', 'tags': ['conversational']})

    await hub(answer)
    request = await sent(provider_name='hf-inference')
    assert str(request.url) == f'{ROUTER}/hf-inference/models/{QWEN}/v1/chat/completions'


@pytest.mark.parametrize(
    ('options', 'shown'),
    [
        ({}, ROUTER),
        ({'provider_name': 'groq'}, f'{ROUTER}/groq'),
        ({'provider_name': 'groq', 'api_key': 'gsk_key'}, 'https://api.groq.com'),
        ({'provider_name': 'hf-inference'}, f'{ROUTER}/hf-inference'),
        ({'base_url': 'http://user:secret@localhost:8080'}, 'http://localhost:8080'),
    ],
)
def test_the_address_that_is_shown(options: Json, shown: str) -> None:
    provider = HuggingFaceProvider(**{'api_key': 'hf_key', **options})
    assert provider.base_url == shown
    assert repr(provider) == f"HuggingFaceProvider(name='huggingface', base_url={shown!r})"


async def test_an_endpoint_needs_no_key() -> None:
    request = await sent('tgi', api_key=None, base_url='http://localhost:8080')
    assert 'authorization' not in request.headers


@pytest.mark.parametrize('variable', huggingface.URL_VARIABLES)
async def test_an_endpoint_is_found_in_the_environment(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, 'http://localhost:8080')
    assert str((await sent('tgi', api_key=None)).url) == LOCAL
    assert str((await sent(hf_client=AsyncInferenceClient())).url) == AUTO
    assert HuggingFaceProvider(api_key='hf_key', provider_name='groq').base_url == f'{ROUTER}/groq'
    monkeypatch.setenv(variable, 'localhost')
    with pytest.raises(UserError, match=f'{variable} of .huggingface. is .localhost., which is not a valid URL'):
        HuggingFaceProvider()


async def test_the_address_of_an_endpoint_is_a_models_name() -> None:
    asked = HuggingFaceModel('http://localhost:8080')
    assert (asked.base_url, asked.profile) == (
        'http://localhost:8080',
        HuggingFaceProvider(base_url='http://localhost:8080').model_profile('http://localhost:8080'),
    )
    answers = Answers()
    provider = HuggingFaceProvider(base_url='http://localhost:8080', http_client=answers.client())
    await HuggingFaceModel('http://localhost:8080', provider=provider).request(HELLO)
    assert answers.body['model'] == 'dummy'


async def test_a_server_of_the_hub_can_be_asked_by_another_provider() -> None:
    answers = Answers()
    provider = OpenAIProvider(base_url=f'{ROUTER}/v1', api_key='hf_key', http_client=answers.client())
    await HuggingFaceModel(QWEN, provider=provider).request(HELLO)  # pyright: ignore[reportArgumentType]
    assert (str(answers.request.url), answers.body['model']) == (AUTO, QWEN)


async def test_a_model_that_the_request_names_itself_is_left_alone() -> None:
    answers = Answers()
    await model(answers).request(HELLO, {'extra_body': {'model': 'other'}})
    assert answers.body['model'] == 'other'


def test_the_prefix_makes_a_model_of_this_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('HF_TOKEN', 'hf_key')
    named = infer_model(f'huggingface:{QWEN}')
    assert (type(named), named.model_name, named.system) == (HuggingFaceModel, QWEN, 'huggingface')
    assert type(infer_provider('huggingface')) is HuggingFaceProvider


# -------------------------------------------------------------------------------------------------------------- clients


async def test_a_ready_client_keeps_what_it_is_set_to() -> None:
    client = AsyncInferenceClient(
        token='hf_own', headers={'X-Team': 'a'}, cookies={'a': '1', 'b': '2'}, bill_to='my-org', timeout=7
    )
    answers = Answers()
    provider = HuggingFaceProvider(hf_client=client, http_client=answers.client())
    await HuggingFaceModel(QWEN, provider=provider).request(HELLO)
    headers = answers.request.headers
    assert (headers['authorization'], headers['x-team'], headers['cookie']) == ('Bearer hf_own', 'a', 'a=1; b=2')
    assert headers.get_list('x-hf-bill-to') == ['my-org']
    assert provider.client is client
    assert client._async_client is None


async def test_a_key_is_used_for_a_ready_client_without_a_token() -> None:
    for client, token in ((AsyncInferenceClient(), 'hf_given'), (AsyncInferenceClient(token='hf_own'), 'hf_own')):
        request = await sent(hf_client=client, api_key='hf_given')
        assert request.headers['authorization'] == f'Bearer {token}'
        assert client.token in (None, 'hf_own')


async def test_the_organization_that_pays_is_sent() -> None:
    assert (await sent(bill_to='my-org')).headers['x-hf-bill-to'] == 'my-org'


async def test_headers_of_the_request_take_the_place_of_the_clients() -> None:
    answers = Answers()
    asked = model(answers, bill_to='my-org')
    await asked.request(HELLO, {'extra_headers': {'X-HF-Bill-To': 'another'}})
    assert answers.request.headers.get_list('x-hf-bill-to') == ['another']
    assert answers.request.headers.get_list('content-type') == ['application/json']


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'hf_client': object()}, "hf_client= takes an AsyncInferenceClient, not an object of type 'object'"),
        ({'hf_client': AsyncInferenceClient(), 'provider_name': 'groq'}, 'hf_client= brings its own'),
        ({'hf_client': AsyncInferenceClient(), 'base_url': 'http://x'}, 'hf_client= brings its own'),
        ({'hf_client': AsyncInferenceClient(), 'bill_to': 'me'}, 'hf_client= brings its own'),
        ({'base_url': 'http://x', 'provider_name': 'groq'}, 'base_url= and provider_name= do not go together'),
        ({'base_url': 'localhost:8080'}, "write it like 'http://localhost:8080'"),
        ({'provider_name': 'grok'}, "provider_name='grok' cannot be asked: Provider 'grok' not supported"),
        ({'provider_name': 'fal-ai'}, "provider_name='fal-ai' cannot be asked: Task 'conversational' not supported"),
        (
            {'http_client': httpx.AsyncClient(), 'provider_name': 'groq'},
            r'takes an httpx2\.AsyncClient, which the huggingface_hub',
        ),
    ],
)
def test_what_cannot_be_used_is_refused(options: Json, message: str) -> None:
    with pytest.raises(UserError, match=message):
        HuggingFaceProvider(**{'api_key': 'hf_key', **options})


async def test_a_foreign_key_needs_the_service_that_it_is_for() -> None:
    with pytest.raises(UserError, match='cannot be asked: Cannot select auto-router when using non-Hugging Face API'):
        await sent(api_key='sk-key')


@pytest.mark.parametrize(
    ('client', 'timeout'),
    [
        (None, httpx2.Timeout(600, connect=10)),
        (AsyncInferenceClient(token='hf_key'), httpx2.Timeout(600, connect=10)),
        (AsyncInferenceClient(token='hf_key', timeout=7), httpx2.Timeout(7)),
    ],
)
async def test_the_timeout_is_the_clients_or_a_default(
    client: AsyncInferenceClient | None, timeout: httpx2.Timeout
) -> None:
    given: Any = {'hf_client': client} if client else {'api_key': 'hf_key'}
    connection: Any = HuggingFaceProvider(**given).connection
    assert connection._clients.get().timeout == timeout


@pytest.mark.usefixtures('default_sessions')
async def test_the_bytes_go_through_a_client_as_the_package_makes_them() -> None:
    answers = Answers()
    set_async_client_factory(answers.client)
    provider = HuggingFaceProvider(hf_client=AsyncInferenceClient(token='hf_key'))
    asked = HuggingFaceModel(QWEN, provider=provider)
    assert (await asked.request(HELLO)).parts == [TextPart('Hello!')]
    assert str(answers.request.url) == AUTO


async def test_a_stream_goes_to_the_url_of_a_whole_response() -> None:
    answers = Answers(chunks({'content': 'Hi'}))
    async with model(answers).request_stream(HELLO) as stream:
        async for _ in stream:
            pass
    assert (stream.get().parts, str(answers.request.url)) == ([TextPart('Hi')], AUTO)


def test_a_provider_outlives_its_event_loop() -> None:
    answers = Answers()
    asked = model(answers)
    for _ in range(3):
        assert asyncio.run(asked.request(HELLO)).parts == [TextPart('Hello!')]


# ------------------------------------------------------------------------------------------------------ what is sent on

SCHEMA: Json = {'type': 'object', 'properties': {'city': {'type': ['string', 'null'], 'default': None}}}
OUTPUT = ModelRequestParameters(output_mode='native', output_object=OutputObjectDefinition(SCHEMA, 'city'))


@pytest.mark.parametrize(
    ('options', 'sent_format'),
    [
        ({}, {'type': 'json_schema', 'json_schema': {'name': 'city', 'schema': SCHEMA, 'strict': False}}),
        ({'provider_name': 'fireworks-ai'}, {'type': 'json_object', 'schema': SCHEMA}),
        ({'provider_name': 'cohere'}, {'type': 'json_object', 'schema': SCHEMA}),
        ({'base_url': 'http://localhost:8080'}, {'type': 'json_object', 'value': SCHEMA}),
    ],
)
async def test_an_output_has_the_form_that_the_service_knows(hub: Hub, options: Json, sent_format: Json) -> None:
    await hub(serve_model(fireworks_ai='qwen-3', cohere='qwen-3'))
    answers = Answers()
    asked = HuggingFaceModel(
        QWEN,
        provider=HuggingFaceProvider(**{'api_key': 'hf_key', 'http_client': answers.client(), **options}),
        profile={'json_schema_transformer': None},
    )
    await asked.request(HELLO, None, OUTPUT)
    told = answers.body['response_format']
    told.get('json_schema', {}).setdefault('strict', False)
    assert told == sent_format
    assert answers.body['messages'] == [{'role': 'user', 'content': 'Hello?'}]


async def test_text_of_the_user_is_no_output_format(hub: Hub) -> None:
    await hub(serve_model(fireworks_ai='qwen-3'))
    answers = Answers()
    prompt = 'What is "response_format"? {"model":"x"}'
    await model(answers, provider_name='fireworks-ai').request([ModelRequest.user_text_prompt(prompt)])
    assert answers.body == {'model': 'qwen-3', 'messages': [{'role': 'user', 'content': prompt}]}


async def test_a_format_of_the_users_own_is_sent_as_it_is() -> None:
    answers = Answers()
    asked = model(answers, 'tgi', base_url='http://localhost:8080')
    for own in ({'type': 'json_schema'}, {'type': 'json', 'value': {'type': 'object'}}, None):
        await asked.request(HELLO, {'extra_body': {'response_format': own}})
    assert [json.loads(request.content)['response_format'] for request in answers.requests] == [
        {'type': 'json_schema'},
        {'type': 'json', 'value': {'type': 'object'}},
        None,
    ]


# ------------------------------------------------------------------------------------------- when the Hub must be asked


async def test_the_hub_is_asked_once_by_all_who_wait(hub: Hub) -> None:
    asked = await hub(serve_model(together='qwen-3'))
    together = model(Answers(), provider_name='together')
    await asyncio.gather(*(together.request(HELLO) for _ in range(50)))
    await together.request(HELLO)
    assert len(asked.requests) == 1


async def test_the_event_loop_goes_on_while_the_hub_is_asked(hub: Hub) -> None:
    """The Hub runs in the loop that waits for it: were that loop blocked, there would be no answer."""
    asked = await hub(serve_model(together='qwen-3'))
    asking = asyncio.create_task(model(Answers(), provider_name='together').request(HELLO))
    await asked.until(lambda: bool(asked.requests))
    assert (await asking).parts == [TextPart('Hello!')]


async def test_a_cancelled_waiter_does_not_end_it_for_the_others(hub: Hub) -> None:
    release = asyncio.Event()

    async def answer(exchange: Exchange) -> None:
        await release.wait()
        await serve_model(together='qwen-3')(exchange)

    asked = await hub(answer)
    together = model(Answers(), provider_name='together')
    impatient, patient = (asyncio.create_task(together.request(HELLO)) for _ in range(2))
    await asked.until(lambda: bool(asked.requests))
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    release.set()
    assert (await patient).parts == [TextPart('Hello!')]
    assert len(asked.requests) == 1


async def silence(exchange: Exchange) -> None:
    await exchange.wait_until_gone()


async def test_a_deadline_holds_while_the_hub_is_asked(hub: Hub) -> None:
    await hub(silence)
    began = perf_counter()
    with pytest.raises(ModelTimeoutError) as caught:
        await model(Answers(), provider_name='together').request(HELLO, {'timeout': 0.2})
    assert (caught.value.deadline, caught.value.seconds, perf_counter() - began < 2) == ('timeout', 0.2, True)


async def test_waiting_for_the_hub_has_a_limit(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface, 'LOOKUP_TIMEOUT', 0.2)
    await hub(silence)
    with pytest.raises(ModelTimeoutError, match="within the connection's own limit"):
        await model(Answers(), provider_name='together').request(HELLO)


def refuses(status: int, body: Any, **headers: str) -> Handler:
    async def answer(exchange: Exchange) -> None:
        await exchange.respond(body, status=status, headers=headers)

    return answer


NOT_SERVED = f"The Hub does not say where '{QWEN}' is served: {QWEN} answered"
CANNOT_BE_READ = f"What the Hub says of '{QWEN}' cannot be read"


@pytest.mark.parametrize(
    ('answer', 'kind', 'message'),
    [
        (refuses(404, {'error': 'Repository not found'}), NotFoundError, f'{NOT_SERVED} 404: Repository not found'),
        (refuses(401, {'error': 'Invalid username'}), AuthenticationError, f'{NOT_SERVED} 401: Invalid username'),
        (refuses(503, b'<html>'), OverloadedError, f'{NOT_SERVED} 503: a web page'),
        (
            serve_model(groq='qwen-3'),
            UserError,
            f"'{QWEN}' cannot be asked: Model {QWEN} is not supported by provider tog",
        ),
        (refuses(200, b'<html>'), UnexpectedModelBehavior, CANNOT_BE_READ),
        (refuses(200, []), UnexpectedModelBehavior, CANNOT_BE_READ),
        (refuses(200, {'id': 'x', 'inferenceProviderMapping': [{}]}), UnexpectedModelBehavior, CANNOT_BE_READ),
    ],
)
async def test_a_failure_of_the_hub_is_an_error_of_ours(
    hub: Hub, answer: Handler, kind: type[Exception], message: str
) -> None:
    await hub(answer)
    with pytest.raises(kind) as caught:
        await model(Answers(), provider_name='together').request(HELLO)
    assert str(caught.value).startswith(message)
    assert type(caught.value) is kind


async def test_a_hub_that_cannot_be_reached_is_a_connection_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, 'ENDPOINT', 'http://127.0.0.1:1')
    with pytest.raises(ModelConnectionError) as caught:
        await model(Answers(), 'never/asked', provider_name='together').request(HELLO)
    assert 'connection refused (http://127.0.0.1:1)' in str(caught.value)


async def test_being_offline_is_a_connection_error(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, 'HF_HUB_OFFLINE', True)
    await hub(serve_model(together='qwen-3'))
    with pytest.raises(ModelConnectionError, match='offline mode'):
        await model(Answers(), provider_name='together').request(HELLO)


async def test_a_name_that_no_model_can_have_is_the_users_mistake(hub: Hub) -> None:
    await hub(serve_model(together='qwen-3'))
    with pytest.raises(UserError, match="'a/b/c' cannot be asked: "):
        await model(Answers(), 'a/b/c', provider_name='together').request(HELLO)


async def test_a_failed_lookup_is_tried_again(hub: Hub) -> None:
    answers = iter([refuses(503, {'error': 'busy'}), serve_model(together='qwen-3')])

    async def answer(exchange: Exchange) -> None:
        await next(answers)(exchange)

    await hub(answer)
    together = model(Answers(), provider_name='together')
    with pytest.raises(ModelAPIError):
        await together.request(HELLO)
    assert (await together.request(HELLO)).parts == [TextPart('Hello!')]


# ------------------------------------------------------------------------------------------------------------- profiles


def test_an_endpoint_takes_what_tgi_takes() -> None:
    router, endpoint = (
        HuggingFaceProvider(api_key='hf_key', base_url=url).model_profile('meta-llama/Llama-3.3-70B-Instruct')
        for url in (None, 'http://localhost:8080')
    )
    assert isinstance(router, OpenAIModelProfile)
    assert isinstance(endpoint, OpenAIModelProfile)
    told = ('supports_json_object_output', 'openai_constraints', 'openai_joins_system_messages')
    assert [getattr(router, name) for name in told] == [True, 'json_schema', False]
    assert [getattr(endpoint, name) for name in told] == [False, 'tgi', True]


# ---------------------------------------------------------------------- without the package


@pytest.mark.parametrize(
    'url',
    [None, 'https://host', 'https://host/', 'https://host/a/v1', 'http://h/x/'],
)
@pytest.mark.parametrize('model', ['org/model', 'https://me.endpoints.huggingface.cloud/v1/'])
@pytest.mark.parametrize('bill_to', [None, 'my-org'])
async def test_a_known_route_is_that_of_the_package(url: str | None, model: str, bill_to: str | None) -> None:
    provider = HuggingFaceProvider(api_key='hf_key', base_url=url, bill_to=bill_to)
    known = await provider.connection._routes.get(model)  # type: ignore[attr-defined]
    found = Routes(provider.client, 'hf_key', lambda: None)._find_route(model)
    headers = {name: value for name, value in found.access.headers.items() if name != 'user-agent'}
    assert (known.access.base_url, known.access.headers) == (found.access.base_url, headers)
    assert known.model_name == found.model_name
    assert (known.rewrite_format is None) == (found.rewrite_format is None)
    if known.rewrite_format is not None and found.rewrite_format is not None:
        assert known.rewrite_format(PROBE) == found.rewrite_format(PROBE)
