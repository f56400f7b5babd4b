"""The Responses API.

https://platform.openai.com/docs/api-reference/responses

Read `model`, `encode` (messages to items, with `content` and `encode_response`), `options` (tools, output, settings),
`decode` (items or events to parts), `serve` (the same from the server's side). For the tools that OpenAI runs,
`native_tools` encodes what a request asks for, `native_items` and `native_fields` encode and decode what they did.
"""

from __future__ import annotations

from .model import OpenAIResponsesModel
from .settings import OpenAIResponsesModelSettings

__all__ = ('OpenAIResponsesModel', 'OpenAIResponsesModelSettings')
