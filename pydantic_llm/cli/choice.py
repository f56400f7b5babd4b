"""Which model is meant: the one that was named, or one of the first vendor whose key is set."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import get_args

from ..exceptions import UserError
from ..models import Model, infer_model
from ..models.known_names import KnownModelName
from ..models.names import NAMES
from ..providers.registry import SERVICES

__all__ = ('choose_model', 'default_model_name', 'key_variables', 'known_names')

KEYS: dict[str, tuple[str, ...]] = {
    'openai': ('OPENAI_API_KEY',),
    'anthropic': ('ANTHROPIC_API_KEY',),
    'azure': ('AZURE_OPENAI_API_KEY', 'AZURE_OPENAI_AD_TOKEN'),
    'google-gla': ('GOOGLE_API_KEY', 'GEMINI_API_KEY'),
    'groq': ('GROQ_API_KEY',),
    'mistral': ('MISTRAL_API_KEY',),
    'cohere': ('CO_API_KEY',),
    'huggingface': ('HF_TOKEN',),
    'bedrock': ('AWS_BEARER_TOKEN_BEDROCK', 'AWS_ACCESS_KEY_ID', 'AWS_PROFILE'),
    'google-vertex': ('GOOGLE_APPLICATION_CREDENTIALS',),
}
"""The variables that hold the keys of the providers which the registry does not know, the first choice first."""

CLOUDS = frozenset({'azure', 'azure-responses', 'bedrock', 'google-vertex'})
"""Vendors whose credentials do not say that there is a model: they are never the default."""

DEFAULTS: dict[str, str] = {
    'openai': 'gpt-5.4-mini',
    'anthropic': 'claude-sonnet-5-5',
    'google-gla': 'gemini-3.8-flash',
    'openrouter': 'anthropic/claude-sonnet-5.5',
}
"""The model that is taken where nobody names one. Of other vendors it is the first known name."""

OFFLINE = 'pydantic-llm ask -m test Hello, or pydantic-llm serve -m test'
"""What works on any machine."""


def choose_model(name: str | None) -> Model:
    """The model that was named, or a default one. Raises `UserError` where there is no key for any."""
    return infer_model(name or default_model_name())


def default_model_name() -> str:
    """A model of the first vendor whose key is set."""
    for prefix, variables in key_variables().items():
        if any(os.environ.get(variable) for variable in variables) and (name := _default_of(prefix)):
            return name
    first = [variables[0] for prefix, variables in key_variables().items() if _default_of(prefix)]
    raise UserError(
        f'No model was named and no key is set: name a model with -m, or set {", ".join(first[:-1])} or {first[-1]}. '
        f'To try it without a key: {OFFLINE}'
    )


def key_variables() -> dict[str, tuple[str, ...]]:
    """Prefixes and the variables of their keys, in the order in which they are tried."""
    services = {name: service.key_variables for name, service in SERVICES.items() if service.needs_key}
    keys = {**KEYS, **services}
    rooms = {prefix: keys[name.provider] for prefix, name in NAMES.items() if name.provider in keys}
    return {**{prefix: rooms[prefix] for prefix in KEYS if prefix in rooms}, **rooms, **services}


def known_names(prefix: str = '') -> Iterator[str]:
    """The names that are known by heart; any other name goes to its vendor as it is."""
    return (name for name in get_args(KnownModelName) if name.startswith(prefix))


def _default_of(prefix: str) -> str | None:
    if prefix in CLOUDS:
        return None
    if prefix in DEFAULTS:
        return f'{prefix}:{DEFAULTS[prefix]}'
    return next(known_names(f'{prefix}:'), None)
