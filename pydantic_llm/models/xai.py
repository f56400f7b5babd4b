"""The class that pydantic-ai has for xAI: `OpenAIChatModel` with its provider."""

from typing import ClassVar

from .openai.chat.service_model import ServiceModel

__all__ = ('XaiModel',)


class XaiModel(ServiceModel):
    """A model of xAI. Takes what `OpenAIChatModel` takes; `provider` is `'grok'` by default."""

    service: ClassVar[str] = 'grok'
