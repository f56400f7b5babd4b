"""The names that editors complete: each makes its model, and each is in its vendor's package or in a price list."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_args

import anthropic.types
import genai_prices.data_snapshot
import groq.types.chat.completion_create_params
import openai.types.shared
import pytest

from pydantic_llm.models import infer_model
from pydantic_llm.models.known_names import KnownModelName
from pydantic_llm.models.names import NAMES
from pydantic_llm.models.test.model import TestModel
from pydantic_llm.providers import Provider
from pydantic_llm.providers.registry import SERVICES

KNOWN: tuple[str, ...] = get_args(KnownModelName)
PREFIXES = sorted({name.partition(':')[0] for name in KNOWN} - {'test'})
PROVIDER_OF = {prefix: name.provider for prefix, name in NAMES.items()} | {name: name for name in SERVICES}


def names_of(prefix: str) -> list[str]:
    return [name.removeprefix(f'{prefix}:') for name in KNOWN if name.startswith(f'{prefix}:')]


# -------------------------------------------------------------------------------------------------------- they work


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key, and whatever else a provider wants to know, for each of them."""
    variables = ['OPENAI_API_KEY', 'ANTHROPIC_API_KEY', 'GEMINI_API_KEY', 'GROQ_API_KEY', 'MISTRAL_API_KEY']
    variables += ['CO_API_KEY', 'HF_TOKEN', 'AWS_BEARER_TOKEN_BEDROCK']
    for service in SERVICES.values():
        variables += [*service.key_variables, *service.place_variables]
    for variable in variables:
        monkeypatch.setenv(variable, 'dummy')
    monkeypatch.setenv('AWS_REGION', 'us-east-1')


@pytest.mark.usefixtures('keys')
@pytest.mark.parametrize('prefix', PREFIXES)
def test_every_known_name_makes_its_model(prefix: str) -> None:
    first, *others = names_of(prefix)
    model = infer_model(f'{prefix}:{first}')
    provider = getattr(model, 'provider', None)
    assert isinstance(provider, Provider)
    assert provider.name == PROVIDER_OF[prefix]
    kinds = {type(model), *(type(infer_model(f'{prefix}:{name}', provider=provider)) for name in others)}
    assert [kind.__name__ for kind in kinds] == [NAMES[prefix].model if prefix in NAMES else 'OpenAIChatModel']
    assert [infer_model(f'{prefix}:{name}', provider=provider).model_name for name in others] == others


def test_the_name_without_a_vendor_makes_its_model() -> None:
    assert isinstance(infer_model('test'), TestModel)


def test_every_known_name_has_an_existing_prefix_and_is_unique() -> None:
    assert set(PREFIXES) <= {*NAMES, *SERVICES}
    assert len(set(KNOWN)) == len(KNOWN)


NAMELESS = {
    *('azure', 'azure-responses', 'litellm', 'openai-chat', 'heroku'),
    *('llamacpp', 'llamacpp-local', 'lmstudio', 'vllm-server', 'transformers', 'vllm', 'mlx'),
}
"""The prefixes without known names: deployments of customers, other vendors' names, or files."""


def test_every_other_vendor_has_known_names() -> None:
    assert {*NAMES, *SERVICES} - set(PREFIXES) - NAMELESS == set()


# -------------------------------------------------------------------------------------------------------- they exist


def literals(hint: Any) -> Iterator[str]:
    for argument in get_args(hint):
        if isinstance(argument, str):
            yield argument
        else:
            yield from literals(argument)


def of_groq() -> set[str]:
    source = inspect.getsource(groq.types.chat.completion_create_params)
    return set(re.findall(r'"([^"]+)"', source.partition('model: ')[2].partition(']')[0]))


SDKS: dict[str, Callable[[], set[str]]] = {
    'openai': lambda: set(literals(openai.types.shared.AllModels)),
    'openai-responses': lambda: set(literals(openai.types.shared.AllModels)),
    'anthropic': lambda: set(literals(anthropic.types.Model)),
    'groq': of_groq,
}
"""The names that the vendors' own packages list."""

PRICED = {
    'google-gla': 'google',
    'google-vertex': 'google',
    'bedrock': 'aws',
    'grok': 'x-ai',
    'openai-responses': 'openai',
}
"""The names of vendors in genai-prices, if they differ from ours."""

TABLE = {
    'openai-responses': 'openai',
    'google-gla': 'gemini',
    'google-vertex': 'gemini',
    'bedrock': 'bedrock_converse',
    'bedrock-mantle': 'bedrock_mantle',
    'cohere': 'cohere_chat',
    'grok': 'xai',
    'moonshotai': 'moonshot',
    'alibaba': 'dashscope',
    'together': 'together_ai',
    'fireworks': 'fireworks_ai',
    'vercel': 'vercel_ai_gateway',
}
"""LiteLLM's names of vendors, where they differ from ours."""

BY_THEIR_OWN_PAGES = {
    'cohere:command-a-reasoning-08-2025',  # https://docs.cohere.com/docs/models
    'cohere:command-a-vision-07-2025',
    *(f'ollama:{name}' for name in names_of('ollama')),  # https://ollama.com/library
}
"""Names that no package lists, and where to find them."""


def is_priced(prefix: str, name: str) -> bool:
    vendor = PRICED.get(prefix, prefix)
    providers = genai_prices.data_snapshot.get_snapshot().providers
    ours = [provider for provider in providers if provider.id == vendor or provider.id.startswith(f'{vendor}_')]
    return any(model.is_match(name) for provider in ours for model in provider.models)


@cache
def tabled() -> dict[str, Any]:
    """litellm's table, read without importing litellm."""
    spec = find_spec('litellm')
    if spec is None or not spec.submodule_search_locations:
        return {}
    folder = Path(spec.submodule_search_locations[0])
    table: dict[str, Any] = json.loads((folder / 'model_prices_and_context_window_backup.json').read_text('utf-8'))
    return table


def is_tabled(prefix: str, name: str) -> bool:
    vendor = TABLE.get(prefix, prefix)
    rows = (tabled().get(key) for key in (name, f'{vendor}/{name}'))
    return any(str(row.get('litellm_provider')) == vendor for row in rows if row)


@pytest.mark.parametrize('prefix', PREFIXES)
def test_every_known_name_exists(prefix: str) -> None:
    listed = SDKS[prefix]() if prefix in SDKS else set()
    unknown = [
        name
        for name in names_of(prefix)
        if name not in listed
        and f'{prefix}:{name}' not in BY_THEIR_OWN_PAGES
        and not is_priced(prefix, name)
        and not is_tabled(prefix, name)
    ]
    assert unknown == []


def test_a_name_that_does_not_exist_is_found() -> None:
    assert not is_priced('mistral', 'gpt-5.4')
    assert not is_tabled('anthropic', 'claude-sonet-5')
    assert 'gpt-4oo' not in SDKS['openai']()
