"""Models that limit another model: requests and tokens per minute (`rate_limit`), concurrent requests (`concurrency`).

Both are built on `wait_queue`, a queue of waiting requests; `rate_limit` also on `token_bucket`, a limit per minute.
"""

from __future__ import annotations

from .concurrency import ConcurrencyLimitedModel
from .rate_limit import RateLimitedModel

__all__ = ('ConcurrencyLimitedModel', 'RateLimitedModel')
