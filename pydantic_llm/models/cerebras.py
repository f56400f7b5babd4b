"""The class that pydantic-ai has for Cerebras: `OpenAIChatModel` with its provider."""

from typing import ClassVar

from .openai.chat.service_model import ServiceModel

__all__ = ('CerebrasModel',)


class CerebrasModel(ServiceModel):
    """A model of Cerebras. Takes what `OpenAIChatModel` takes; `provider` is `'cerebras'` by default."""

    service: ClassVar[str] = 'cerebras'
