"""The provider of Moonshot AI's Kimi: a row of the registry as a class."""

from .compatible import CompatibleProvider
from .registry import SERVICES


class MoonshotAIProvider(CompatibleProvider):
    """Moonshot AI's Kimi, over its OpenAI-compatible API. See `CompatibleProvider`."""

    service = SERVICES['moonshotai']
