"""The Responses API.

See https://platform.openai.com/docs/api-reference/responses. Read `model` (the card), `encode` (messages to items, with
`content` and `encode_response`), `options` (tools, output, settings), `decode` (items or events to parts), `serve` (the
same from the server's side). Of the tools that OpenAI runs, `native_tools` says how they are asked for, `native_items`
and `native_fields` what became of them, both ways.
"""

from __future__ import annotations

from .model import OpenAIResponsesModel
from .settings import OpenAIResponsesModelSettings

__all__ = ('OpenAIResponsesModel', 'OpenAIResponsesModelSettings')
