"""The provider of OpenRouter: a row of the registry as a class."""

from .compatible import CompatibleProvider
from .registry import SERVICES


class OpenRouterProvider(CompatibleProvider):
    """OpenRouter, over its OpenAI-compatible API. See `CompatibleProvider`."""

    service = SERVICES['openrouter']
