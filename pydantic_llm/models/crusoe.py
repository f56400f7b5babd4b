"""The class that pydantic-ai has for Crusoe: `OpenAIChatModel` with its provider."""

from typing import ClassVar

from .openai.chat.service_model import ServiceModel

__all__ = ('CrusoeModel',)


class CrusoeModel(ServiceModel):
    """A model of Crusoe. Takes what `OpenAIChatModel` takes; `provider` is `'crusoe'` by default."""

    service: ClassVar[str] = 'crusoe'
