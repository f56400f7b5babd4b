"""The provider of Z.ai's GLM: a row of the registry as a class."""

from typing import ClassVar

from .compatible import CompatibleProvider
from .registry import SERVICES
from .service import Service


class ZaiProvider(CompatibleProvider):
    """Z.ai's GLM, over its OpenAI-compatible API. See `CompatibleProvider`."""

    service: ClassVar[Service] = SERVICES['zai']
