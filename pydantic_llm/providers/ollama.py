"""Ollama."""

from __future__ import annotations

from .compatible import CompatibleProvider
from .registry import SERVICES

__all__ = ('OllamaProvider',)


class OllamaProvider(CompatibleProvider):
    """Ollama, by its OpenAI-compatible API."""

    service = SERVICES['ollama']
    """The service's row."""
