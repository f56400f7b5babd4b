"""The provider of Nebius Token Factory: a row of the registry as a class."""

from typing import ClassVar

from .compatible import CompatibleProvider
from .registry import SERVICES
from .service import Service


class NebiusProvider(CompatibleProvider):
    """Nebius Token Factory, over its OpenAI-compatible API. See `CompatibleProvider`."""

    service: ClassVar[Service] = SERVICES['nebius']
