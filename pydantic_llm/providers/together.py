"""Together AI."""

from __future__ import annotations

from .compatible import CompatibleProvider
from .registry import SERVICES

__all__ = ('TogetherProvider',)


class TogetherProvider(CompatibleProvider):
    """Together AI, by its OpenAI-compatible API."""

    service = SERVICES['together']
    """The service's row."""
