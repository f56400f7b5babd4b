"""Cerebras."""

from __future__ import annotations

from .compatible import CompatibleProvider
from .registry import SERVICES

__all__ = ('CerebrasProvider',)


class CerebrasProvider(CompatibleProvider):
    """Cerebras, by its OpenAI-compatible API."""

    service = SERVICES['cerebras']
    """The service's row."""
