"""Azure's provider: endpoints, versions, credentials, token providers, and the effects of Azure's content filter."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable
from types import ModuleType
from typing import Any, NamedTuple

import httpx
import httpx2
import pytest
from openai import AsyncAzureOpenAI, AsyncOpenAI

from pydantic_llm import Agent
from pydantic_llm.exceptions import (
    AuthenticationError,
    ContentFilterError,
    ModelHTTPError,
    ModelTimeoutError,
    NotFoundError,
    RateLimitError,
    UserError,
)
from pydantic_llm.messages import ModelRequest, ModelResponse, TextPart
from pydantic_llm.models import Model, infer_model
from pydantic_llm.models.openai import OpenAIChatModel, OpenAIModel, OpenAIResponsesModel
from pydantic_llm.profiles.openai import OpenAIModelProfile, openai_model_profile
from pydantic_llm.providers import infer_provider
from pydantic_llm.providers.azure import AzureProvider
from pydantic_llm.settings import ModelSettings
from tests.providers.server import STOPPED, Json, Server, chunks

HELLO = [ModelRequest.user_text_prompt('Hello?')]
RESOURCE, VERSION, V1 = 'https://me.openai.azure.com', '2024-10-21', 'https://me.openai.azure.com/openai/v1/'

RESPONSE: Json = {
    'id': 'resp_1',
    'status': 'completed',
    'model': 'gpt-4o',
    'output': [
        {'type': 'message', 'id': 'msg_1', 'role': 'assistant', 'content': [{'type': 'output_text', 'text': 'Hello!'}]}
    ],
}
"""A whole response of the Responses API."""

PLACES = pytest.mark.parametrize(
    'place', [{'azure_endpoint': RESOURCE, 'api_version': VERSION}, {'azure_endpoint': V1}]
)
"""Both of Azure's APIs."""


def azure(server: Server, **options: Any) -> AzureProvider:
    """A provider whose resource is this server."""
    place = {} if 'azure_endpoint' in options else {'azure_endpoint': RESOURCE, 'api_version': VERSION}
    key = {} if {'azure_ad_token', 'azure_ad_token_provider'} & options.keys() else {'api_key': 'key'}
    return AzureProvider(**{**place, **key, 'http_client': server.client(), **options})


async def stream_response(model: Model, settings: ModelSettings | None = None) -> ModelResponse:
    async with model.request_stream(HELLO, settings) as stream:
        async for _ in stream:
            pass
    return stream.get()


# ------------------------------------------------------------------------------------------------------------ endpoints


@pytest.mark.parametrize(
    ('endpoint', 'version', 'chat', 'responses'),
    [
        (
            RESOURCE,
            VERSION,
            f'{RESOURCE}/openai/deployments/prod%2F4o/chat/completions?api-version={VERSION}',
            f'{RESOURCE}/openai/responses?api-version={VERSION}',
        ),
        (
            f'{RESOURCE}/openai/',
            VERSION,
            f'{RESOURCE}/openai/deployments/prod%2F4o/chat/completions?api-version={VERSION}',
            f'{RESOURCE}/openai/responses?api-version={VERSION}',
        ),
        (
            'https://gateway.azure-api.net/team',
            VERSION,
            f'https://gateway.azure-api.net/team/openai/deployments/prod%2F4o/chat/completions?api-version={VERSION}',
            f'https://gateway.azure-api.net/team/openai/responses?api-version={VERSION}',
        ),
        (V1, None, f'{V1}chat/completions', f'{V1}responses'),
        (V1, 'preview', f'{V1}chat/completions?api-version=preview', f'{V1}responses?api-version=preview'),
        (
            'https://phi.eastus2.models.ai.azure.com',
            None,
            'https://phi.eastus2.models.ai.azure.com/v1/chat/completions',
            'https://phi.eastus2.models.ai.azure.com/v1/responses',
        ),
    ],
)
async def test_where_requests_go(endpoint: str, version: str | None, chat: str, responses: str) -> None:
    place = {'azure_endpoint': endpoint, 'api_version': version}
    server = Server()
    await OpenAIModel('prod/4o', provider=azure(server, **place)).request(HELLO)
    assert (str(server.request.url), server.body['model']) == (chat, 'prod/4o')
    server = Server(RESPONSE)
    await OpenAIResponsesModel('prod/4o', provider=azure(server, **place)).request(HELLO)
    assert (str(server.request.url), server.body['model']) == (responses, 'prod/4o')


async def test_a_stream_goes_to_the_url_of_a_whole_response() -> None:
    server = Server(chunks({'content': 'Hi'}))
    response = await stream_response(OpenAIModel('gpt-4o', provider=azure(server)))
    assert response.parts == [TextPart('Hi')]
    assert str(server.request.url) == f'{RESOURCE}/openai/deployments/gpt-4o/chat/completions?api-version={VERSION}'


def test_a_response_has_azures_name() -> None:
    provider = azure(Server())
    assert (provider.name, provider.base_url) == ('azure', f'{RESOURCE}/openai/')
    assert isinstance(provider.client, AsyncAzureOpenAI)
    assert OpenAIModel('gpt-4o', provider=provider).model_id == 'azure:gpt-4o'
    assert type(azure(Server(), azure_endpoint=V1).client) is AsyncOpenAI


@pytest.mark.parametrize(
    ('endpoint', 'said'),
    [
        ('me.openai.azure.com', "not a valid URL: write it like 'https://me.openai.azure.com'"),
        (
            f'{RESOURCE}/openai/deployments/prod/chat/completions?api-version={VERSION}',
            f"alone: give azure_endpoint='{RESOURCE}/', api_version='{VERSION}' and the model's name 'prod'",
        ),
        (
            f'{RESOURCE}/openai/responses?api-version={VERSION}',
            f"alone: give azure_endpoint='{RESOURCE}/' and api_version='{VERSION}'",
        ),
        (f'{V1}responses', f"alone: give azure_endpoint='{V1}'"),
        (
            f'https://me:hunter2@me.services.ai.azure.com/models/chat/completions?api-version={VERSION}',
            (
                "'https://me.services.ai.azure.com/models/chat/completions', and is to be the resource's address "
                'alone: '
                f"give azure_endpoint='https://me.services.ai.azure.com/' and api_version='{VERSION}'"
            ),
        ),
    ],
)
def test_the_url_of_an_operation_is_refused_with_its_parameters(endpoint: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        AzureProvider(azure_endpoint=endpoint, api_version=VERSION, api_key='key')
    assert str(caught.value).startswith("azure_endpoint= of 'azure' is ")
    assert str(caught.value).endswith(said)
    assert 'hunter2' not in str(caught.value)


# ---------------------------------------------------------------------------------------------------------- environment


@pytest.fixture
def resource(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment that names a resource, a version and a key."""
    monkeypatch.setenv('AZURE_OPENAI_ENDPOINT', RESOURCE)
    monkeypatch.setenv('AZURE_OPENAI_API_KEY', 'key-of-the-environment')
    monkeypatch.setenv('OPENAI_API_VERSION', VERSION)
    return monkeypatch


async def test_everything_is_found_in_the_environment(resource: pytest.MonkeyPatch) -> None:
    server = Server()
    await OpenAIModel('gpt-4o', provider=AzureProvider(http_client=server.client())).request(HELLO)
    assert str(server.request.url) == f'{RESOURCE}/openai/deployments/gpt-4o/chat/completions?api-version={VERSION}'
    assert server.request.headers['api-key'] == 'key-of-the-environment'


async def test_parameters_win_over_the_environment(resource: pytest.MonkeyPatch) -> None:
    resource.setenv('AZURE_OPENAI_AD_TOKEN', 'token-of-the-environment')
    server = Server()
    provider = azure(server, azure_endpoint='https://other.openai.azure.com', api_version='2025-01-01', api_key='given')
    await OpenAIModel('gpt-4o', provider=provider).request(HELLO)
    assert str(server.request.url) == (
        'https://other.openai.azure.com/openai/deployments/gpt-4o/chat/completions?api-version=2025-01-01'
    )
    assert server.request.headers['api-key'] == 'given'
    assert 'authorization' not in server.request.headers


async def test_a_token_in_the_environment_wins_over_a_key_there(resource: pytest.MonkeyPatch) -> None:
    resource.setenv('AZURE_OPENAI_AD_TOKEN', 'token-of-the-environment')
    server = Server()
    await OpenAIModel('gpt-4o', provider=AzureProvider(http_client=server.client())).request(HELLO)
    assert server.request.headers['authorization'] == 'Bearer token-of-the-environment'
    assert 'api-key' not in server.request.headers


async def test_the_version_of_the_environment_is_not_for_the_v1_api(resource: pytest.MonkeyPatch) -> None:
    server = Server()
    await OpenAIModel('gpt-4o', provider=azure(server, azure_endpoint=V1)).request(HELLO)
    assert str(server.request.url) == f'{V1}chat/completions'


@PLACES
async def test_azure_does_not_get_openais_variables(place: Json, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('OPENAI_ORG_ID', 'org-1')
    monkeypatch.setenv('OPENAI_PROJECT_ID', 'proj-1')
    monkeypatch.setenv('OPENAI_API_KEY', 'sk-of-openai')
    monkeypatch.setenv('OPENAI_BASE_URL', 'https://elsewhere/v1')
    server = Server()
    await OpenAIModel('gpt-4o', provider=azure(server, **place)).request(HELLO)
    assert server.request.url.host == 'me.openai.azure.com'
    headers = dict(server.request.headers)
    assert {'openai-organization', 'openai-project'}.isdisjoint(headers)
    assert 'sk-of-openai' not in str(headers)


@pytest.mark.parametrize('prefix', ['azure', 'azure-responses'])
def test_a_model_is_made_from_a_string(prefix: str, resource: pytest.MonkeyPatch) -> None:
    model = infer_model(f'{prefix}:prod')
    assert isinstance(model, OpenAIResponsesModel if prefix == 'azure-responses' else OpenAIChatModel)
    assert (model.model_name, model.system, model.base_url) == ('prod', 'azure', f'{RESOURCE}/openai/')


def test_a_model_takes_the_providers_name(resource: pytest.MonkeyPatch) -> None:
    assert OpenAIModel('prod', provider='azure').base_url == f'{RESOURCE}/openai/'
    assert OpenAIResponsesModel('prod', provider='azure', api_key='key').base_url == f'{RESOURCE}/openai/'
    assert isinstance(infer_provider('azure'), AzureProvider)


@pytest.mark.parametrize(
    ('missing', 'options', 'message'),
    [
        (
            'AZURE_OPENAI_ENDPOINT',
            {},
            (
                "The address of 'azure' is not known: set the environment variable AZURE_OPENAI_ENDPOINT, or give "
                'azure_endpoint='
            ),
        ),
        (
            'OPENAI_API_VERSION',
            {},
            (
                "The version of the API of 'azure' is missing: set the environment variable OPENAI_API_VERSION, give "
                f"api_version=, or give the address of the v1 API, azure_endpoint='{RESOURCE}/openai/v1/'"
            ),
        ),
        (
            'AZURE_OPENAI_API_KEY',
            {},
            (
                "The key of 'azure' is missing: set the environment variable AZURE_OPENAI_API_KEY or "
                'AZURE_OPENAI_AD_TOKEN, or give api_key=, azure_ad_token= or azure_ad_token_provider='
            ),
        ),
        (
            'AZURE_OPENAI_API_KEY',
            {'api_key': ''},
            (
                "The key of 'azure' is empty: set the environment variable AZURE_OPENAI_API_KEY or "
                'AZURE_OPENAI_AD_TOKEN, or give api_key=, azure_ad_token= or azure_ad_token_provider='
            ),
        ),
    ],
)
def test_what_is_missing_is_reported_when_the_model_is_built(
    missing: str, options: Json, message: str, resource: pytest.MonkeyPatch
) -> None:
    resource.delenv(missing)
    with pytest.raises(UserError) as caught:
        AzureProvider(**options)
    assert str(caught.value) == message


# ---------------------------------------------------------------------------------------------------------- credentials


@PLACES
@pytest.mark.parametrize(
    ('credential', 'name', 'value'),
    [({'api_key': 'k'}, 'api-key', 'k'), ({'azure_ad_token': 't'}, 'authorization', 'Bearer t')],
)
async def test_how_a_credential_is_sent(place: Json, credential: Json, name: str, value: str) -> None:
    server = Server()
    await OpenAIModel('gpt-4o', provider=azure(server, **{**place, **credential})).request(HELLO)
    if place['azure_endpoint'] == V1:
        name, value = 'authorization', f'Bearer {value.removeprefix("Bearer ")}'
    assert server.request.headers[name] == value


def test_one_credential_is_enough() -> None:
    with pytest.raises(UserError, match='Give one of api_key= and azure_ad_token_provider=, not several'):
        azure(Server(), api_key='key', azure_ad_token_provider=lambda: 'token')


@pytest.mark.parametrize('name', ['api_key', 'azure_ad_token'])
def test_a_credential_that_no_header_can_carry_is_refused_without_showing_it(name: str) -> None:
    with pytest.raises(UserError) as caught:
        azure(Server(), **{name: 'secret\n'})
    assert str(caught.value).startswith(
        f"The key of 'azure' in {name}= cannot be sent: character 7 of 7 is a line break"
    )
    assert 'secret' not in str(caught.value)


@PLACES
@pytest.mark.parametrize('credential', ['api_key', 'azure_ad_token'])
async def test_nothing_that_can_be_printed_holds_the_key(place: Json, credential: str) -> None:
    server = Server({'error': {'message': 'No such key: very-secret'}}, status=401)
    model = OpenAIModel('gpt-4o', provider=azure(server, **{**place, credential: 'very-secret'}))
    with pytest.raises(AuthenticationError) as caught:
        await model.request(HELLO)
    said = (repr(model), repr(model.provider), repr(vars(model)), str(caught.value), repr(caught.value.body))
    assert 'very-secret' not in ''.join(said)


# ------------------------------------------------------------------------------------------------------ token providers


class Tokens:
    """Gives a new token each time it is called."""

    def __init__(self) -> None:
        self.count = 0

    def plain(self) -> str:
        self.count += 1
        return f'token-{self.count}'

    async def waiting(self) -> str:
        return self.plain()

    def make_promise(self) -> Awaitable[str]:
        return self.waiting()

    async def __call__(self) -> str:
        return self.plain()


KINDS: dict[str, Callable[[Tokens], Any]] = {
    'plain': lambda tokens: tokens.plain,
    'async': lambda tokens: tokens.waiting,
    'an object': lambda tokens: tokens,
    'plain, but to be awaited': lambda tokens: tokens.make_promise,
}


@PLACES
@pytest.mark.parametrize('kind', KINDS)
async def test_a_token_is_asked_for_before_each_request(place: Json, kind: str) -> None:
    server, provide = Server(), KINDS[kind](Tokens())
    model = OpenAIModel('gpt-4o', provider=azure(server, **place, azure_ad_token_provider=provide))
    await model.request(HELLO)
    await model.request(HELLO)
    server.content, server.headers = chunks({'content': 'Hi'}), {'content-type': 'text/event-stream'}
    await stream_response(model)
    sent = [request.headers['authorization'] for request in server.requests]
    assert sent == ['Bearer token-1', 'Bearer token-2', 'Bearer token-3']
    assert all('api-key' not in request.headers for request in server.requests)


@PLACES
async def test_a_plain_token_provider_does_not_block_the_event_loop(place: Json) -> None:
    others_ran = threading.Event()

    def token() -> str:
        assert others_ran.wait(10), 'the event loop stood still'
        return 'token'

    async def others() -> None:
        others_ran.set()

    model = OpenAIModel('gpt-4o', provider=azure(Server(), **place, azure_ad_token_provider=token))
    response, _ = await asyncio.gather(model.request(HELLO), others())
    assert response.parts == [TextPart('Hello!')]


def failing_with_a_cause() -> str:
    raise LookupError('no credential') from KeyError('AZURE_TENANT_ID')


@PLACES
@pytest.mark.parametrize('whole', [True, False])
@pytest.mark.parametrize(
    'error',
    [
        ConnectionRefusedError('login.microsoftonline.com'),
        TimeoutError('no token in time'),
        RuntimeError('Event loop is closed'),
        httpx2.ConnectError('no route to the metadata server'),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_an_exception_of_a_token_provider_is_raised_unchanged(place: Json, whole: bool, error: Exception) -> None:
    def token() -> str:
        raise error

    server = Server()
    model = OpenAIModel('gpt-4o', provider=azure(server, **place, azure_ad_token_provider=token))
    with pytest.raises(type(error)) as caught:
        await (model.request(HELLO) if whole else stream_response(model))
    assert caught.value is error
    assert (error.__cause__, error.__context__, server.requests) == (None, None, [])


async def test_the_causes_of_a_token_providers_exception_are_kept() -> None:
    model = OpenAIModel('gpt-4o', provider=azure(Server(), azure_ad_token_provider=failing_with_a_cause))
    with pytest.raises(LookupError, match='no credential') as caught:
        await model.request(HELLO)
    assert repr(caught.value.__cause__) == "KeyError('AZURE_TENANT_ID')"


@PLACES
@pytest.mark.parametrize(
    ('token', 'said'),
    [
        ('', 'gave an empty string, and must give a token'),
        (None, "gave an object of type 'NoneType', and must give a token"),
        (b'token', "gave an object of type 'bytes', and must give a token"),
        ('secret\n', 'cannot be sent: character 7 of 7 is a line break'),
    ],
)
async def test_an_invalid_token_is_refused(place: Json, token: Any, said: str) -> None:
    server = Server()
    model = OpenAIModel('gpt-4o', provider=azure(server, **place, azure_ad_token_provider=lambda: token))
    with pytest.raises(UserError, match='azure_ad_token_provider=') as caught:
        await model.request(HELLO)
    assert said in str(caught.value)
    assert 'secret' not in str(caught.value)
    assert server.requests == []


async def test_a_deadline_also_ends_the_wait_for_a_token() -> None:
    async def token() -> str:
        await asyncio.Event().wait()
        return 'never'

    model = OpenAIModel('gpt-4o', provider=azure(Server(), azure_ad_token_provider=token))
    with pytest.raises(ModelTimeoutError, match=r'timeout of 0\.05 s'):
        await model.request(HELLO, ModelSettings(timeout=0.05))


@PLACES
def test_one_model_works_in_several_event_loops(place: Json) -> None:
    model = OpenAIModel('gpt-4o', provider=azure(Server(), **place, azure_ad_token_provider=Tokens().plain))
    for _ in range(2):
        assert asyncio.run(model.request(HELLO)).parts == [TextPart('Hello!')]


# -------------------------------------------------------------------------------------------------------- ready clients


@pytest.mark.parametrize('library', [httpx2, httpx], ids=['httpx2', 'httpx'])
async def test_a_ready_client_keeps_all_that_it_is_set_to(library: ModuleType) -> None:
    server = Server()
    client = AsyncAzureOpenAI(
        azure_endpoint=RESOURCE,
        azure_deployment='mine',
        api_version=VERSION,
        azure_ad_token_provider=lambda: 'token',
        http_client=server.client(library),
    )
    provider = AzureProvider(openai_client=client)
    await OpenAIModel('gpt-4o', provider=provider).request(HELLO)
    assert provider.client is client
    assert str(server.request.url) == f'{RESOURCE}/openai/deployments/mine/chat/completions?api-version={VERSION}'
    assert server.request.headers['authorization'] == 'Bearer token'


async def test_a_ready_client_of_the_v1_api_is_taken() -> None:
    server = Server()
    client = AsyncOpenAI(base_url=V1, api_key='key', http_client=server.client())
    response = await OpenAIModel('gpt-4o', provider=AzureProvider(openai_client=client)).request(HELLO)
    assert str(server.request.url) == f'{V1}chat/completions'
    assert response.provider_name == 'azure'


@pytest.mark.parametrize(
    'beside', [{'api_key': 'key'}, {'azure_endpoint': RESOURCE}, {'azure_ad_token_provider': Tokens().plain}]
)
def test_a_ready_client_takes_no_other_parameter(beside: Json) -> None:
    client = AsyncOpenAI(base_url=V1, api_key='key')
    with pytest.raises(UserError, match='openai_client= brings its own key, URL and connection'):
        AzureProvider(openai_client=client, **beside)


# --------------------------------------------------------------------------------------------------- the content filter

VERDICTS: Json = {
    'jailbreak': {'filtered': True, 'detected': True},
    'violence': {'filtered': False, 'severity': 'safe'},
}
SENTENCE = "The response was filtered due to the prompt triggering Azure OpenAI's content management policy."
BLOCKED = [{'blocked': True, 'source_type': 'prompt', 'content_filter_results': VERDICTS}]


class Filter(NamedTuple):
    """The form of the filter's verdict in one API."""

    model: type[OpenAIChatModel] | type[OpenAIResponsesModel]
    error: Json
    details: Json

    def make(self, server: Server, **options: Any) -> Model:
        return self.model('gpt-4o', provider=azure(server, **options))


FILTERS = {
    'chat': Filter(
        OpenAIChatModel,
        {
            'message': SENTENCE,
            'type': None,
            'param': 'prompt',
            'code': 'content_filter',
            'status': 400,
            'innererror': {'code': 'ResponsibleAIPolicyViolation', 'content_filter_result': VERDICTS},
        },
        {'finish_reason': 'content_filter', 'content_filter_results': VERDICTS, 'message': SENTENCE},
    ),
    'responses': Filter(
        OpenAIResponsesModel,
        {
            'message': SENTENCE,
            'type': 'invalid_request_error',
            'param': 'prompt',
            'code': 'content_filter',
            'content_filters': BLOCKED,
        },
        {'finish_reason': 'content_filter', 'content_filters': BLOCKED, 'message': SENTENCE},
    ),
}


@pytest.fixture(params=FILTERS)
def held(request: pytest.FixtureRequest) -> Filter:
    """The filter of each API."""
    return FILTERS[request.param]


def is_held_back(response: ModelResponse, details: Json) -> bool:
    facts = (response.parts, response.finish_reason, response.state, response.provider_details)
    return facts == ([], 'content_filter', 'complete', details)


@PLACES
async def test_a_filtered_response_is_no_error(held: Filter, place: Json) -> None:
    model = held.make(Server({'error': held.error}, status=400), **place)
    assert is_held_back(await model.request(HELLO), held.details)
    assert is_held_back(await stream_response(model), held.details)


@PLACES
async def test_an_agent_raises_it_with_the_verdicts(held: Filter, place: Json) -> None:
    agent = Agent(held.make(Server({'error': held.error}, status=400), **place))
    with pytest.raises(ContentFilterError, match='blocked the whole response of gpt-4o') as whole:
        await agent.run('Hello?')
    with pytest.raises(ContentFilterError, match='blocked the whole response of gpt-4o') as in_pieces:
        async with agent.run_stream('Hello?') as result:
            await result.get_output()
    assert (whole.value.body, in_pieces.value.body) == (held.details, held.details)


async def test_a_filter_inside_a_stream_is_no_error(held: Filter) -> None:
    event = {'error': held.error} if held.model is OpenAIChatModel else {**held.error, 'type': 'error'}
    model = held.make(Server(f'data: {json.dumps(event)}\n\n'.encode()))
    assert is_held_back(await stream_response(model), held.details)


async def test_a_response_that_failed_by_the_filter_is_the_same() -> None:
    held = FILTERS['responses']
    event = {'type': 'response.failed', 'response': {**RESPONSE, 'status': 'failed', 'output': [], 'error': held.error}}
    model = held.make(Server(f'data: {json.dumps(event)}\n\n'.encode()))
    response = await stream_response(model)
    assert is_held_back(response, held.details)
    assert response.provider_response_id == 'resp_1'


async def test_a_filter_without_verdicts_is_the_same(held: Filter) -> None:
    model = held.make(Server({'error': {'code': 'content_filter'}}, status=400))
    assert is_held_back(await model.request(HELLO), {'finish_reason': 'content_filter'})


async def test_another_400_stays_an_error(held: Filter) -> None:
    model = held.make(Server({'error': {'code': 'invalid_request', 'message': 'no'}}, status=400))
    with pytest.raises(ModelHTTPError, match='answered 400'):
        await model.request(HELLO)
    with pytest.raises(ModelHTTPError, match='answered 400'):
        await stream_response(model)


SAFE: Json = {'violence': {'filtered': False, 'severity': 'safe'}}
UNSAFE: Json = {'violence': {'filtered': True, 'severity': 'high'}}
PROMPT: Json = {
    'choices': [],
    'created': 0,
    'id': '',
    'model': '',
    'object': '',
    'prompt_filter_results': [{'prompt_index': 0, 'content_filter_results': SAFE}],
}
"""The first chunk of a stream of Azure's."""


def azures_stream(*choices: Json) -> bytes:
    facts = {'id': 'chatcmpl-1', 'model': 'gpt-4o-2024-11-20', 'created': 1_760_000_000}
    events = [PROMPT, *({**facts, 'choices': [{'index': 0, **choice}]} for choice in choices)]
    return b''.join(f'data: {json.dumps(event)}\n\n'.encode() for event in events) + b'data: [DONE]\n\n'


@pytest.mark.parametrize(
    ('last', 'reason', 'verdicts'),
    [
        ({'delta': {}, 'finish_reason': 'stop', 'content_filter_results': {}}, 'stop', SAFE),
        (
            {'delta': {}, 'finish_reason': 'content_filter', 'content_filter_results': UNSAFE},
            'content_filter',
            UNSAFE,
        ),
        (
            {
                'finish_reason': 'content_filter',
                'content_filter_results': UNSAFE,
                'content_filter_offsets': {'check_offset': 0, 'start_offset': 0, 'end_offset': 9},
            },
            'content_filter',
            UNSAFE,
        ),
    ],
)
async def test_the_verdicts_of_a_stream_are_kept(last: Json, reason: str, verdicts: Json) -> None:
    said = {'delta': {'content': 'Hi'}, 'finish_reason': None, 'content_filter_results': SAFE}
    response = await stream_response(OpenAIModel('prod', provider=azure(Server(azures_stream(said, last)))))
    assert (response.parts, response.finish_reason) == ([TextPart('Hi')], reason)
    assert (response.model_name, response.provider_response_id) == ('gpt-4o-2024-11-20', 'chatcmpl-1')
    assert response.provider_details == {
        'finish_reason': reason,
        'content_filter_results': verdicts,
        'prompt_filter_results': PROMPT['prompt_filter_results'],
    }


async def test_the_verdicts_of_a_whole_response_are_kept() -> None:
    choice = {**STOPPED['choices'][0], 'content_filter_results': SAFE}
    body = {**STOPPED, 'choices': [choice], 'prompt_filter_results': PROMPT['prompt_filter_results']}
    response = await OpenAIModel('prod', provider=azure(Server(body))).request(HELLO)
    assert response.provider_details == {
        'finish_reason': 'stop',
        'content_filter_results': SAFE,
        'prompt_filter_results': PROMPT['prompt_filter_results'],
    }


async def test_the_verdicts_of_responses_are_kept() -> None:
    body = {**RESPONSE, 'content_filters': [{'blocked': False, 'source_type': 'completion'}]}
    response = await OpenAIResponsesModel('prod', provider=azure(Server(body))).request(HELLO)
    assert (response.provider_details or {})['content_filters'] == body['content_filters']


# --------------------------------------------------------------------------------------------------------------- errors


async def test_azures_headers_are_read() -> None:
    server = Server(
        {'error': {'code': '429', 'message': 'Requests have exceeded the token rate limit. Retry after 2 seconds.'}},
        status=429,
        retry_after='2',
        retry_after_ms='1500',
        apim_request_id='f00d',
    )
    with pytest.raises(RateLimitError, match='exceeded the token rate limit') as caught:
        await OpenAIModel('gpt-4o', provider=azure(server)).request(HELLO)
    error = caught.value
    assert (error.retry_after, error.request_id, error.provider_name, error.retryable) == (1.5, 'f00d', 'azure', True)


@pytest.mark.parametrize(
    ('status', 'body', 'kind', 'said'),
    [
        (401, {'statusCode': 401, 'message': 'Unauthorized. Access token is invalid.'}, AuthenticationError, 'token'),
        (
            404,
            {'error': {'code': 'DeploymentNotFound', 'message': 'The API deployment does not exist.'}},
            NotFoundError,
            'DeploymentNotFound',
        ),
        (404, {'error': {'code': '404', 'message': 'Resource not found'}}, NotFoundError, 'Resource not found'),
    ],
)
async def test_azures_errors_have_their_kind(status: int, body: Json, kind: type[ModelHTTPError], said: str) -> None:
    with pytest.raises(kind, match=said):
        await OpenAIModel('gpt-4o', provider=azure(Server(body, status=status))).request(HELLO)


# ------------------------------------------------------------------------------------------------------------- profiles


@pytest.mark.parametrize(
    ('deployment', 'facts'),
    [
        ('gpt-4o', {'openai_documents': False, 'supports_json_schema_output': True}),
        ('gpt-5-mini', {'openai_documents': False, 'thinking_always_enabled': True}),
        ('prod', {'openai_documents': False, 'openai_allowed_tools': True}),
        ('DeepSeek-R1', {'openai_documents': False, 'thinking_always_enabled': True, 'openai_allowed_tools': False}),
        ('Mistral-Large-3', {'openai_documents': False, 'openai_max_tokens_field': 'max_tokens'}),
        ('grok-4', {'openai_documents': False, 'openai_max_tokens_field': 'max_completion_tokens'}),
    ],
)
def test_the_profile_of_a_deployment_follows_from_its_name(deployment: str, facts: Json) -> None:
    profile = azure(Server()).model_profile(deployment)
    assert {name: getattr(profile, name) for name in facts} == facts


def test_a_deployment_with_an_unknown_name_can_be_given_a_profile() -> None:
    model = OpenAIModel('prod', provider=azure(Server()), profile=openai_model_profile('gpt-5-mini'))
    profile = OpenAIModelProfile.of(model.profile)
    assert (profile.thinking_always_enabled, profile.openai_documents) == (True, False)
