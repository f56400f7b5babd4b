"""Nebius Token Factory."""

from __future__ import annotations

from .compatible import CompatibleProvider
from .registry import SERVICES

__all__ = ('NebiusProvider',)


class NebiusProvider(CompatibleProvider):
    """Nebius Token Factory, by its OpenAI-compatible API."""

    service = SERVICES['nebius']
    """The service's row."""
