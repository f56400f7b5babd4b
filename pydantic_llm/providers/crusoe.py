"""Crusoe."""

from __future__ import annotations

from .compatible import CompatibleProvider
from .registry import SERVICES

__all__ = ('CrusoeProvider',)


class CrusoeProvider(CompatibleProvider):
    """Crusoe, by its OpenAI-compatible API."""

    service = SERVICES['crusoe']
    """The service's row."""
