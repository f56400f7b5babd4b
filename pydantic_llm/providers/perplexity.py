"""Perplexity's Sonar."""

from __future__ import annotations

from .compatible import CompatibleProvider
from .registry import SERVICES

__all__ = ('PerplexityProvider',)


class PerplexityProvider(CompatibleProvider):
    """Perplexity's Sonar, by its OpenAI-compatible API."""

    service = SERVICES['perplexity']
    """The service's row."""
