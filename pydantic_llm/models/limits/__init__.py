"""Limits of a model: requests and tokens per minute (`rate_limit`), requests at once (`concurrency`).

`wait_queue` and `token_bucket` are what both are built on.
"""

from __future__ import annotations

from .concurrency import ConcurrencyLimitedModel
from .rate_limit import RateLimitedModel

__all__ = ('ConcurrencyLimitedModel', 'RateLimitedModel')
