"""The registry of providers: one row for each OpenAI-compatible service, and the classes of all providers by name.

`Service` is a row, `register_service` adds one from outside the package, `provider_class` looks a name up.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from importlib import import_module
from typing import Any

from ..exceptions import UserError
from ..profiles.compatible import (
    alibaba_profile,
    bedrock_mantle_profile,
    cerebras_profile,
    crusoe_profile,
    deepseek_profile,
    fireworks_profile,
    grok_profile,
    heroku_profile,
    llamacpp_profile,
    local_profile,
    moonshotai_profile,
    ollama_profile,
    openrouter_profile,
    perplexity_profile,
    snowflake_profile,
    together_profile,
    vllm_server_profile,
    zai_profile,
)
from .credentials import check_url
from .provider import Provider
from .service import Service

__all__ = ('ALIASES', 'SERVICES', 'Service', 'provider_class', 'register_service')

SERVICES: dict[str, Service] = {
    service.name: service
    for service in (
        # hosted
        Service('deepseek', 'DeepSeek', 'https://api.deepseek.com', ('DEEPSEEK_API_KEY',), deepseek_profile),
        Service(
            'openrouter',
            'OpenRouter',
            'https://openrouter.ai/api/v1',
            ('OPENROUTER_API_KEY', 'OR_API_KEY'),
            openrouter_profile,
        ),
        Service('grok', 'xAI', 'https://api.x.ai/v1', ('XAI_API_KEY', 'GROK_API_KEY'), grok_profile),
        Service(
            'perplexity',
            'Perplexity',
            'https://api.perplexity.ai',
            ('PERPLEXITY_API_KEY', 'PERPLEXITYAI_API_KEY', 'PPLX_API_KEY'),
            perplexity_profile,
        ),
        Service(
            'together',
            'Together AI',
            'https://api.together.xyz/v1',
            ('TOGETHER_API_KEY', 'TOGETHERAI_API_KEY', 'TOGETHER_AI_API_KEY'),
            together_profile,
        ),
        Service(
            'fireworks',
            'Fireworks AI',
            'https://api.fireworks.ai/inference/v1',
            ('FIREWORKS_API_KEY', 'FIREWORKS_AI_API_KEY'),
            fireworks_profile,
        ),
        Service('cerebras', 'Cerebras', 'https://api.cerebras.ai/v1', ('CEREBRAS_API_KEY',), cerebras_profile),
        Service(
            'moonshotai',
            'Moonshot AI',
            'https://api.moonshot.ai/v1',
            ('MOONSHOTAI_API_KEY', 'MOONSHOT_API_KEY'),
            moonshotai_profile,
            url_variables=('MOONSHOTAI_BASE_URL', 'MOONSHOT_BASE_URL', 'MOONSHOT_API_BASE'),
        ),
        Service(
            'zai',
            'Z.ai',
            'https://api.z.ai/api/paas/v4',
            ('ZAI_API_KEY', 'ZHIPUAI_API_KEY'),
            zai_profile,
            url_variables=('ZAI_BASE_URL', 'ZAI_API_BASE'),
        ),
        Service(
            'alibaba',
            'Alibaba Cloud Model Studio',
            'https://dashscope-intl.aliyuncs.com/compatible-mode/v1',
            ('ALIBABA_API_KEY', 'DASHSCOPE_API_KEY'),
            alibaba_profile,
            url_variables=('ALIBABA_BASE_URL', 'DASHSCOPE_API_BASE'),
        ),
        Service('nebius', 'Nebius', 'https://api.tokenfactory.nebius.com/v1', ('NEBIUS_API_KEY',)),
        Service(
            'sambanova',
            'SambaNova',
            'https://api.sambanova.ai/v1',
            ('SAMBANOVA_API_KEY',),
            url_variables=('SAMBANOVA_BASE_URL',),
        ),
        Service(
            'ovhcloud',
            'OVHcloud',
            'https://oai.endpoints.kepler.ai.cloud.ovh.net/v1',
            ('OVHCLOUD_API_KEY', 'OVH_AI_ENDPOINTS_ACCESS_TOKEN'),
        ),
        Service(
            'vercel',
            'Vercel AI Gateway',
            'https://ai-gateway.vercel.sh/v1',
            ('AI_GATEWAY_API_KEY', 'VERCEL_AI_GATEWAY_API_KEY', 'VERCEL_OIDC_TOKEN'),
        ),
        Service('crusoe', 'Crusoe', 'https://api.inference.crusoecloud.com/v1', ('CRUSOE_API_KEY',), crusoe_profile),
        Service(
            'heroku',
            'Heroku',
            'https://us.inference.heroku.com/v1',
            ('HEROKU_INFERENCE_KEY', 'INFERENCE_KEY'),
            heroku_profile,
            url_variables=('HEROKU_INFERENCE_URL', 'INFERENCE_URL'),
        ),
        Service(
            'snowflake',
            'Snowflake Cortex',
            'https://{account}.snowflakecomputing.com/api/v2/cortex/v1',
            ('SNOWFLAKE_TOKEN', 'SNOWFLAKE_API_KEY', 'SNOWFLAKE_PAT'),
            snowflake_profile,
            place_variables=('SNOWFLAKE_ACCOUNT', 'SNOWFLAKE_ACCOUNT_ID'),
        ),
        Service(
            'bedrock-mantle',
            'Bedrock Mantle',
            'https://bedrock-mantle.{region_name}.api.aws/v1',
            ('AWS_BEARER_TOKEN_BEDROCK',),
            bedrock_mantle_profile,
            place_variables=('AWS_DEFAULT_REGION', 'AWS_REGION'),
        ),
        # on the user's own machine
        Service(
            'ollama',
            'Ollama',
            'http://localhost:11434/v1',
            ('OLLAMA_API_KEY',),
            ollama_profile,
            needs_key=False,
            url_variables=('OLLAMA_BASE_URL', 'OLLAMA_API_BASE'),
        ),
        Service(
            'lmstudio',
            'LM Studio',
            'http://localhost:1234/v1',
            ('LMSTUDIO_API_KEY', 'LM_STUDIO_API_KEY'),
            local_profile,
            needs_key=False,
            url_variables=('LMSTUDIO_BASE_URL', 'LM_STUDIO_API_BASE'),
        ),
        Service(
            'vllm-server',
            'vLLM server',
            'http://localhost:8000/v1',
            ('VLLM_API_KEY', 'HOSTED_VLLM_API_KEY'),
            vllm_server_profile,
            needs_key=False,
            url_variables=('VLLM_BASE_URL', 'HOSTED_VLLM_API_BASE'),
        ),
        Service(
            'llamacpp',
            'llama.cpp server',
            'http://localhost:8080/v1',
            ('LLAMACPP_API_KEY', 'LLAMA_API_KEY'),
            llamacpp_profile,
            needs_key=False,
            url_variables=('LLAMACPP_BASE_URL',),
        ),
    )
}
"""The services by name; `register_service` adds to them."""

ALIASES: dict[str, str] = {
    'ai-gateway': 'vercel',
    'dashscope': 'alibaba',
    'fireworks-ai': 'fireworks',
    'google': 'google-gla',
    'google-cloud': 'google-vertex',
    'llama.cpp': 'llamacpp',
    'lm-studio': 'lmstudio',
    'moonshot': 'moonshotai',
    'together-ai': 'together',
    'x-ai': 'grok',
    'xai': 'grok',
    'z-ai': 'zai',
    'z.ai': 'zai',
}
"""Other names of services."""

_GITHUB_MODELS = 'GitHub Models was retired on 2026-07-30: https://docs.github.com/en/github-models'

RETIRED: dict[str, str] = {'github': _GITHUB_MODELS, 'github-models': _GITHUB_MODELS}
"""Names of services that no longer exist → what an error says of them."""

PROVIDERS: dict[str, str] = {
    'alibaba': 'AlibabaProvider',
    'anthropic': 'AnthropicProvider',
    'azure': 'AzureProvider',
    'bedrock': 'BedrockProvider',
    'bedrock-mantle': 'BedrockMantleProvider',
    'cerebras': 'CerebrasProvider',
    'cohere': 'CohereProvider',
    'crusoe': 'CrusoeProvider',
    'deepseek': 'DeepSeekProvider',
    'fireworks': 'FireworksProvider',
    'google-gla': 'GoogleGLAProvider',
    'google-vertex': 'GoogleVertexProvider',
    'grok': 'GrokProvider',
    'groq': 'GroqProvider',
    'heroku': 'HerokuProvider',
    'huggingface': 'HuggingFaceProvider',
    'litellm': 'LiteLLMProvider',
    'mistral': 'MistralProvider',
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
"""The classes of the providers that have a module, by name. The module has the name with `_` for `-`."""

MODEL_PREFIXES = {
    'azure-responses',
    'llamacpp-local',
    'mlx',
    'openai-chat',
    'openai-responses',
    'test',
    'transformers',
    'vllm',
}
"""The prefixes of model strings that are not names of providers; `register_model_prefix` adds to them."""


def register_service(service: Service) -> None:
    """Add a service that speaks OpenAI's API. Its name becomes a provider's name and a prefix of model strings.

    Registering an equal row again changes nothing. Raises a `UserError` if the name is taken, or if a field is invalid.
    """
    if SERVICES.get(service.name) == service:
        return
    _check_row(service)
    if service.name in {*PROVIDERS, *SERVICES, *ALIASES, *MODEL_PREFIXES}:
        raise UserError(f'The name {service.name!r} of a service is taken: register it under another name=')
    SERVICES[service.name] = service


def _check_row(service: Service) -> None:
    check_name(service.name)
    check_url(service.base_url, where='base_url=', provider=service.name)
    for field in ('key_variables', 'url_variables'):
        if isinstance(value := getattr(service, field), str):
            raise UserError(f'{field}= of {service.name!r} is {value!r}, and must be a tuple of names: ({value!r},)')
    if service.needs_key and not service.key_variables:
        raise UserError(f'{service.name!r} has no variable for its key: give key_variables=, or needs_key=False')
    if service.placeholder:
        raise UserError(
            f'base_url= of {service.name!r} is {service.base_url!r}: give a URL without braces, and url_variables= for '
            'the URL of each customer'
        )


def check_name(name: str) -> None:
    """Raise a `UserError` if a name cannot be the prefix of a model string."""
    if not name or any(character in ':/' or character.isspace() for character in name):
        raise UserError(f"The name {name!r} cannot be a prefix of model strings: use letters, digits, '-', '_' and '.'")


def provider_class(name: str) -> type[Provider[Any]]:
    """Return the class of the provider with this name. Raises `UserError` with the nearest names if it is unknown."""
    name = ALIASES.get(name, name)
    if name in PROVIDERS:
        module = import_module(f'.{name.replace("-", "_")}', __package__)
        kind: type[Provider[Any]] = getattr(module, PROVIDERS[name])
        return kind
    if name in SERVICES:
        from .compatible import compatible_class

        return compatible_class(SERVICES[name])
    if name in RETIRED:
        raise UserError(f'There is no provider {name!r}: {RETIRED[name]}')
    names = sorted({*PROVIDERS, *SERVICES, *ALIASES})
    near = suggest_prefixes(name, names)
    raise UserError(f'There is no provider {name!r}{f"; did you mean {near}?" if near else ""}')


PREFIX_SIMILARITY = 0.65
"""The least similarity of a misspelt prefix, from 0 to 1. That of `'nope'` and `'openai'`, which differ, is 0.6."""


MEANT: dict[str, str] = {
    'amazon': 'bedrock',
    'aws': 'bedrock',
    'azure-ai': 'azure',
    'azure-openai': 'azure',
    'hf': 'huggingface',
    'vertex-ai': 'google-vertex',
}
"""Other names of vendors, some of them LiteLLM's prefixes -> the prefix to suggest."""


def suggest_prefixes(name: str, names: Iterable[str]) -> str:
    """Return the one or two names that `name` may be a misspelling or a word of, as `"'a' or 'b'"`, or `''`."""
    names, name = [*names], name.strip().lower().replace('_', '-')
    if (meant := MEANT.get(name, name)) in names:
        return repr(meant)
    near = [known for known in names if name in known.split('-')] or get_close_matches(
        name, names, 2, PREFIX_SIMILARITY
    )
    return ' or '.join(map(repr, near[:2]))
