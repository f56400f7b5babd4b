"""OpenRouter."""

from __future__ import annotations

from .compatible import CompatibleProvider
from .registry import SERVICES

__all__ = ('OpenRouterProvider',)


class OpenRouterProvider(CompatibleProvider):
    """OpenRouter, by its OpenAI-compatible API."""

    service = SERVICES['openrouter']
    """The service's row."""
