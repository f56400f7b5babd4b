"""The provider of Ollama: a row of the registry as a class."""

from typing import ClassVar

from .compatible import CompatibleProvider
from .registry import SERVICES
from .service import Service


class OllamaProvider(CompatibleProvider):
    """Ollama, over its OpenAI-compatible API. See `CompatibleProvider`."""

    service: ClassVar[Service] = SERVICES['ollama']
