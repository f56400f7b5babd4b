"""Finds the model to use: the one that is named, or a model of the first vendor whose key is set."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import get_args

from ..exceptions import UserError
from ..models import Model, infer_model
from ..models.known_names import KnownModelName
from ..models.names import NAMES
from ..providers.registry import SERVICES

__all__ = ('choose_model', 'default_model_name', 'key_variables', 'list_known_names')

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

OFFLINE = 'pydantic-llm ask -m test Hello, or pydantic-llm serve -m test'
"""Commands that work without a key and a network."""


def choose_model(name: str | None) -> Model:
    """Return the named model, or a default model. Raises `UserError` if no model is named and no key is set."""
    return infer_model(name or default_model_name())


def default_model_name() -> str:
    """Return a model string of the first vendor whose key is set. Raises `UserError` if no key is set."""
    for prefix, variables in key_variables().items():
        if any(os.environ.get(variable) for variable in variables) and (name := _find_default_name(prefix)):
            return name
    keys = {variables[0]: None for prefix, variables in key_variables().items() if _find_default_name(prefix)}
    examples = list(keys)
    raise UserError(
        f'No model is named and no key is set: name a model with -m, '
        f'or set {", ".join(examples[:-1])} or {examples[-1]}. To try it without a key: {OFFLINE}'
    )


def key_variables() -> dict[str, tuple[str, ...]]:
    """Return the environment variables of the keys by prefix, in the order in which default models are tried."""
    services = {name: service.key_variables for name, service in SERVICES.items() if service.needs_key}
    keys = {**KEYS, **services}
    rooms = {prefix: keys[name.provider] for prefix, name in NAMES.items() if name.provider in keys}
    return {**{prefix: rooms[prefix] for prefix in KEYS if prefix in rooms}, **rooms, **services}


def list_known_names(prefix: str = '') -> Iterator[str]:
    """List the known model strings. Other names are valid too: they are sent to the vendor unchanged."""
    return (name for name in get_args(KnownModelName) if name.startswith(prefix))


def _find_default_name(prefix: str) -> str | None:
    if prefix in CLOUDS:
        return None
    if prefix in DEFAULT_MODELS:
        return f'{prefix}:{DEFAULT_MODELS[prefix]}'
    return next(list_known_names(f'{prefix}:'), None)
