"""The import path of `RateLimitedModel`; the code is in `pydantic_llm.models.limits`."""

from __future__ import annotations

from .limits.rate_limit import RateLimitedModel

__all__ = ('RateLimitedModel',)
