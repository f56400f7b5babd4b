"""Retries: `policy` is how often and how long to wait, `budget` what one request may still use of it."""

from __future__ import annotations

from .policy import RetryPolicy

__all__ = ('RetryPolicy',)
