"""The Responses API.

See https://platform.openai.com/docs/api-reference/responses. Read `model` (the card), `encode` (messages to items),
`options` (tools, output, settings), `decode` (items or events to parts), `native_tools` (the tools that OpenAI runs,
both ways), `serve` (the same from the server's side).
"""

from __future__ import annotations

from .model import OpenAIResponsesModel
from .settings import OpenAIResponsesModelSettings

__all__ = ('OpenAIResponsesModel', 'OpenAIResponsesModelSettings')
