"""The provider of Z.ai's GLM: a row of the registry as a class."""

from .compatible import CompatibleProvider
from .registry import SERVICES


class ZaiProvider(CompatibleProvider):
    """Z.ai's GLM, over its OpenAI-compatible API. See `CompatibleProvider`."""

    service = SERVICES['zai']
