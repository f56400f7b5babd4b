"""Finds the model to use: the one that is named, the default one, or a model of the first vendor whose key is set."""

from __future__ import annotations

import os
from typing import NamedTuple

from ..exceptions import UserError
from ..models import Model, infer_model
from .errors import UsageError
from .folders import read_config
from .notes import print_note

__all__ = ('MODEL_VARIABLE', 'build_model', 'choose_name', 'default_model_name', 'resolve_name')

MODEL_VARIABLE = 'PYDANTIC_LLM_MODEL'
"""The environment variable of the default model."""

EXAMPLES = ('OPENAI_API_KEY', 'ANTHROPIC_API_KEY', 'GEMINI_API_KEY')
"""The keys that an error names: those that most users have."""

OFFLINE = 'pydantic-llm ask -m test Hello, or pydantic-llm serve -m test'
"""Commands that work without a key and a network."""


class Choice(NamedTuple):
    """A model string, and the reason to use it if the user did not name it."""

    name: str
    reason: str | None = None


def choose_name(name: str | None, base_url: str | None = None) -> Choice:
    """Return the named model, or a default model. Raises `UserError` if no model is named and no key is set."""
    if name is not None and not name.strip():
        raise UsageError('the model is empty: give -m a name such as openai:gpt-5.4-mini, or leave -m out')
    if name is None and base_url is not None:
        raise UsageError('--base-url needs the name of a model: -m')
    if name is None:
        return _choose_default()
    return Choice(name if base_url is None else _add_prefix(name))


def resolve_name(name: str | None, base_url: str | None = None) -> str:
    """Return the model string of `choose_name`. Print the reason for a default model."""
    choice = choose_name(name, base_url)
    if choice.reason is not None:
        print_note(f'Using {choice.name}, {choice.reason}.')
    return choice.name


def build_model(name: str, base_url: str | None = None) -> Model:
    """Build the model that a string names, at another address if one is given."""
    if base_url is None:
        return infer_model(name)
    from .vendors import make_provider

    name = _add_prefix(name)
    prefix = name.partition(':')[0]
    provider = make_provider(prefix, base_url)
    if provider is None:
        raise UserError(f'{prefix!r} takes no --base-url: its models are in this process')
    return infer_model(name, provider=provider)


def _add_prefix(name: str) -> str:
    """Return a model string for a name without a prefix: most servers speak OpenAI's API."""
    from ..models.names import find_prefix

    prefix, colon, _ = name.partition(':')
    return name if name == 'test' or (colon and find_prefix(prefix)) else f'openai:{name}'


def default_model_name() -> str:
    """Return the default model string. Raises `UserError` if none is set and no key is set."""
    return _choose_default().name


def _choose_default() -> Choice:
    if name := os.environ.get(MODEL_VARIABLE):
        return Choice(name)
    if name := read_config().get('model'):
        return Choice(name)
    from .vendors import find_default_name, find_set_variable, key_variables

    for prefix, variables in key_variables().items():
        if (used := find_set_variable(variables)) and (found := find_default_name(prefix)):
            return Choice(found, f'since {used} is set; -m, {MODEL_VARIABLE} or `models default` choose another')
    raise UserError(
        f'No model is named and no key is set: name a model with -m, or set a key ({", ".join(EXAMPLES)}, ...; '
        f'`pydantic-llm models` lists all), or store one with `pydantic-llm keys set`. Without a key: {OFFLINE}'
    )
