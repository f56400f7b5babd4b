"""The vendors as the command line shows them: the variables of their keys, their known models, their default models."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from inspect import signature
from typing import Any, get_args

from ..exceptions import UserError
from ..models.known_names import KnownModelName
from ..models.names import NAMES, find_prefix
from ..providers import Provider, infer_provider_class
from ..providers.registry import ALIASES, SERVICES, suggest_prefixes

__all__ = (
    'find_default_name',
    'find_key_variables',
    'find_set_variable',
    'key_variables',
    'list_known_names',
    'make_provider',
)

KEYS: dict[str, tuple[str, ...]] = {
    'openai': ('OPENAI_API_KEY',),
    'anthropic': ('ANTHROPIC_API_KEY', 'ANTHROPIC_AUTH_TOKEN'),
    'azure': ('AZURE_OPENAI_API_KEY', 'AZURE_OPENAI_AD_TOKEN'),
    'google-gla': ('GEMINI_API_KEY', 'GOOGLE_API_KEY'),
    'groq': ('GROQ_API_KEY',),
    'mistral': ('MISTRAL_API_KEY',),
    'cohere': ('CO_API_KEY', 'COHERE_API_KEY'),
    'huggingface': ('HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN'),
    'bedrock': ('AWS_BEARER_TOKEN_BEDROCK', 'AWS_ACCESS_KEY_ID', 'AWS_PROFILE'),
    'google-vertex': ('GOOGLE_APPLICATION_CREDENTIALS',),
}
"""The environment variables of the keys of providers that are not in the registry, in order of preference."""

CLOUDS = frozenset({'azure', 'azure-responses', 'bedrock', 'google-vertex'})
"""Vendors that are never the default: an account with them does not imply that a model is deployed or enabled."""

DEFAULT_MODELS: dict[str, str] = {
    'openai': 'gpt-5.4-mini',
    'anthropic': 'claude-sonnet-5-5',
    'google-gla': 'gemini-3.8-flash',
    'openrouter': 'anthropic/claude-sonnet-5.5',
}
"""The default model of a vendor. For other vendors it is the first known name."""


def key_variables() -> dict[str, tuple[str, ...]]:
    """Return the environment variables of the keys by prefix, in the order in which default models are tried."""
    services = {name: service.key_variables for name, service in SERVICES.items() if service.needs_key}
    keys = {**KEYS, **services}
    rooms = {prefix: keys[name.provider] for prefix, name in NAMES.items() if name.provider in keys}
    return {**{prefix: rooms[prefix] for prefix in KEYS if prefix in rooms}, **rooms, **services}


def find_set_variable(variables: Iterable[str]) -> str | None:
    """Return the first of some environment variables that is set and not empty, or `None`."""
    return next((variable for variable in variables if os.environ.get(variable)), None)


def find_key_variables(name: str) -> tuple[str, ...]:
    """Return the variables of a vendor, given by its prefix or by one of its variables. Raises `UserError`."""
    keys = {**{name: service.key_variables for name, service in SERVICES.items()}, **key_variables()}
    prefix = ALIASES.get(name, name)
    if prefix in keys:
        return keys[prefix]
    if any(name in variables for variables in keys.values()):
        return (name,)
    near = suggest_prefixes(name, [*keys, *ALIASES, *{variable for names in keys.values() for variable in names}])
    hint = f'did you mean {near}?' if near else '`pydantic-llm models` lists the prefixes of vendors'
    raise UserError(f'{name!r} is not the prefix of a vendor with a key, nor the variable of one: {hint}')


def list_known_names(prefix: str = '') -> Iterator[str]:
    """List the known model strings. Other names are valid too: they are sent to the vendor unchanged."""
    return (name for name in get_args(KnownModelName) if name.startswith(prefix))


def find_default_name(prefix: str) -> str | None:
    """Return the default model string of a vendor, or `None` if it has none."""
    if prefix in CLOUDS:
        return None
    if prefix in DEFAULT_MODELS:
        return f'{prefix}:{DEFAULT_MODELS[prefix]}'
    return next(list_known_names(f'{prefix}:'), None)


def make_provider(prefix: str, base_url: str | None) -> Provider[Any] | None:
    """Return the provider of a prefix, at another URL if one is given; `None` for models in this process."""
    row = find_prefix(prefix)
    name = prefix if row is None else row.provider
    if name is None:
        return None
    kind: Any = infer_provider_class(name)
    if base_url is not None and 'base_url' not in signature(kind).parameters:
        raise UserError(f'{prefix!r} takes no --base-url')
    provider: Provider[Any] = kind() if base_url is None else kind(base_url=base_url)
    return provider
