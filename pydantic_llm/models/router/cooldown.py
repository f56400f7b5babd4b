"""The length of the cooldown after an error: `cooldown_after`."""

from __future__ import annotations

from ...exceptions import FallbackExceptionGroup, ModelAPIError, ModelHTTPError, RateLimitError

LONG_COOLDOWN_STATUSES = frozenset({401, 402, 403, 404})
"""Statuses of an invalid key, account or name, which last: the deployment cools down ten times as long."""

REQUEST_FAULT_STATUSES = frozenset({400, 413, 422})
"""Statuses that blame the request, not the deployment: it does not cool down."""

MAX_COOLDOWN = 3600.0
"""The longest cooldown, in seconds, that a vendor's `retry_after` causes: a server may send a date, or nonsense."""


def cooldown_after(error: Exception, usual: float) -> float:
    """Return the seconds for which a deployment is excluded after an error; 0 if the error is not its fault."""
    match error:
        case RateLimitError(retry_after=float() | int() as seconds):
            return min(seconds, MAX_COOLDOWN)
        case ModelHTTPError(status_code=status) if status in REQUEST_FAULT_STATUSES:
            return 0.0
        case ModelHTTPError(status_code=status) if status in LONG_COOLDOWN_STATUSES:
            return 10 * usual
        case ModelHTTPError(retry_after=float() | int() as seconds):
            return max(min(seconds, MAX_COOLDOWN), usual)
        case FallbackExceptionGroup(exceptions=errors):
            return max(cooldown_after(each, usual) for each in errors)
        case ModelAPIError():
            return usual
        case _:
            return 0.0
