"""Fireworks AI."""

from __future__ import annotations

from .compatible import CompatibleProvider
from .registry import SERVICES

__all__ = ('FireworksProvider',)


class FireworksProvider(CompatibleProvider):
    """Fireworks AI, by its OpenAI-compatible API."""

    service = SERVICES['fireworks']
    """The service's row."""
