"""Checks the limits of a run before each request and after each response.

`UsageLimits` has the limits. What needs a model is here: its prices, and counting the tokens of a request. The module
of the prices is imported when a cost is limited.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from ..exceptions import UserError
from ..messages import ModelMessage, ModelResponse
from ..models import Model, ModelRequestParameters, iter_leaves
from ..settings import ModelSettings
from ..usage import Usage
from .run_state import RunState

__all__ = ('check_after_response', 'check_before_request')


async def check_before_request(
    run: RunState, messages: Sequence[ModelMessage], settings: ModelSettings | None, parameters: ModelRequestParameters
) -> None:
    """Raise `UsageLimitExceeded` if the next request would exceed a limit, `UserError` if a price is unknown."""
    limits, usage, model = run.spec.limits, run.conversation.usage, run.spec.model
    limits.check_before_request(usage)
    if limits.cost_limit is not None and run.priced_model is not model:
        _check_priced(model)
        run.priced_model = model
    if limits.count_tokens_before_request:
        counted = await model.count_tokens(messages, settings, parameters)
        cost = None if limits.cost_limit is None else _find_lowest_cost(model, counted)
        limits.check_counted_request(usage, counted, cost)


def check_after_response(run: RunState, response: ModelResponse) -> None:
    """Count the price of a response. Raises `UsageLimitExceeded` if a limit is exceeded."""
    limits, usage = run.spec.limits, run.conversation.usage
    if limits.cost_limit is not None:
        usage.add_cost(_find_response_cost(run.spec.model, response))
    limits.check_request_tokens(response.usage)
    limits.check_tokens(usage)
    limits.check_cost(usage.cost)


def _check_priced(model: Model) -> None:
    """Raise `UserError` if the price of a model is unknown, which would make the limit of the cost useless."""
    from ..prices import check_prices_installed, find_cost

    for member in iter_leaves(model):
        if find_cost(Usage(input_tokens=1, output_tokens=1), member.system, member.model_name) is None:
            check_prices_installed(what='UsageLimits(cost_limit=...)')
            raise UserError(
                f'The price of {member.model_id!r} is unknown, so that cost_limit cannot be checked; '
                'use limits of tokens instead, or register_price of pydantic_llm.prices'
            )


def _find_response_cost(model: Model, response: ModelResponse) -> Decimal:
    """Return the price of a response: that of the model that wrote it, or else of the most expensive member."""
    cost = response.cost()
    return cost.total_price if cost.breakdown else max(_find_costs(model, response.usage))


def _find_lowest_cost(model: Model, usage: Usage) -> Decimal:
    return min(_find_costs(model, usage))


def _find_costs(model: Model, usage: Usage) -> list[Decimal]:
    from ..prices import find_cost

    costs = [find_cost(usage, member.system, member.model_name) for member in iter_leaves(model)]
    return [cost for cost in costs if cost is not None]
