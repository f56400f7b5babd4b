"""All paths of the batch APIs: `list_batch_routes`."""

from __future__ import annotations

from starlette.routing import Route

from .anthropic_routes import AnthropicRoutes
from .gemini_routes import GeminiRoutes
from .host import BatchHost
from .openai_routes import MistralRoutes, OpenAIRoutes

__all__ = ('list_batch_routes',)

VENDORS = (GeminiRoutes, OpenAIRoutes, MistralRoutes, AnthropicRoutes)
"""Gemini's come first: their paths with a verb would match OpenAI's paths of files and batches too."""


def list_batch_routes(batches: BatchHost) -> list[Route]:
    """Return the paths of all vendors. They must stand before those of the protocols, which match some of them."""
    return [route for vendor in VENDORS for route in vendor(batches).routes()]
