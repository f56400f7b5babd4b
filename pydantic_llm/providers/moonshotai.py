"""The provider of Moonshot AI's Kimi: a row of the registry as a class."""

from typing import ClassVar

from .compatible import CompatibleProvider
from .registry import SERVICES
from .service import Service


class MoonshotAIProvider(CompatibleProvider):
    """Moonshot AI's Kimi, over its OpenAI-compatible API. See `CompatibleProvider`."""

    service: ClassVar[Service] = SERVICES['moonshotai']
