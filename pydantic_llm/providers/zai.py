"""Z.ai's GLM."""

from __future__ import annotations

from .compatible import CompatibleProvider
from .registry import SERVICES

__all__ = ('ZaiProvider',)


class ZaiProvider(CompatibleProvider):
    """Z.ai's GLM, by its OpenAI-compatible API."""

    service = SERVICES['zai']
    """The service's row."""
