"""GitHub Models."""

from __future__ import annotations

from .compatible import CompatibleProvider
from .registry import SERVICES

__all__ = ('GitHubProvider',)


class GitHubProvider(CompatibleProvider):
    """GitHub Models, by its OpenAI-compatible API."""

    service = SERVICES['github']
    """The service's row."""
