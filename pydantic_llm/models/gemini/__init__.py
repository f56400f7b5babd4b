"""The Gemini API, through Google's Generative Language API and through Vertex AI.

See https://ai.google.dev/api/generate-content. Read `model` (the card), `encode` (messages to contents), `options`
(tools, output, settings), `decode` (candidates to parts), `native_tools` (the tools that Google runs, both ways),
`serve` (the same from the server's side).
"""

from __future__ import annotations

from .model import GeminiModel
from .settings import GeminiModelSettings

__all__ = ('GeminiModel', 'GeminiModelSettings')
