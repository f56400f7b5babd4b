"""The class that pydantic-ai has for OpenRouter: `OpenAIChatModel` with its provider."""

from typing import ClassVar

from .openai.chat.service_model import ServiceModel
from .openai.chat.services import OpenRouterModelSettings

__all__ = ('OpenRouterModel', 'OpenRouterModelSettings')


class OpenRouterModel(ServiceModel):
    """A model of OpenRouter. Takes what `OpenAIChatModel` takes; `provider` is `'openrouter'` by default."""

    service: ClassVar[str] = 'openrouter'
