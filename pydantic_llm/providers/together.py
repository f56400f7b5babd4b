"""The provider of Together AI: a row of the registry as a class."""

from .compatible import CompatibleProvider
from .registry import SERVICES


class TogetherProvider(CompatibleProvider):
    """Together AI, over its OpenAI-compatible API. See `CompatibleProvider`."""

    service = SERVICES['together']
