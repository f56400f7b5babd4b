"""Vercel AI Gateway."""

from __future__ import annotations

from .compatible import CompatibleProvider
from .registry import SERVICES

__all__ = ('VercelProvider',)


class VercelProvider(CompatibleProvider):
    """Vercel AI Gateway, by its OpenAI-compatible API."""

    service = SERVICES['vercel']
    """The service's row."""
