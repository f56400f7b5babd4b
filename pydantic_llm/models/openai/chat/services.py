"""The settings of services that have fields of their own in addition to OpenAI's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from .settings import OpenAIChatModelSettings

__all__ = ('SERVICE_SETTINGS', 'OpenRouterModelSettings', 'ServiceSettings')


class OpenRouterModelSettings(OpenAIChatModelSettings, total=False):
    """The settings of a request to OpenRouter: https://openrouter.ai/docs/api-reference/overview."""

    openrouter_models: Sequence[str]
    """The models to try if the first one fails, in order."""

    openrouter_provider: Mapping[str, Any]
    """The vendors to route to: `{'order': ['azure'], 'allow_fallbacks': False}`."""

    openrouter_preset: str
    """A preset of your account: `'@preset/name'`."""

    openrouter_transforms: Sequence[str]
    """Transforms of the prompt: `['middle-out']` compresses a conversation that is too long."""

    openrouter_reasoning: Mapping[str, Any]
    """The API's `reasoning`: `{'effort': 'high'}`, `{'max_tokens': 2000, 'exclude': True}`. Overrides `thinking`."""

    openrouter_usage: Mapping[str, Any]
    """The details of the usage: `{'include': True}`."""

    openrouter_plugins: Sequence[Mapping[str, Any]]
    """Plugins: `[{'id': 'web', 'max_results': 3}]`."""

    openrouter_route: str
    """The routing strategy: `'fallback'`."""


class ServiceSettings(NamedTuple):
    """The own settings of a service."""

    prefix: str
    """The beginning of their names."""
    settings_type: type
    """The `TypedDict` with their types."""
    fields: Mapping[str, str]
    """The settings -> the fields of the body."""


SERVICE_SETTINGS: dict[str, ServiceSettings] = {
    'openrouter': ServiceSettings(
        'openrouter_',
        OpenRouterModelSettings,
        {
            'openrouter_models': 'models',
            'openrouter_provider': 'provider',
            'openrouter_preset': 'preset',
            'openrouter_transforms': 'transforms',
            'openrouter_reasoning': 'reasoning',
            'openrouter_usage': 'usage',
            'openrouter_plugins': 'plugins',
            'openrouter_route': 'route',
        },
    ),
}
"""The services with settings of their own, by the name of the provider."""
