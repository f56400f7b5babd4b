"""The provider of xAI's Grok: a row of the registry as a class."""

from typing import ClassVar

from .compatible import CompatibleProvider
from .registry import SERVICES
from .service import Service


class GrokProvider(CompatibleProvider):
    """xAI's Grok, over its OpenAI-compatible API. See `CompatibleProvider`."""

    service: ClassVar[Service] = SERVICES['grok']
