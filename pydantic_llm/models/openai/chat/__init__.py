"""The Chat Completions API (https://platform.openai.com/docs/api-reference/chat).

Read `model` (OpenAI's class) and `base` (the class of all dialects), `encode` (messages to body), `decode` (body or
chunks to parts), `serve` (the same API from the server's side). `settings` maps settings to fields of the body. The
differences between servers are in `dialect` (by vendor) and in `profiles.openai` (by model).
"""

from __future__ import annotations

from .model import OpenAIChatModel, OpenAIModel
from .services import OpenRouterModelSettings
from .settings import OpenAIChatModelSettings, OpenAIModelSettings

__all__ = (
    'OpenAIChatModel',
    'OpenAIChatModelSettings',
    'OpenAIModel',
    'OpenAIModelSettings',
    'OpenRouterModelSettings',
)
