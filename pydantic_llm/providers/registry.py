"""One row for each OpenAI-compatible service: its name, where it is, which variable holds its key, how it differs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from typing import Any

from ..exceptions import UserError
from ..profiles import ModelProfile
from ..profiles.compatible import (
    cerebras_profile,
    deepseek_profile,
    local_profile,
    ollama_profile,
    openrouter_profile,
    plain_profile,
)
from . import Provider

__all__ = ('SERVICES', 'Service', 'provider_class')


@dataclass(frozen=True, slots=True)
class Service:
    """A service that speaks OpenAI's API."""

    name: str
    """Its name, which is also the prefix of model strings."""
    title: str
    """What it calls itself."""
    base_url: str
    """Where it is; empty where every customer has an address of their own."""
    key_variables: tuple[str, ...]
    """The environment variables that may hold its key; the first is the one to name."""
    profile: Callable[[str], ModelProfile] = plain_profile
    """What its models can do and its server takes, by the model's name."""
    needs_key: bool = True
    """Whether it wants a key at all."""
    url_variable: str | None = None
    """The environment variable that may hold its address."""


SERVICES: dict[str, Service] = {
    service.name: service
    for service in (
        Service(
            'ollama',
            'Ollama',
            'http://localhost:11434/v1',
            ('OLLAMA_API_KEY',),
            ollama_profile,
            False,
            'OLLAMA_BASE_URL',
        ),
        Service('deepseek', 'DeepSeek', 'https://api.deepseek.com', ('DEEPSEEK_API_KEY',), deepseek_profile),
        Service(
            'openrouter', 'OpenRouter', 'https://openrouter.ai/api/v1', ('OPENROUTER_API_KEY',), openrouter_profile
        ),
        Service('grok', 'xAI', 'https://api.x.ai/v1', ('XAI_API_KEY', 'GROK_API_KEY')),
        Service('perplexity', 'Perplexity', 'https://api.perplexity.ai', ('PERPLEXITY_API_KEY',)),
        Service('cerebras', 'Cerebras', 'https://api.cerebras.ai/v1', ('CEREBRAS_API_KEY',), cerebras_profile),
        Service('lmstudio', 'LM Studio', 'http://localhost:1234/v1', ('LMSTUDIO_API_KEY',), local_profile, False),
    )
}
"""The services by name."""

PROVIDERS: dict[str, tuple[str, str]] = {
    'openai': ('openai', 'OpenAIProvider'),
    'anthropic': ('anthropic', 'AnthropicProvider'),
    'deepseek': ('deepseek', 'DeepSeekProvider'),
    'ollama': ('ollama', 'OllamaProvider'),
    'openrouter': ('openrouter', 'OpenRouterProvider'),
    'cerebras': ('cerebras', 'CerebrasProvider'),
}
"""The providers that have a module and a class of their own: the name to both."""


def provider_class(name: str) -> type[Provider[Any]]:
    """The class of the provider with this name. Raises `UserError` with the nearest names where there is none."""
    if name in PROVIDERS:
        module, class_name = PROVIDERS[name]
        return getattr(import_module(f'.{module}', __package__), class_name)
    if name in SERVICES:
        from .compatible import compatible_class

        return compatible_class(name)
    names = [*PROVIDERS, *SERVICES]
    near = ' or '.join(repr(match) for match in get_close_matches(name, names, 2))
    raise UserError(f'There is no provider {name!r}{f"; did you mean {near}?" if near else ""}')
