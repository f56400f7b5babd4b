"""The provider of Fireworks AI: a row of the registry as a class."""

from typing import ClassVar

from .compatible import CompatibleProvider
from .registry import SERVICES
from .service import Service


class FireworksProvider(CompatibleProvider):
    """Fireworks AI, over its OpenAI-compatible API. See `CompatibleProvider`."""

    service: ClassVar[Service] = SERVICES['fireworks']
