"""The Gemini API, through Google's Generative Language API and through Vertex AI.

It is documented at https://ai.google.dev/api/generate-content. Reading order: `model` (path and hooks), `encode`
(messages), `options` (tools, output, settings), `decode` (responses), `native_tools` (Google's own tools, in both
directions), `serve` (the API from the server's side).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..._lazy_names import import_lazily
from .model import GeminiModel
from .settings import GeminiModelSettings

if TYPE_CHECKING:
    from ..model_names import GeminiModelName

__all__ = ('GeminiModel', 'GeminiModelName', 'GeminiModelSettings')

if not TYPE_CHECKING:  # for a type checker, a module with this function has every name
    __getattr__ = import_lazily(__name__, {'GeminiModelName': '.model_names'})
