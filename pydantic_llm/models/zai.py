"""The class that pydantic-ai has for Z.ai: `OpenAIChatModel` with its provider."""

from typing import ClassVar

from .openai.chat.service_model import ServiceModel

__all__ = ('ZaiModel',)


class ZaiModel(ServiceModel):
    """A model of Z.ai. Takes what `OpenAIChatModel` takes; `provider` is `'zai'` by default."""

    service: ClassVar[str] = 'zai'
