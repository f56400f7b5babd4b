"""The provider of Cerebras: a row of the registry as a class."""

from .compatible import CompatibleProvider
from .registry import SERVICES


class CerebrasProvider(CompatibleProvider):
    """Cerebras, over its OpenAI-compatible API. See `CompatibleProvider`."""

    service = SERVICES['cerebras']
