"""The class that pydantic-ai has for Ollama: `OpenAIChatModel` with its provider."""

from typing import ClassVar

from .openai.chat.service_model import ServiceModel

__all__ = ('OllamaModel',)


class OllamaModel(ServiceModel):
    """A model of Ollama. Takes what `OpenAIChatModel` takes; `provider` is `'ollama'` by default."""

    service: ClassVar[str] = 'ollama'
