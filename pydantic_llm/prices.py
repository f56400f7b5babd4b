"""Prices of requests and context windows of models, from the package `genai-prices` (extra `prices`)."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache

from ._extras import import_extra
from .usage import Usage

__all__ = ('check_prices_installed', 'find_batch_cost', 'find_context_window', 'find_cost', 'find_prices')

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


def find_batch_cost(usage: Usage, system: str, model_name: str) -> Decimal | None:
    """Return the price of the tokens of one request in a batch, in US dollars.

    `None` if the package is not installed, or knows no price of the model for batches.
    """
    standard = find_cost(usage, system, model_name)
    cost = find_cost(usage, system, model_name, context={'processing': 'batch'})
    return None if cost == standard and cost else cost  # without a batch price, the package returns the standard one


def find_cost(
    usage: Usage, system: str, model_name: str, *, context: Mapping[str, str] | None = None
) -> Decimal | None:
    """Return the price of the tokens of one request, in US dollars.

    `context` selects one of several prices of the model, as `price_context` of the package does. `None` if the package
    is not installed, or does not know the model.
    """
    try:
        from genai_prices import Usage as PricedUsage, calc_price
    except ImportError:
        return None
    counts = {name: getattr(usage, name) for name in _COUNTS if getattr(usage, name)}
    try:
        priced = PricedUsage(**counts)
        return calc_price(priced, model_ref=model_name, provider_id=system, price_context=context).total_price
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
