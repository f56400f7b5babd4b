"""xAI's Grok."""

from __future__ import annotations

from .compatible import CompatibleProvider
from .registry import SERVICES

__all__ = ('GrokProvider',)


class GrokProvider(CompatibleProvider):
    """xAI's Grok, by its OpenAI-compatible API."""

    service = SERVICES['grok']
    """The service's row."""
