"""OVHcloud AI Endpoints."""

from __future__ import annotations

from .compatible import CompatibleProvider
from .registry import SERVICES

__all__ = ('OVHcloudProvider',)


class OVHcloudProvider(CompatibleProvider):
    """OVHcloud AI Endpoints, by its OpenAI-compatible API."""

    service = SERVICES['ovhcloud']
    """The service's row."""
