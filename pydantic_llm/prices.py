"""Prices of requests and context windows of models, from the package `genai-prices` (extra `prices`)."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache

from ._extras import import_extra
from .usage import Usage

__all__ = ('check_prices_installed', 'find_context_window', 'find_cost', 'find_prices')

MILLION = 1_000_000

_COUNTS = (
    'input_tokens',
    'cache_write_tokens',
    'cache_read_tokens',
    'output_tokens',
    'input_audio_tokens',
    'cache_audio_read_tokens',
    'output_audio_tokens',
)
"""The counts that have prices. Both packages call them the same."""


def check_prices_installed(*, what: str) -> None:
    """Raise `UserError` if `genai-prices` is not installed; `what` is the feature that needs it."""
    import_extra('genai_prices', extra='prices', what=what)


@lru_cache(maxsize=1024)
def find_prices(system: str, model_name: str) -> tuple[float, float] | None:
    """Return the prices of a million input tokens and a million output tokens, in US dollars.

    `None` if the package is not installed, or does not know the model.
    """
    prices = [
        find_cost(usage, system, model_name) for usage in (Usage(input_tokens=MILLION), Usage(output_tokens=MILLION))
    ]
    return None if prices[0] is None or prices[1] is None else (float(prices[0]), float(prices[1]))


def find_cost(usage: Usage, system: str, model_name: str) -> Decimal | None:
    """Return the price of the tokens of one request, in US dollars.

    `None` if the package is not installed, or does not know the model.
    """
    try:
        from genai_prices import Usage as PricedUsage, calc_price
    except ImportError:
        return None
    counts = {name: getattr(usage, name) for name in _COUNTS if getattr(usage, name)}
    try:
        return calc_price(PricedUsage(**counts), model_ref=model_name, provider_id=system).total_price
    except LookupError:
        return None


@lru_cache(maxsize=1024)
def find_context_window(system: str, model_name: str) -> int | None:
    """Return the number of tokens that a request and its response may have together.

    `None` if the package is not installed, or does not know it.
    """
    try:
        from genai_prices.data_snapshot import get_snapshot
    except ImportError:
        return None
    try:
        _, model = get_snapshot().find_provider_model(model_name, None, system, None)
    except LookupError:
        return None
    return model.context_window
