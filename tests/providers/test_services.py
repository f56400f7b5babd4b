"""The OpenAI-compatible services: their URLs, keys and names."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any, NamedTuple

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
from pydantic_llm.providers.registry import ALIASES, PROVIDERS, SERVICES, Service
from pydantic_llm.providers.snowflake import SnowflakeProvider
from tests.providers.server import Server

HELLO = [ModelRequest.user_text_prompt('Hello?')]


class Row(NamedTuple):
    """The URL of a service, and the variables of its key and its URL."""

    address: str
    keys: str
    urls: str = ''


ROWS = {
    'alibaba': Row(
        'https://dashscope-intl.aliyuncs.com/compatible-mode/v1',
        'ALIBABA_API_KEY DASHSCOPE_API_KEY',
        'ALIBABA_BASE_URL DASHSCOPE_API_BASE',
    ),
    'bedrock-mantle': Row('https://bedrock-mantle.eu-west-1.api.aws/v1', 'AWS_BEARER_TOKEN_BEDROCK'),
    'cerebras': Row('https://api.cerebras.ai/v1', 'CEREBRAS_API_KEY'),
    'crusoe': Row('https://api.inference.crusoecloud.com/v1', 'CRUSOE_API_KEY'),
    'deepseek': Row('https://api.deepseek.com', 'DEEPSEEK_API_KEY'),
    'fireworks': Row('https://api.fireworks.ai/inference/v1', 'FIREWORKS_API_KEY FIREWORKS_AI_API_KEY'),
    'github': Row('https://models.github.ai/inference', 'GITHUB_API_KEY GITHUB_TOKEN GH_TOKEN'),
    'grok': Row('https://api.x.ai/v1', 'XAI_API_KEY GROK_API_KEY'),
    'heroku': Row(
        'https://us.inference.heroku.com/v1', 'HEROKU_INFERENCE_KEY INFERENCE_KEY', 'HEROKU_INFERENCE_URL INFERENCE_URL'
    ),
    'llamacpp': Row('http://localhost:8080/v1', 'LLAMACPP_API_KEY LLAMA_API_KEY', 'LLAMACPP_BASE_URL'),
    'lmstudio': Row(
        'http://localhost:1234/v1', 'LMSTUDIO_API_KEY LM_STUDIO_API_KEY', 'LMSTUDIO_BASE_URL LM_STUDIO_API_BASE'
    ),
    'moonshotai': Row(
        'https://api.moonshot.ai/v1',
        'MOONSHOTAI_API_KEY MOONSHOT_API_KEY',
        'MOONSHOTAI_BASE_URL MOONSHOT_BASE_URL MOONSHOT_API_BASE',
    ),
    'nebius': Row('https://api.tokenfactory.nebius.com/v1', 'NEBIUS_API_KEY'),
    'ollama': Row('http://localhost:11434/v1', 'OLLAMA_API_KEY', 'OLLAMA_BASE_URL OLLAMA_API_BASE'),
    'openrouter': Row('https://openrouter.ai/api/v1', 'OPENROUTER_API_KEY OR_API_KEY'),
    'ovhcloud': Row(
        'https://oai.endpoints.kepler.ai.cloud.ovh.net/v1', 'OVHCLOUD_API_KEY OVH_AI_ENDPOINTS_ACCESS_TOKEN'
    ),
    'perplexity': Row('https://api.perplexity.ai', 'PERPLEXITY_API_KEY PERPLEXITYAI_API_KEY PPLX_API_KEY'),
    'sambanova': Row('https://api.sambanova.ai/v1', 'SAMBANOVA_API_KEY', 'SAMBANOVA_BASE_URL'),
    'snowflake': Row(
        'https://myorg-myaccount.snowflakecomputing.com/api/v2/cortex/v1',
        'SNOWFLAKE_TOKEN SNOWFLAKE_API_KEY SNOWFLAKE_PAT',
    ),
    'together': Row('https://api.together.xyz/v1', 'TOGETHER_API_KEY TOGETHERAI_API_KEY TOGETHER_AI_API_KEY'),
    'vercel': Row('https://ai-gateway.vercel.sh/v1', 'AI_GATEWAY_API_KEY VERCEL_AI_GATEWAY_API_KEY VERCEL_OIDC_TOKEN'),
    'vllm-server': Row(
        'http://localhost:8000/v1', 'VLLM_API_KEY HOSTED_VLLM_API_KEY', 'VLLM_BASE_URL HOSTED_VLLM_API_BASE'
    ),
    'zai': Row('https://api.z.ai/api/paas/v4', 'ZAI_API_KEY ZHIPUAI_API_KEY', 'ZAI_BASE_URL ZAI_API_BASE'),
}

KEYLESS = {'ollama', 'lmstudio', 'vllm-server', 'llamacpp'}
"""The services that need no key."""

CLASSES = {
    'alibaba': 'AlibabaProvider',
    'bedrock_mantle': 'BedrockMantleProvider',
    'cerebras': 'CerebrasProvider',
    'crusoe': 'CrusoeProvider',
    'deepseek': 'DeepSeekProvider',
    'fireworks': 'FireworksProvider',
    'github': 'GitHubProvider',
    'grok': 'GrokProvider',
    'heroku': 'HerokuProvider',
    'moonshotai': 'MoonshotAIProvider',
    'nebius': 'NebiusProvider',
    'ollama': 'OllamaProvider',
    'openai': 'OpenAIProvider',
    'openrouter': 'OpenRouterProvider',
    'ovhcloud': 'OVHcloudProvider',
    'perplexity': 'PerplexityProvider',
    'sambanova': 'SambaNovaProvider',
    'snowflake': 'SnowflakeProvider',
    'together': 'TogetherProvider',
    'vercel': 'VercelProvider',
    'zai': 'ZaiProvider',
}
"""The classes that users import, by their module below `providers`."""

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


async def ask(service: str, server: Server, **options: Any) -> Any:
    """Return the request that a model of a service sends."""
    provider = infer_provider_class(service)(http_client=server.client(), **options)
    await OpenAIModel('some/model', provider=provider).request(HELLO)
    return server.request


def test_the_variables_of_a_service_keep_their_names() -> None:
    found = {name: (' '.join(s.key_variables), ' '.join(s.url_variables)) for name, s in SERVICES.items()}
    assert found == {name: (row.keys, row.urls) for name, row in ROWS.items()}


@services
async def test_a_service_is_asked_at_its_address(service: Service) -> None:
    request = await ask(service.name, Server(), api_key='key')
    assert str(request.url) == f'{ROWS[service.name].address}/chat/completions'


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
    if service.name in KEYLESS:
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
    with pytest.raises(UserError, match=f"^{variable} of '{service.name}' is 'elsewhere:9', which is no http address"):
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
    assert (response.provider_name, response.provider_url) == (service.name, ROWS[service.name].address)


@services
async def test_other_services_do_not_get_openais_variables(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('OPENAI_API_KEY', 'sk-openai')
    monkeypatch.setenv('OPENAI_BASE_URL', 'https://openai.proxy/v1')
    monkeypatch.setenv('OPENAI_ORG_ID', 'org-1')
    monkeypatch.setenv('OPENAI_PROJECT_ID', 'proj-1')
    request = await ask(service.name, Server(), api_key='key')
    assert str(request.url) == f'{ROWS[service.name].address}/chat/completions'
    assert request.headers['authorization'] == 'Bearer key'
    assert {'openai-organization', 'openai-project'}.isdisjoint(request.headers)


# --------------------------------------------------------------------------------------------------------------- names


@pytest.mark.parametrize(('module', 'name'), CLASSES.items(), ids=CLASSES.keys())
def test_a_provider_is_imported_by_its_own_name(module: str, name: str) -> None:
    found = getattr(import_module(f'pydantic_llm.providers.{module}'), name)
    assert infer_provider_class(module.replace('_', '-')) is found


def test_every_service_with_a_module_is_in_the_table_above() -> None:
    assert {module for name, (module, _) in PROVIDERS.items() if name in SERVICES} == CLASSES.keys() - {'openai'}


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
        ('olama:qwen3', "There is no model prefix 'olama'; did you mean 'ollama' or 'llamacpp'?"),
        ('kimi-k2.6', ("'kimi-k2.6' is no model string: one has the form 'prefix:model name', as in 'openai:gpt-4o'; "
         "did you mean 'moonshotai:kimi-k2.6'?")),
        ('xai', "'xai' names no model: write 'xai:<model name>'"),
    ],
)  # fmt: skip
def test_an_unknown_model_string_is_refused_with_the_nearest_one(text: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        infer_model(text)
    assert str(caught.value) == message


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
