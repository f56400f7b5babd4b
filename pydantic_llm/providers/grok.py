"""The provider of xAI's Grok: a row of the registry as a class."""

from .compatible import CompatibleProvider
from .registry import SERVICES


class GrokProvider(CompatibleProvider):
    """xAI's Grok, over its OpenAI-compatible API. See `CompatibleProvider`."""

    service = SERVICES['grok']
