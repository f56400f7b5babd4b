"""Our own connections send what the clients of the vendors' SDKs send.

Each variable of the environment that an SDK reads, and each option of its client, is listed here: it has a case that
compares the requests of both, or a reason why it has none. So a new version of an SDK that reads another variable,
takes another option or sends another header fails here.
"""

from __future__ import annotations

import ast
import inspect
import json
import os
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import anthropic
import cohere
import groq
import openai
import pytest
from cohere.core.parse_error import ParsingError
from mistralai.client import Mistral
from mistralai.client.errors import ResponseValidationError

from pydantic_llm.providers import Provider
from pydantic_llm.providers.anthropic import AnthropicProvider
from pydantic_llm.providers.azure import AzureProvider
from pydantic_llm.providers.cohere import CohereProvider
from pydantic_llm.providers.groq import GroqProvider
from pydantic_llm.providers.mistral import MistralProvider
from pydantic_llm.providers.openai import OpenAIProvider
from pydantic_llm.providers.registry import provider_class
from pydantic_llm.transport import RawRequest
from pydantic_llm.transport.http import HTTPConnection
from tests.transport.server import Exchange, Server

Headers = dict[str, str]
Options = Mapping[str, Any]

MODEL = 'the-model'
BODY = {'model': MODEL, 'messages': []}

UNLIKE: dict[str, str] = {
    'user-agent': 'each client has its own name',
    'accept-encoding': 'only encodings whose output can be limited, also through the clients of SDKs',
}
"""Headers that differ -> why. The headers that begin with `x-stainless-` and `x-fern-` are telemetry."""

NOT_SENT = 'does not change a request for a response of a model'
OTHER_CLIENT = 'read by another client of the package, which a provider can be given'
GIVEN_CLIENT = 'an option of a client that a provider can be given'
OF_THE_LIBRARY = 'about types, logs or retries of the package'


@dataclass(frozen=True)
class Subject:
    """A provider and the client that it replaces. `{url}` in values is the URL of the local server."""

    name: str
    make_provider: Callable[..., Provider[Any]]
    make_client: Callable[..., Any]
    post: Callable[[Any], Awaitable[Any]]
    """Send a request through the client."""
    path: str
    environment: Mapping[str, str]
    """The variables of the plainest request."""
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    """The variables that change a request, each with a value that differs from the plainest one's."""
    options: Mapping[str, tuple[Options, Options]] = field(default_factory=dict[str, tuple[Options, Options]])
    """Options of the client -> the provider's options and the client's."""

    def __repr__(self) -> str:
        return self.name


async def post_to_openai(client: openai.AsyncOpenAI) -> None:
    await client.post('/chat/completions', cast_to=object, body=BODY)


KEY = {'OPENAI_API_KEY': 'the-key'}
# In another case than the SDK's own, the header of the project would lose: its `default_headers` is a dict.
CUSTOM = 'X-Team: a\nOpenAI-Project: proj-2\nAuthorization: Basic YTpi\nno colon\nX-Empty:'

OPENAI = Subject(
    'openai',
    OpenAIProvider,
    openai.AsyncOpenAI,
    post_to_openai,
    '/chat/completions',
    {**KEY, 'OPENAI_BASE_URL': '{url}/v1'},
    {
        'OPENAI_API_KEY': 'another-key',
        'OPENAI_BASE_URL': '{url}/a%20b//v2//',
        'OPENAI_ORG_ID': 'org-1',
        'OPENAI_PROJECT_ID': 'proj-1',
        'OPENAI_CUSTOM_HEADERS': CUSTOM,
    },
    {
        'api_key': ({'api_key': 'given'}, {'api_key': 'given'}),
        'base_url': ({'base_url': '{url}/given/'}, {'base_url': '{url}/given/'}),
        'organization': ({'organization': 'org-2'}, {'organization': 'org-2'}),
        'project': ({'project': 'proj-3'}, {'project': 'proj-3'}),
    },
)


def without_openais_headers(kind: Callable[..., Any]) -> Callable[..., Any]:
    """OpenAI's organization and project are not for other servers."""
    omitted = dict.fromkeys(('OpenAI-Organization', 'OpenAI-Project'), openai.omit)
    return lambda **options: kind(default_headers=omitted, **options)


AZURE_CUSTOM = 'X-Team: a\nAuthorization: Basic YTpi\napi-key: another'

AZURE = Subject(
    'azure',
    AzureProvider,
    without_openais_headers(openai.AsyncAzureOpenAI),
    post_to_openai,
    '/chat/completions',
    {'AZURE_OPENAI_API_KEY': 'the-key', 'AZURE_OPENAI_ENDPOINT': '{url}', 'OPENAI_API_VERSION': '2025-01-01'},
    {
        'AZURE_OPENAI_API_KEY': 'another-key',
        'AZURE_OPENAI_AD_TOKEN': 'the-token',
        'AZURE_OPENAI_ENDPOINT': '{url}/gateway/',
        'OPENAI_API_VERSION': 'a version/1',
        'OPENAI_CUSTOM_HEADERS': AZURE_CUSTOM,
        'OPENAI_ORG_ID': 'org-1',
    },
    {
        name: ({name: value}, {name: value})
        for name, value in {
            'api_key': 'given',
            'azure_ad_token': 'given',
            'azure_ad_token_provider': lambda: 'given',
            'azure_endpoint': '{url}/given',
            'api_version': '2',
        }.items()
    },
)


def make_v1_client(**options: Any) -> openai.AsyncOpenAI:
    key = os.environ.get('AZURE_OPENAI_AD_TOKEN') or os.environ['AZURE_OPENAI_API_KEY']
    options = {'base_url': os.environ['AZURE_OPENAI_ENDPOINT'], 'api_key': key, **options}
    client: openai.AsyncOpenAI = without_openais_headers(openai.AsyncOpenAI)(**options)
    return client


async def get_token() -> str:
    return 'given'


AZURE_V1 = Subject(
    'azure v1',
    AzureProvider,
    make_v1_client,
    post_to_openai,
    '/chat/completions',
    {'AZURE_OPENAI_API_KEY': 'the-key', 'AZURE_OPENAI_ENDPOINT': '{url}/openai/v1/'},
    {'AZURE_OPENAI_AD_TOKEN': 'the-token', 'OPENAI_API_VERSION': '1', 'OPENAI_CUSTOM_HEADERS': 'X-Team: a'},
    {
        'api_key': ({'azure_ad_token_provider': get_token}, {'api_key': get_token}),
        'default_query': ({'api_version': 'v 1'}, {'default_query': {'api-version': 'v 1'}}),
    },
)


def make_compatible_client() -> openai.AsyncOpenAI:
    options = {'base_url': os.environ['OLLAMA_BASE_URL'], 'api_key': os.environ['OLLAMA_API_KEY']}
    client: openai.AsyncOpenAI = without_openais_headers(openai.AsyncOpenAI)(**options)
    return client


COMPATIBLE = Subject(
    'compatible',
    provider_class('ollama'),
    make_compatible_client,
    post_to_openai,
    '/chat/completions',
    {'OLLAMA_API_KEY': 'the-key', 'OLLAMA_BASE_URL': '{url}/v1'},
    {'OPENAI_API_KEY': 'x', 'OPENAI_ORG_ID': 'org-1', 'OPENAI_PROJECT_ID': 'proj-1', 'OPENAI_BASE_URL': '{url}/x'},
)


async def post_to_anthropic(client: anthropic.AsyncAnthropic) -> None:
    await client.post('/v1/messages', cast_to=object, body=BODY)


ANTHROPIC = Subject(
    'anthropic',
    AnthropicProvider,
    anthropic.AsyncAnthropic,
    post_to_anthropic,
    '/v1/messages',
    {'ANTHROPIC_API_KEY': 'the-key', 'ANTHROPIC_BASE_URL': '{url}'},
    {
        'ANTHROPIC_API_KEY': 'another-key',
        'ANTHROPIC_BASE_URL': '{url}/a%20b/',
        'ANTHROPIC_AUTH_TOKEN': 'the-token',
        'ANTHROPIC_CUSTOM_HEADERS': 'X-Team: a\nanthropic-version: 1\nauthorization: Basic YTpi',
    },
    {name: ({name: value}, {name: value}) for name, value in {'api_key': 'given', 'base_url': '{url}/given'}.items()},
)

ANTHROPIC_TOKEN = Subject(
    'anthropic token',
    AnthropicProvider,
    anthropic.AsyncAnthropic,
    post_to_anthropic,
    '/v1/messages',
    {'ANTHROPIC_AUTH_TOKEN': 'the-token', 'ANTHROPIC_BASE_URL': '{url}'},
)


async def post_to_groq(client: groq.AsyncGroq) -> None:
    await client.post('/openai/v1/chat/completions', cast_to=object, body=BODY)


GROQ = Subject(
    'groq',
    GroqProvider,
    groq.AsyncGroq,
    post_to_groq,
    '/openai/v1/chat/completions',
    {'GROQ_API_KEY': 'the-key', 'GROQ_BASE_URL': '{url}'},
    {
        'GROQ_API_KEY': 'another-key',
        'GROQ_BASE_URL': '{url}/a%20b/',
        'GROQ_CUSTOM_HEADERS': 'X-Team: a\nAuthorization: Basic YTpi',
    },
    {name: ({name: value}, {name: value}) for name, value in {'api_key': 'given', 'base_url': '{url}/given'}.items()},
)


QUESTION: Any = [{'role': 'user', 'content': 'Hello?'}]


async def post_to_mistral(client: Mistral) -> None:
    async with client:
        with suppress(ResponseValidationError):  # of the empty response
            await client.chat.complete_async(model=MODEL, messages=QUESTION)


MISTRAL = Subject(
    'mistral',
    MistralProvider,
    lambda **options: Mistral(**{'server_url': os.environ['MISTRAL_BASE_URL'], **options}),
    post_to_mistral,
    '/v1/chat/completions',
    {'MISTRAL_API_KEY': 'the-key', 'MISTRAL_BASE_URL': '{url}'},
    {'MISTRAL_API_KEY': 'Bearer-key', 'MISTRAL_SA_TOKEN_PATH': str(Path(__file__).with_name('token.txt'))},
    {
        'api_key': ({'api_key': 'given'}, {'api_key': 'given'}),
        'server_url': ({'base_url': '{url}/a%20b/'}, {'server_url': '{url}/a%20b/'}),
    },
)


async def post_to_cohere(client: cohere.AsyncClientV2) -> None:
    async with client:
        with suppress(ParsingError):  # of the empty response
            await client.chat(model=MODEL, messages=QUESTION)


COHERE = Subject(
    'cohere',
    CohereProvider,
    lambda **options: cohere.AsyncClientV2(**{'base_url': os.environ['CO_API_URL'], **options}),
    post_to_cohere,
    '/v2/chat',
    {'CO_API_KEY': 'the-key', 'CO_API_URL': '{url}'},
    {'CO_API_KEY': 'another-key', 'COHERE_API_KEY': 'the-other-key', 'CO_API_URL': '{url}/a%20b'},
    {name: ({name: value}, {name: value}) for name, value in {'api_key': 'given', 'base_url': '{url}/given'}.items()},
)

SUBJECTS = (OPENAI, AZURE, AZURE_V1, COMPATIBLE, ANTHROPIC, ANTHROPIC_TOKEN, GROQ, MISTRAL, COHERE)


# ---------------------------------------------------------------------- requests


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async def answer(exchange: Exchange) -> None:
        await exchange.respond({'choices': []})

    async with Server(answer).run() as server:
        yield server


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in {name for subject in SUBJECTS for name in (*subject.environment, *subject.variables)}:
        monkeypatch.delenv(name, raising=False)


async def compare(subject: Subject, server: Server, ours: Options, theirs: Options) -> None:
    """Send a request through both, and compare what the server gets."""
    provider = subject.make_provider(**insert_url(ours, server))
    assert isinstance(provider.connection, HTTPConnection)
    await provider.connection.send(RawRequest(subject.path, json.dumps(BODY).encode(), MODEL))
    await provider.aclose()
    client = subject.make_client(**insert_url(theirs, server))
    await subject.post(client)
    if subject not in (MISTRAL, COHERE):
        await client.close()
    own, other = server.requests
    assert own.path == other.path
    assert comparable(own.headers) == comparable(other.headers)


def insert_url(options: Options, server: Server) -> dict[str, Any]:
    return {
        name: value.replace('{url}', server.url) if isinstance(value, str) else value for name, value in options.items()
    }


def comparable(headers: Headers) -> Headers:
    ignored = {*UNLIKE, 'content-length'}
    return {
        name: value
        for name, value in headers.items()
        if name not in ignored and not name.startswith(('x-stainless-', 'x-fern-'))
    }


def set_variables(monkeypatch: pytest.MonkeyPatch, server: Server, variables: Mapping[str, str]) -> None:
    for name, value in insert_url(variables, server).items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ('subject', 'variable'),
    [(subject, variable) for subject in SUBJECTS for variable in ('', *subject.variables)],
    ids=str,
)
@pytest.mark.parametrize('library', ['httpx2', 'aiohttp'])
async def test_a_variable_of_the_environment_changes_both_requests_alike(
    subject: Subject, variable: str, library: str, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('PYDANTIC_LLM_HTTP', library)
    changed = {variable: subject.variables[variable]} if variable else {}
    set_variables(monkeypatch, server, {**subject.environment, **changed})
    await compare(subject, server, {}, {})


@pytest.mark.parametrize('subject', SUBJECTS, ids=repr)
async def test_all_variables_together_change_both_requests_alike(
    subject: Subject, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_variables(monkeypatch, server, {**subject.environment, **subject.variables})
    await compare(subject, server, {}, {})


@pytest.mark.parametrize(
    ('subject', 'option'), [(subject, option) for subject in SUBJECTS for option in subject.options], ids=str
)
@pytest.mark.parametrize('in_all', [False, True], ids=['alone', 'over all variables'])
async def test_an_option_changes_both_requests_alike(
    subject: Subject, option: str, in_all: bool, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_variables(monkeypatch, server, {**subject.environment, **(subject.variables if in_all else {})})
    await compare(subject, server, *subject.options[option])


async def test_headers_for_openai_are_not_sent_to_other_services(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    custom = 'X-Gateway: secret\nAuthorization: Bearer of-openai'
    set_variables(monkeypatch, server, {**COMPATIBLE.environment, **OPENAI.variables, 'OPENAI_CUSTOM_HEADERS': custom})
    provider = COMPATIBLE.make_provider()
    await provider.connection.send(RawRequest('/chat/completions', json.dumps(BODY).encode(), MODEL))
    await post_to_openai(provider.client)
    await provider.client.close()
    await provider.aclose()
    own, other = server.requests
    assert comparable(own.headers) == comparable(other.headers)
    assert own.headers['authorization'] == 'Bearer the-key'
    assert 'x-gateway' not in own.headers


async def test_workload_identity_of_anthropic_is_left_to_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    async def answer(exchange: Exchange) -> None:
        is_token = exchange.path == '/v1/oauth/token'
        await exchange.respond({'access_token': 'the-token', 'expires_in': 3600} if is_token else {'content': []})

    async with Server(answer).run() as server:
        monkeypatch.setenv('ANTHROPIC_BASE_URL', server.url)
        monkeypatch.setenv('ANTHROPIC_FEDERATION_RULE_ID', 'rule-1')
        monkeypatch.setenv('ANTHROPIC_ORGANIZATION_ID', 'org-1')
        monkeypatch.setenv('ANTHROPIC_IDENTITY_TOKEN', 'identity')
        provider = AnthropicProvider()
        await provider.connection.send(RawRequest('/v1/messages', json.dumps(BODY).encode(), MODEL))
        await provider.client.close()
        assert [exchange.path for exchange in server.requests] == ['/v1/oauth/token', '/v1/messages']
        assert server.requests[1].headers['authorization'] == 'Bearer the-token'
        assert isinstance(AnthropicProvider(api_key='given').connection, HTTPConnection)
        assert isinstance(AnthropicProvider(base_url=server.url).connection, HTTPConnection)


# ---------------------------------------------------------------------- the URL, the time limits


@pytest.mark.parametrize('subject', [OPENAI, ANTHROPIC], ids=repr)
def test_the_url_and_the_limits_are_those_of_the_sdk(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in subject.environment.items():
        if '{url}' not in value:
            monkeypatch.setenv(name, value)
    monkeypatch.setenv('PYDANTIC_LLM_HTTP', 'httpx2')
    provider, client = subject.make_provider(), subject.make_client()
    assert provider.base_url == str(client.base_url)
    own: Any = provider.connection
    http_client = own._clients._original._client
    assert http_client.timeout == client.timeout
    pool, other = http_client._transport.pool_0._pool, client._client._transport._pool
    for limit in ('_max_connections', '_max_keepalive_connections', '_keepalive_expiry', '_retries', '_http2'):
        assert getattr(pool, limit) == getattr(other, limit)


# ---------------------------------------------------------------------- variables and options, as the SDKs declare them

VARIABLES: dict[str, dict[str, str]] = {
    'openai': {
        'AWS_BEARER_TOKEN_BEDROCK': OTHER_CLIENT,
        'AWS_BEDROCK_BASE_URL': OTHER_CLIENT,
        'AWS_DEFAULT_REGION': OTHER_CLIENT,
        'AWS_REGION': OTHER_CLIENT,
        'DEFER_PYDANTIC_BUILD': OF_THE_LIBRARY,
        'GOOGLE_CLOUD_LOCATION': OTHER_CLIENT,
        'GOOGLE_CLOUD_PROJECT': OTHER_CLIENT,
        'OPENAI_ADMIN_KEY': NOT_SENT,
        'OPENAI_API_TYPE': 'for the functions of the module openai',
        'OPENAI_LOG': OF_THE_LIBRARY,
        'OPENAI_WEBHOOK_SECRET': NOT_SENT,
    },
    'anthropic': {
        **dict.fromkeys(
            'ANTHROPIC_BEDROCK_BASE_URL ANTHROPIC_BEDROCK_MANTLE_BASE_URL ANTHROPIC_FOUNDRY_API_KEY '
            'ANTHROPIC_FOUNDRY_BASE_URL ANTHROPIC_FOUNDRY_RESOURCE ANTHROPIC_GOOGLE_CLOUD_BASE_URL '
            'ANTHROPIC_GOOGLE_CLOUD_LOCATION ANTHROPIC_GOOGLE_CLOUD_PROJECT ANTHROPIC_GOOGLE_CLOUD_WORKSPACE_ID '
            'ANTHROPIC_VERTEX_BASE_URL ANTHROPIC_VERTEX_PROJECT_ID AWS_BEARER_TOKEN_BEDROCK AWS_DEFAULT_REGION '
            'AWS_REGION CLOUD_ML_REGION GOOGLE_CLOUD_PROJECT ANTHROPIC_ENVIRONMENT_KEY ANTHROPIC_WORK_SECRET '
            'env_var var'.split(),
            OTHER_CLIENT,
        ),
        **dict.fromkeys(
            'ANTHROPIC_PROFILE ANTHROPIC_CONFIG_DIR APPDATA ANTHROPIC_FEDERATION_RULE_ID ANTHROPIC_IDENTITY_TOKEN '
            'ANTHROPIC_IDENTITY_TOKEN_FILE ANTHROPIC_ORGANIZATION_ID ANTHROPIC_SCOPE ANTHROPIC_SERVICE_ACCOUNT_ID '
            'ANTHROPIC_WORKSPACE_ID self._env_var'.split(),
            'with a profile or a rule of workload identity, the package sends the requests itself',
        ),
        **dict.fromkeys(
            'ANTHROPIC_OPEN_TELEMETRY ANTHROPIC_OPEN_TELEMETRY_PROPAGATION '
            'ANTHROPIC_OPEN_TELEMETRY_TRACES_CONTENT_MODE ANTHROPIC_OPEN_TELEMETRY_TRACES_MAX_CONTENT_BYTES'.split(),
            'spans of the package; ours are those of `InstrumentedModel`',
        ),
        'ANTHROPIC_LOG': OF_THE_LIBRARY,
        'ANTHROPIC_WEBHOOK_SIGNING_KEY': NOT_SENT,
        'DEFER_PYDANTIC_BUILD': OF_THE_LIBRARY,
    },
    'cohere': {'AWS_DEFAULT_REGION': OTHER_CLIENT},
    'mistralai.client': {'MISTRAL_DEBUG': OF_THE_LIBRARY, 'env_key': NOT_SENT},
    'groq': {'DEFER_PYDANTIC_BUILD': OF_THE_LIBRARY, 'GROQ_LOG': OF_THE_LIBRARY},
}
"""Variables that the packages read and that have no case above -> why."""

STAINLESS_OPTIONS = {
    'default_headers': GIVEN_CLIENT,
    'default_query': GIVEN_CLIENT,
    'http_client': 'sends our requests too',
    'max_retries': OF_THE_LIBRARY,
    'timeout': GIVEN_CLIENT,
    '_strict_response_validation': OF_THE_LIBRARY,
}

OPTIONS: dict[str, dict[str, str]] = {
    'openai': {
        **STAINLESS_OPTIONS,
        'admin_api_key': NOT_SENT,
        'data_residency': GIVEN_CLIENT,
        'provider': GIVEN_CLIENT,
        'webhook_secret': NOT_SENT,
        'websocket_base_url': NOT_SENT,
        'workload_identity': GIVEN_CLIENT,
        '_enforce_credentials': GIVEN_CLIENT,
    },
}
OPTIONS['groq'] = STAINLESS_OPTIONS
OPTIONS['mistral'] = {
    'async_client': 'sends our requests too',
    'client': OTHER_CLIENT,
    'debug_logger': OF_THE_LIBRARY,
    'retry_config': OF_THE_LIBRARY,
    'server': GIVEN_CLIENT,
    'timeout_ms': GIVEN_CLIENT,
    'url_params': GIVEN_CLIENT,
}
OPTIONS['cohere'] = {
    'client_name': GIVEN_CLIENT,
    'environment': GIVEN_CLIENT,
    'httpx_client': 'sends our requests too',
    'log_warning_experimental_features': OF_THE_LIBRARY,
    'max_retries': OF_THE_LIBRARY,
    'thread_pool_executor': OF_THE_LIBRARY,
    'timeout': GIVEN_CLIENT,
}
OPTIONS['anthropic'] = {
    **STAINLESS_OPTIONS,
    'auth_token': GIVEN_CLIENT,
    'config': GIVEN_CLIENT,
    'credentials': GIVEN_CLIENT,
    'middleware': GIVEN_CLIENT,
    'open_telemetry': GIVEN_CLIENT,
    'profile': GIVEN_CLIENT,
    'webhook_key': NOT_SENT,
    '_token_cache': GIVEN_CLIENT,
}
OPTIONS['azure'] = {
    **OPTIONS['openai'],
    'azure_deployment': GIVEN_CLIENT,
    'base_url': GIVEN_CLIENT,
    'organization': GIVEN_CLIENT,
    'project': GIVEN_CLIENT,
}
del OPTIONS['azure']['data_residency'], OPTIONS['azure']['provider']
"""Options of the clients that have no case above -> why."""


def iterate_variables(package: str) -> Iterator[str]:
    """Yield the variables of the environment that a package reads, or the expressions for them."""
    spec = find_spec(package)
    assert spec is not None
    [folder] = spec.submodule_search_locations or ()
    texts = [text for path in Path(folder).rglob('*.py') if 'env' in (text := path.read_text('utf-8'))]
    with warnings.catch_warnings(action='ignore'):  # of escapes in their texts
        trees = [ast.parse(text) for text in texts]
    constants = {
        ast.unparse(node.targets[0]): node.value.value
        for tree in trees
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
    }
    for tree in trees:
        for node in ast.walk(tree):
            if (name := find_name(node)) is not None:
                text = ast.unparse(name)
                yield str(name.value if isinstance(name, ast.Constant) else constants.get(text, text))


def find_name(node: ast.AST) -> ast.expr | None:
    """Return the name in `os.environ.get(name)`, `os.getenv(name)`, `os.environ[name]` or `name in os.environ`."""
    match node:
        case ast.Call(func=function, args=[name, *_]) if ast.unparse(function).endswith(('environ.get', 'getenv')):
            return name
        case ast.Subscript(value=value, slice=name) if ast.unparse(value).endswith('environ'):
            return name
        case ast.Compare(left=name, comparators=[values]) if ast.unparse(values).endswith('environ'):
            return name
        case _:
            return None


@pytest.mark.parametrize('package', VARIABLES)
def test_each_variable_that_a_package_reads_is_compared_or_has_a_reason(package: str) -> None:
    compared = {
        name
        for subject in SUBJECTS
        if package_of(subject) == package.partition('.')[0].removesuffix('ai' if 'mistral' in package else '')
        for name in (*subject.environment, *subject.variables)
    }
    read = {*iterate_variables(package)}
    assert sorted(read - compared) == sorted(VARIABLES[package])


def package_of(subject: Subject) -> str:
    return subject.post.__name__.removeprefix('post_to_')


CLIENTS = (
    (OPENAI, openai.AsyncOpenAI),
    (AZURE, openai.AsyncAzureOpenAI),
    (ANTHROPIC, anthropic.AsyncAnthropic),
    (GROQ, groq.AsyncGroq),
    (MISTRAL, Mistral),
    (COHERE, cohere.AsyncClientV2),
)


@pytest.mark.parametrize(('subject', 'kind'), CLIENTS, ids=str)
def test_each_option_of_a_client_is_compared_or_has_a_reason(subject: Subject, kind: type) -> None:
    options = {*inspect.signature(kind.__init__).parameters} - {'self'}
    assert options == {*subject.options, *OPTIONS[subject.name]}
