"""OpenAI's two APIs: Chat Completions (`chat`), which many other servers have too, and Responses (`responses`)."""

from __future__ import annotations

from .chat import OpenAIChatModel, OpenAIChatModelSettings, OpenAIModel, OpenAIModelSettings, OpenRouterModelSettings
from .responses import OpenAIResponsesModel, OpenAIResponsesModelSettings

__all__ = (
    'OpenAIChatModel',
    'OpenAIChatModelSettings',
    'OpenAIModel',
    'OpenAIModelSettings',
    'OpenAIResponsesModel',
    'OpenAIResponsesModelSettings',
    'OpenRouterModelSettings',
)
