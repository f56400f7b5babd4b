"""The provider of Perplexity's Sonar: a row of the registry as a class."""

from typing import ClassVar

from .compatible import CompatibleProvider
from .registry import SERVICES
from .service import Service


class PerplexityProvider(CompatibleProvider):
    """Perplexity's Sonar, over its OpenAI-compatible API. See `CompatibleProvider`."""

    service: ClassVar[Service] = SERVICES['perplexity']
