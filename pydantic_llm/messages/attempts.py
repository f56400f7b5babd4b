"""`AttemptUsage`: the usage of one request, with the facts that its price depends on."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ..usage import RequestUsage
from ._value import now

__all__ = ('PRICE_DETAILS', 'AttemptUsage')

PRICE_DETAILS = ('service_tier', 'speed', 'processing', 'traffic_type')
"""The fields of `ModelResponse.provider_details` that select other prices."""


@dataclass(kw_only=True, slots=True)
class AttemptUsage:
    """The usage of one request to one model, of a response that took several."""

    usage: RequestUsage
    """The tokens that the request used, as far as they are known; `usage.missing` names the counts that are not."""

    model_name: str | None = None
    """The model that used them, as in `ModelResponse.model_name`."""

    provider_name: str | None = None
    """The vendor, as in `ModelResponse.provider_name`."""

    provider_url: str | None = None
    """The base URL of the request."""

    provider_details: dict[str, Any] | None = None
    """The details of the vendor that select other prices, such as the `service_tier`."""

    timestamp: datetime = field(default_factory=now)
    """The time of the request."""
