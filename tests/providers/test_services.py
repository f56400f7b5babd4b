"""The OpenAI-compatible services: their URLs, keys and names."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any

import httpx
import httpx2
import pytest

from pydantic_llm.exceptions import UserError
from pydantic_llm.messages import ModelRequest, TextPart
from pydantic_llm.models import infer_model
from pydantic_llm.models.openai import OpenAIModel
from pydantic_llm.providers import infer_provider, infer_provider_class
from pydantic_llm.providers.bedrock_mantle import BedrockMantleProvider
from pydantic_llm.providers.deepseek import DeepSeekProvider
from pydantic_llm.providers.ollama import OllamaProvider
from pydantic_llm.providers.openrouter import OpenRouterProvider
from pydantic_llm.providers.registry import ALIASES, PROVIDERS, RETIRED, SERVICES, Service
from pydantic_llm.providers.snowflake import SnowflakeProvider
from tests.providers.server import Server

HELLO = [ModelRequest.user_text_prompt('Hello?')]


services = pytest.mark.parametrize('service', SERVICES.values(), ids=SERVICES.keys())
keys = pytest.mark.parametrize(
    ('service', 'variable'),
    [pytest.param(s, v, id=f'{s.name}-{v}') for s in SERVICES.values() for v in s.key_variables],
)


@pytest.fixture(autouse=True)
def _somewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the variables of the services whose URLs differ by customer."""
    monkeypatch.setenv('SNOWFLAKE_ACCOUNT', 'myorg-myaccount')
    monkeypatch.setenv('AWS_DEFAULT_REGION', 'eu-west-1')


def address_of(service: Service) -> str:
    """Return the URL of a service, with the values of the variables above for the placeholders."""
    return service.base_url.format(account='myorg-myaccount', region_name='eu-west-1')


async def ask(service: str, server: Server, **options: Any) -> Any:
    """Return the request that a model of a service sends."""
    provider = infer_provider_class(service)(http_client=server.client(), **options)
    await OpenAIModel('some/model', provider=provider).request(HELLO)
    return server.request


@services
async def test_a_service_is_asked_at_its_address(service: Service) -> None:
    request = await ask(service.name, Server(), api_key='key')
    assert str(request.url) == f'{address_of(service)}/chat/completions'


@keys
async def test_each_key_variable_is_read(service: Service, variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, 'key-in-the-environment')
    request = await ask(service.name, Server())
    assert request.headers['authorization'] == 'Bearer key-in-the-environment'


@keys
def test_a_key_that_cannot_be_sent_is_refused(service: Service, variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, 'sk-secret\n')
    with pytest.raises(UserError) as caught:
        infer_provider(service.name)
    assert str(caught.value) == (
        f'The key of {service.name!r} in {variable} cannot be sent: character 10 of 10 is a line break. '
        'Give the key alone, without what may have been copied around it'
    )


@services
async def test_only_a_service_that_needs_a_key_requires_one(service: Service) -> None:
    if not service.needs_key:
        request = await ask(service.name, Server())
        assert request.headers['authorization'] == 'Bearer api-key-not-set'
        return
    with pytest.raises(UserError) as caught:
        infer_provider(service.name)
    assert str(caught.value) == (
        f'The key of {service.name!r} is missing: set the environment variable '
        f'{" or ".join(service.key_variables)}, or give api_key='
    )


@pytest.mark.parametrize(
    ('service', 'variable'),
    [pytest.param(s, v, id=f'{s.name}-{v}') for s in SERVICES.values() for v in s.url_variables],
)
async def test_each_address_variable_is_read(service: Service, variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, 'http://elsewhere:9/v7/')
    request = await ask(service.name, Server(), api_key='key')
    assert str(request.url) == 'http://elsewhere:9/v7/chat/completions'
    monkeypatch.setenv(variable, 'elsewhere:9')
    with pytest.raises(UserError, match=f"^{variable} of '{service.name}' is 'elsewhere:9', which is not a valid URL"):
        infer_provider_class(service.name)(api_key='key')


@pytest.mark.parametrize(
    ('service', 'given', 'used'),
    [
        ('ollama', 'http://gpu-1:11434', 'http://gpu-1:11434/v1'),
        ('ollama', 'http://gpu-1:11434/', 'http://gpu-1:11434/v1'),
        ('ollama', 'http://gpu-1:11434/ollama/v1', 'http://gpu-1:11434/ollama/v1'),
        ('heroku', 'https://eu.inference.heroku.com', 'https://eu.inference.heroku.com/v1'),
        ('snowflake', 'https://private.link', 'https://private.link/api/v2/cortex/v1'),
        ('deepseek', 'https://proxy', 'https://proxy'),
    ],
)
async def test_an_address_without_a_path_gets_the_services_own(service: str, given: str, used: str) -> None:
    request = await ask(service, Server(), base_url=given, api_key='key')
    assert str(request.url) == f'{used}/chat/completions'


async def test_openrouter_is_told_the_application(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('OPENROUTER_APP_TITLE', 'Tides')
    request = await ask('openrouter', Server(), api_key='key', app_url='https://tides.example')
    assert (request.headers['http-referer'], request.headers['x-title']) == ('https://tides.example', 'Tides')
    provider = OpenRouterProvider(api_key='key', app_title='Ebb')
    assert provider.default_headers['X-Title'] == provider.client.default_headers['X-Title'] == 'Ebb'


async def test_snowflake_is_found_by_the_account() -> None:
    server = Server()
    provider = SnowflakeProvider(account='a-b', api_key='key', http_client=server.client())
    await OpenAIModel('claude-sonnet-4-6', provider=provider).request(HELLO)
    assert str(server.request.url) == 'https://a-b.snowflakecomputing.com/api/v2/cortex/v1/chat/completions'


def test_bedrock_mantle_is_found_by_the_region() -> None:
    provider = BedrockMantleProvider(region_name='us-east-1', api_key='key')
    assert provider.base_url == 'https://bedrock-mantle.us-east-1.api.aws/v1'


@pytest.mark.parametrize(
    ('service', 'variables', 'said'),
    [
        ('snowflake', 'SNOWFLAKE_ACCOUNT or SNOWFLAKE_ACCOUNT_ID', 'account'),
        ('bedrock-mantle', 'AWS_DEFAULT_REGION or AWS_REGION', 'region_name'),
    ],
)
def test_an_unknown_place_is_reported(service: str, variables: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in SERVICES[service].place_variables:
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(UserError) as caught:
        infer_provider_class(service)(api_key='key')
    assert str(caught.value) == (
        f'The address of {service!r} is not known: set the environment variable {variables}, or give {said}= or '
        'base_url='
    )


@pytest.mark.parametrize('library', [httpx2, httpx], ids=['httpx2', 'httpx'])
@services
async def test_both_http_libraries_reach_a_service(service: Service, library: ModuleType) -> None:
    server = Server()
    async with server.client(library) as http:
        provider = infer_provider_class(service.name)(api_key='key', http_client=http)
        response = await OpenAIModel('some/model', provider=provider).request(HELLO)
    assert response.parts == [TextPart('Hello!')]
    assert (response.provider_name, response.provider_url) == (service.name, address_of(service))


@services
async def test_other_services_do_not_get_openais_variables(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('OPENAI_API_KEY', 'sk-openai')
    monkeypatch.setenv('OPENAI_BASE_URL', 'https://openai.proxy/v1')
    monkeypatch.setenv('OPENAI_ORG_ID', 'org-1')
    monkeypatch.setenv('OPENAI_PROJECT_ID', 'proj-1')
    request = await ask(service.name, Server(), api_key='key')
    assert str(request.url) == f'{address_of(service)}/chat/completions'
    assert request.headers['authorization'] == 'Bearer key'
    assert {'openai-organization', 'openai-project'}.isdisjoint(request.headers)


# --------------------------------------------------------------------------------------------------------------- names


@pytest.mark.parametrize('name', [name for name in PROVIDERS if name in SERVICES])
def test_the_class_of_a_service_is_in_the_module_with_its_name(name: str) -> None:
    found = getattr(import_module(f'pydantic_llm.providers.{name.replace("-", "_")}'), PROVIDERS[name])
    assert infer_provider_class(name) is found
    assert (found.__name__, found.service) == (PROVIDERS[name], SERVICES[name])


@pytest.mark.parametrize(('alias', 'name'), ALIASES.items())
def test_a_service_has_other_names(alias: str, name: str) -> None:
    assert infer_provider_class(alias) is infer_provider_class(name)
    model = infer_model(f'{alias}:some/model', api_key='key')
    assert (model.system, model.model_name) == (name, 'some/model')


@services
def test_a_service_is_a_prefix_of_model_strings(service: Service) -> None:
    model = infer_model(f'{service.name}:vendor/model:tag', api_key='key')
    assert isinstance(model, OpenAIModel)
    assert (model.system, model.model_name) == (service.name, 'vendor/model:tag')


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('deepsek', "There is no provider 'deepsek'; did you mean 'deepseek'?"),
        ('fireworksai', "There is no provider 'fireworksai'; did you mean 'fireworks-ai' or 'fireworks'?"),
        ('nothing-like-it', "There is no provider 'nothing-like-it'"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest_one(name: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        infer_provider(name)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('olama:qwen3', "There is no model prefix 'olama'; did you mean 'ollama'?"),
        ('kimi-k2.6', ("'kimi-k2.6' is no model string: one has the form 'prefix:model name', "
         "as in 'openai:gpt-5.4-mini'; "
         "did you mean 'moonshotai:kimi-k2.6'?")),
        ('xai', "'xai' names no model: write 'xai:<model name>'"),
    ],
)  # fmt: skip
def test_an_unknown_model_string_is_refused_with_the_nearest_one(text: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        infer_model(text)
    assert str(caught.value) == message


@pytest.mark.parametrize('name', RETIRED)
def test_a_retired_service_is_refused_with_the_reason(name: str) -> None:
    assert name not in {*SERVICES, *ALIASES, *PROVIDERS}
    with pytest.raises(UserError, match=f"^There is no provider '{name}': .* was retired on 2026-07-30"):
        infer_provider(name)
    with pytest.raises(UserError, match=f"^There is no model prefix '{name}': .* was retired on 2026-07-30"):
        infer_model(f'{name}:openai/gpt-4o')


def test_the_repr_of_a_provider_has_its_url_and_no_secret() -> None:
    providers = [
        DeepSeekProvider(api_key='sk-secret'),
        OllamaProvider(),
        OpenRouterProvider(api_key='sk-secret'),
        infer_provider('lmstudio'),
        infer_provider('vllm-server'),
    ]
    assert [repr(provider) for provider in providers] == [
        "DeepSeekProvider(name='deepseek', base_url='https://api.deepseek.com')",
        "OllamaProvider(name='ollama', base_url='http://localhost:11434/v1')",
        "OpenRouterProvider(name='openrouter', base_url='https://openrouter.ai/api/v1')",
        "LMStudioProvider(name='lmstudio', base_url='http://localhost:1234/v1')",
        "VLLMServerProvider(name='vllm-server', base_url='http://localhost:8000/v1')",
    ]
