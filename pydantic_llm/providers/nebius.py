"""The provider of Nebius Token Factory: a row of the registry as a class."""

from .compatible import CompatibleProvider
from .registry import SERVICES


class NebiusProvider(CompatibleProvider):
    """Nebius Token Factory, over its OpenAI-compatible API. See `CompatibleProvider`."""

    service = SERVICES['nebius']
