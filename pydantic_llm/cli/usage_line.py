"""Formats the tokens, the cost and the time of a response."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from ..exceptions import LLMError
from ..messages import ModelResponse
from ..usage import RunUsage, add_usages

__all__ = ('find_cost', 'format_cost', 'format_usage', 'sum_usage')


def sum_usage(responses: Sequence[ModelResponse]) -> RunUsage:
    """Return the sum of the usage of responses."""
    return add_usages(response.usage for response in responses)


def find_cost(responses: Sequence[ModelResponse]) -> Decimal | None:
    """Return the cost in US dollars; `None` if a price is unknown, or if the extra `prices` is not installed."""
    from ..cost import add_costs

    try:
        cost = add_costs(response.cost() for response in responses)
        return cost.total_price if cost.is_complete else None
    except LLMError:
        return None


def format_cost(cost: Decimal) -> str:
    """Return a cost with two digits that count: '$0.00012'."""
    return f'${cost:.2f}' if cost >= 1 else f'${Decimal(f"{cost:.2g}"):f}'


def format_usage(responses: Sequence[ModelResponse], seconds: float, first: float | None) -> str:
    """Return one line on a turn: the model, tokens, cost and times."""
    usage, last, cost = sum_usage(responses), responses[-1], find_cost(responses)
    requests = f'{len(responses)} requests, ' if len(responses) > 1 else ''
    cached = f' ({usage.cache_read_tokens} cached)' if usage.cache_read_tokens else ''
    price = '' if cost is None else f', {format_cost(cost)}'
    latency = f', the first event after {first:.1f} s' if first is not None else ''
    name = f'{last.provider_name or "?"}:{last.model_name or "?"}'
    tokens = f'{usage.input_tokens}{cached} tokens in, {usage.output_tokens} out'
    return f'{name}: {requests}{tokens}{price}, {seconds:.1f} s{latency}'
