"""The import path of `ConcurrencyLimitedModel`; the code is in `pydantic_llm.models.limits`."""

from __future__ import annotations

from .limits.concurrency import ConcurrencyLimitedModel

__all__ = ('ConcurrencyLimitedModel',)
