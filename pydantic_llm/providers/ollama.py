"""The provider of Ollama: a row of the registry as a class."""

from .compatible import CompatibleProvider
from .registry import SERVICES


class OllamaProvider(CompatibleProvider):
    """Ollama, over its OpenAI-compatible API. See `CompatibleProvider`."""

    service = SERVICES['ollama']
