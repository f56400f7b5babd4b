"""The Gemini API, through Google's Generative Language API and through Vertex AI.

It is documented at https://ai.google.dev/api/generate-content. Reading order: `model` (path and hooks), `encode`
(messages), `options` (tools, output, settings), `decode` (responses), `native_tools` (Google's own tools, in both
directions), `serve` (the API from the server's side).
"""

from __future__ import annotations

from .model import GeminiModel
from .settings import GeminiModelSettings

__all__ = ('GeminiModel', 'GeminiModelSettings')
