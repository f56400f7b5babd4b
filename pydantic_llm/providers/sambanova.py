"""SambaNova."""

from __future__ import annotations

from .compatible import CompatibleProvider
from .registry import SERVICES

__all__ = ('SambaNovaProvider',)


class SambaNovaProvider(CompatibleProvider):
    """SambaNova, by its OpenAI-compatible API."""

    service = SERVICES['sambanova']
    """The service's row."""
