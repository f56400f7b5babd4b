"""The provider of Perplexity's Sonar: a row of the registry as a class."""

from .compatible import CompatibleProvider
from .registry import SERVICES


class PerplexityProvider(CompatibleProvider):
    """Perplexity's Sonar, over its OpenAI-compatible API. See `CompatibleProvider`."""

    service = SERVICES['perplexity']
