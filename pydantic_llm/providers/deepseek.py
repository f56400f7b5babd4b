"""DeepSeek."""

from __future__ import annotations

from .compatible import CompatibleProvider
from .registry import SERVICES

__all__ = ('DeepSeekProvider',)


class DeepSeekProvider(CompatibleProvider):
    """DeepSeek, by its OpenAI-compatible API."""

    service = SERVICES['deepseek']
    """The service's row."""
