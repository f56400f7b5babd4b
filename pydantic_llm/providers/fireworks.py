"""The provider of Fireworks AI: a row of the registry as a class."""

from .compatible import CompatibleProvider
from .registry import SERVICES


class FireworksProvider(CompatibleProvider):
    """Fireworks AI, over its OpenAI-compatible API. See `CompatibleProvider`."""

    service = SERVICES['fireworks']
