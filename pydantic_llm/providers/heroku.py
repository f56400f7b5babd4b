"""Heroku Managed Inference."""

from __future__ import annotations

from .compatible import CompatibleProvider
from .registry import SERVICES

__all__ = ('HerokuProvider',)


class HerokuProvider(CompatibleProvider):
    """Heroku Managed Inference, by its OpenAI-compatible API."""

    service = SERVICES['heroku']
    """The service's row."""
