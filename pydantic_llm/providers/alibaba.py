"""Alibaba Cloud Model Studio (DashScope)."""

from __future__ import annotations

from .compatible import CompatibleProvider
from .registry import SERVICES

__all__ = ('AlibabaProvider',)


class AlibabaProvider(CompatibleProvider):
    """Alibaba Cloud Model Studio (DashScope), by its OpenAI-compatible API."""

    service = SERVICES['alibaba']
    """The service's row."""
