"""The cost of responses: `Cost`, and `price_attempts`, which `ModelResponse.cost` calls.

A cost has the price of each class of tokens. What has no known price is named in `Cost.unpriced`, and never 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from types import NoneType
from typing import Any, cast

from ._type_checks import check_type
from .exceptions import UnknownPriceError
from .prices import MILLION, Prices, PricesOfModels, Rates, check_model_id, check_prices_installed, find_rates
from .usage import AttemptUsage

__all__ = ('Cost', 'add_costs', 'price_attempts')

CONTEXT = ('service_tier', 'speed', 'processing')
"""The fields of `provider_details` that select other prices."""

TRAFFIC_TIERS = {'ON_DEMAND_FLEX': 'flex', 'ON_DEMAND_PRIORITY': 'priority', 'PROVISIONED_THROUGHPUT': 'provisioned'}
"""Google's `trafficType` -> the service tier: https://docs.cloud.google.com/vertex-ai/generative-ai/docs/priority-paygo"""

BILLED_SEARCHES = 'web_search_requests'
"""The number of searches that are billed, in the details of a usage: Anthropic's `usage.server_tool_use`."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """The cost of a response, or of several, in US dollars."""

    breakdown: Mapping[str, Decimal] = field(default_factory=dict[str, Decimal])
    """The price of each class of tokens (`input`, `cache_read`, `output`, ...: `usage.split()`), and of `requests` and
    `web_searches`, if the vendor charges for them."""

    unpriced: tuple[str, ...] = ()
    """One sentence for each part whose price is unknown. If there is one, the true cost is not `total_price`."""

    is_estimated: bool = False
    """True if the counts of some tokens are estimates."""

    model: Any = field(default=None, compare=False, repr=False)
    """The model's entry in `genai-prices` (`ModelInfo`); `None` for prices of your own, and for several models."""

    provider: Any = field(default=None, compare=False, repr=False)
    """The provider's entry in `genai-prices` (`Provider`)."""

    model_price: Any = field(default=None, compare=False, repr=False)
    """The prices of `genai-prices` that were applied (`ModelPrice`)."""

    @property
    def is_complete(self) -> bool:
        """True if everything has a known price."""
        return not self.unpriced

    @property
    def total_price(self) -> Decimal:
        """The sum of the known prices. Raises `UnknownPriceError` if none is known."""
        return self._sum(self.breakdown)

    @property
    def input_price(self) -> Decimal:
        """The price of the input tokens, with those of the cache. Raises `UnknownPriceError` like `total_price`."""
        return self._sum(name for name in self.breakdown if name.startswith(('input', 'cache')))

    @property
    def output_price(self) -> Decimal:
        """The price of the output tokens, with those of thinking. Raises `UnknownPriceError` like `total_price`."""
        return self._sum(name for name in self.breakdown if name.startswith('output'))

    def _sum(self, names: Iterable[str]) -> Decimal:
        if self.unpriced and not self.breakdown:
            raise UnknownPriceError('; '.join(self.unpriced))
        return sum((self.breakdown[name] for name in names), Decimal(0))

    def __add__(self, other: Cost) -> Cost:
        names = dict.fromkeys([*self.breakdown, *other.breakdown])
        zero = Decimal(0)
        is_same = self.model is other.model
        return Cost(
            breakdown={name: self.breakdown.get(name, zero) + other.breakdown.get(name, zero) for name in names},
            unpriced=tuple(dict.fromkeys(self.unpriced + other.unpriced)),
            is_estimated=self.is_estimated or other.is_estimated,
            model=self.model if is_same else None,
            provider=self.provider if is_same else None,
            model_price=self.model_price if is_same else None,
        )


def price_attempts(
    attempts: Sequence[AttemptUsage], *, tools: Sequence[str] = (), files: int = 0, prices: PricesOfModels | None = None
) -> Cost:
    """Return the cost of the requests that a response took, each at its time. The last one is the response's own.

    `tools` are the names of its native tool calls, `files` is the number of its files. Raises `UserError` if no
    `prices` are given or registered, and `genai-prices` is not installed.
    """
    _check_prices(prices)
    cost = add_costs(_price_attempt(attempt, prices) for attempt in attempts)
    unpriced = _find_unpriced_content(attempts[-1], tools, files)
    return replace(cost, unpriced=(*cost.unpriced, *unpriced))


def _check_prices(prices: object) -> None:
    expected = 'Prices, or a dict of them by model id'
    check_type(prices, (Prices, Mapping, NoneType), parameter='prices', expected=expected)
    if isinstance(prices, Mapping):
        for model_id, value in cast('Mapping[object, object]', prices).items():
            check_model_id(model_id)
            check_type(value, Prices, parameter=f'prices[{model_id!r}]')


def add_costs(costs: Iterable[Cost]) -> Cost:
    """Return the sum of costs."""
    first, *others = [*costs] or [Cost()]
    return sum(others, first)


def _price_attempt(attempt: AttemptUsage, prices: PricesOfModels | None) -> Cost:
    usage, name = attempt.usage, f'{attempt.provider_name}:{attempt.model_name}'
    rates = find_rates(
        attempt.provider_name,
        attempt.model_name,
        url=attempt.provider_url,
        time=attempt.timestamp,
        context=_read_context(attempt.provider_details or {}),
        input_tokens=usage.input_tokens,
        own=prices,
    )
    unpriced = [f'{name}: the {_describe_count(count)} were not reported' for count in usage.missing]
    if rates is None:
        if usage.total_tokens:
            check_prices_installed(what='the cost of a response')
            unpriced.append(f'{name}: the prices of the model are unknown')
        return Cost(unpriced=tuple(unpriced), is_estimated=bool(usage.estimated))
    breakdown = {**_price_tokens(attempt, rates, unpriced), **_price_units(attempt, rates, unpriced)}
    if rates.unknown_tier is not None:
        unpriced.append(f'{name}: the prices of {rates.unknown_tier!r} are unknown, so the standard ones were used')
    provider, model, model_price = rates.source or (None, None, None)
    return Cost(
        breakdown=breakdown,
        unpriced=tuple(unpriced),
        is_estimated=bool(usage.estimated),
        model=model,
        provider=provider,
        model_price=model_price,
    )


def _describe_count(name: str) -> str:
    return name.replace('_', ' ')


def _price_tokens(attempt: AttemptUsage, rates: Rates, unpriced: list[str]) -> dict[str, Decimal]:
    """Return the price of each class of tokens; add the classes without a price to `unpriced`."""
    found: dict[str, Decimal] = {}
    for name, count in attempt.usage.split().items():
        if (price := rates.find(name)) is not None:
            found[name] = count * price / MILLION
        else:
            unpriced.append(f'{attempt.provider_name}:{attempt.model_name}: {name} tokens have no price ({count} used)')
    return found


def _price_units(attempt: AttemptUsage, rates: Rates, unpriced: list[str]) -> dict[str, Decimal]:
    """Return the price of the request and of its searches; add searches without a price to `unpriced`."""
    found: dict[str, Decimal] = {}
    if 'requests' in rates.flat and attempt.usage.total_tokens:
        found['requests'] = rates.flat['requests']
    if searches := attempt.usage.details.get(BILLED_SEARCHES, 0):
        if (price := rates.flat.get('web_searches')) is not None:
            found['web_searches'] = searches * price
        else:
            unpriced.append(
                f'{attempt.provider_name}:{attempt.model_name}: web searches have no price ({searches} used)'
            )
    return found


def _read_context(details: Mapping[str, Any]) -> dict[str, str]:
    """Return the facts of a response that select its prices. Bedrock's tier is an object."""
    context: dict[str, Any] = {name: details[name] for name in CONTEXT if details.get(name)}
    if tier := TRAFFIC_TIERS.get(str(details.get('traffic_type'))):
        context['service_tier'] = tier
    if context.get('service_tier') == 'batch':  # Anthropic's `usage.service_tier`
        context['processing'] = context.pop('service_tier')
    found = {name: _read_type(value) for name, value in context.items()}
    return {name: value for name, value in found.items() if isinstance(value, str)}


def _read_type(value: object) -> object:
    return cast('Mapping[str, object]', value).get('type') if isinstance(value, Mapping) else value


def _find_unpriced_content(attempt: AttemptUsage, tools: Sequence[str], files: int) -> Iterator[str]:
    """Yield what vendors charge for apart from the tokens: their own tools, and files without tokens of their own."""
    model_id, usage = f'{attempt.provider_name}:{attempt.model_name}', attempt.usage
    for name in dict.fromkeys(tools):
        if not (name == 'web_search' and BILLED_SEARCHES in usage.details):
            yield f'{model_id}: the price of the tool {name!r} is unknown ({tools.count(name)} calls)'
    if files and not {'output_image', 'output_audio'} & usage.split().keys():
        yield f'{model_id}: the price of the generated files is unknown ({files} files)'
