"""The provider of Crusoe: a row of the registry as a class."""

from .compatible import CompatibleProvider
from .registry import SERVICES


class CrusoeProvider(CompatibleProvider):
    """Crusoe, over its OpenAI-compatible API. See `CompatibleProvider`."""

    service = SERVICES['crusoe']
