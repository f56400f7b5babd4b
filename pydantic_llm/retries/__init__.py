"""Retries: `policy` holds how often and how long to wait, `budget` what one request has used of it so far."""

from __future__ import annotations

from .policy import RetryPolicy

__all__ = ('RetryPolicy',)
