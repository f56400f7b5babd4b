"""Moonshot AI's Kimi."""

from __future__ import annotations

from .compatible import CompatibleProvider
from .registry import SERVICES

__all__ = ('MoonshotAIProvider',)


class MoonshotAIProvider(CompatibleProvider):
    """Moonshot AI's Kimi, by its OpenAI-compatible API."""

    service = SERVICES['moonshotai']
    """The service's row."""
