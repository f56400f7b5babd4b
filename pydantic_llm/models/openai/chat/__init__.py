"""The Chat Completions API (https://platform.openai.com/docs/api-reference/chat).

Read `model` (the card), `encode` (messages to body), `decode` (body or chunks to parts), `serve` (the same from the
server's side). `settings` names the knobs. In which ways servers differ is said by `profiles.openai`.
"""

from __future__ import annotations

from .model import OpenAIChatModel, OpenAIModel
from .settings import OpenAIChatModelSettings, OpenAIModelSettings

__all__ = ('OpenAIChatModel', 'OpenAIChatModelSettings', 'OpenAIModel', 'OpenAIModelSettings')
