"""Prices of tokens and context windows of models: those of the package `genai-prices` (extra `prices`), and your own.

`register_price` adds prices of your own. `Rates` are the prices that apply to one request; `find_rates` looks them up.
`cost` multiplies them with the tokens of a response. Nothing is fetched: the package contains its data.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from decimal import Decimal
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Any, cast

from ._checks import check_number
from ._extras import import_extra
from ._type_checks import check_type
from .exceptions import UserError
from .usage import TokenClass, Usage

__all__ = (
    'Prices',
    'PricesOfModels',
    'Rates',
    'check_model_id',
    'check_prices_installed',
    'find_batch_cost',
    'find_context_window',
    'find_cost',
    'find_model_prices',
    'find_prices',
    'find_rates',
    'register_price',
)

MILLION = 1_000_000

FALLBACKS: dict[TokenClass, tuple[TokenClass, ...]] = {
    'cache_read': ('input',),
    'cache_write': ('input',),
    'cache_write_1h': ('cache_write', 'input'),
    'input_audio': ('input',),
    'cache_audio_read': ('cache_read', 'input_audio', 'input'),
    'input_image': ('input',),
    'output_reasoning': ('output',),
    'output_audio': ('output',),
    'output_image': ('output',),
}
"""The classes whose price applies to a class without one, in order. These are the rules of `genai-prices`."""

FLAT_PRICES = {'requests': 'requests_kcount', 'web_searches': 'web_searches_kcount'}
"""Units other than tokens -> the fields of `genai-prices` that have the price of a thousand."""

STANDARD_TIERS = frozenset({'auto', 'default', 'standard', 'standard_only', 'on_demand'})
"""Service tiers with the usual prices, at OpenAI, Anthropic, Mistral, Groq, Bedrock, Gemini."""


@dataclass(frozen=True, kw_only=True)
class Prices:
    """The prices of a model in US dollars, of a million tokens of each class. `None` is no price of its own.

    Such a class costs what the class that contains it costs: those of the cache, audio and images as `input`, or as
    `output`. Raises `UserError` for a price below 0.
    """

    input: Decimal | float | None = None
    cache_read: Decimal | float | None = None
    cache_write: Decimal | float | None = None
    cache_write_1h: Decimal | float | None = None
    input_audio: Decimal | float | None = None
    cache_audio_read: Decimal | float | None = None
    input_image: Decimal | float | None = None
    output: Decimal | float | None = None
    output_reasoning: Decimal | float | None = None
    output_audio: Decimal | float | None = None
    output_image: Decimal | float | None = None

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if not (isinstance(value, Decimal) and value.is_finite() and value >= 0):
                check_number(each.name, value, least=0)

    def find(self, name: TokenClass) -> Decimal | None:
        """Return the price of a million tokens of a class."""
        values = (getattr(self, each) for each in (name, *FALLBACKS.get(name, ())))
        found = next((value for value in values if value is not None), None)
        return None if found is None else Decimal(str(found))


PricesOfModels = Prices | Mapping[str, Prices]
"""Prices of your own: for every model, or by model id (`'openai:ft:gpt-5.4-mini:acme*'`)."""

_registered: dict[str, Prices] = {}


def register_price(model_id: str, prices: Prices) -> None:
    """Set the prices of a model of your own, of a fine-tune or of a contract, before those of `genai-prices`.

    `model_id` is `'provider:model'`, both as in the responses; `*` stands for any text. A later price of the same id
    replaces the earlier one, and a later id that matches too comes first.
    """
    check_model_id(model_id)
    check_type(prices, Prices, parameter='prices')
    _registered.pop(model_id, None)
    _registered[model_id] = prices
    find_prices.cache_clear()


def check_model_id(model_id: object) -> None:
    """Raise `UserError` if a model id cannot match any response, since the provider is missing."""
    check_type(model_id, str, parameter='model_id')
    if ':' not in (text := cast('str', model_id)) and '*' not in text:
        raise UserError(f"model_id is {text!r}: write 'PROVIDER:{text}', or '*:{text}' for every provider")


@dataclass(frozen=True, slots=True)
class Rates:
    """The prices that apply to one request."""

    find: Callable[[TokenClass], Decimal | None]
    """Returns the price of a million tokens of a class."""
    flat: Mapping[str, Decimal] = field(default_factory=dict[str, Decimal])
    """Prices of other units: `requests` and `web_searches`."""
    unknown_tier: str | None = None
    """The service tier of the request, if its prices are unknown."""
    source: Any = None
    """What `genai-prices` found: the provider, the model and its prices."""


def check_prices_installed(*, what: str) -> None:
    """Raise `UserError` if `genai-prices` is not installed; `what` is the feature that needs it."""
    import_extra('genai_prices', extra='prices', what=what)


def find_rates(
    system: str | None,
    model_name: str | None,
    *,
    url: str | None = None,
    time: datetime | None = None,
    context: Mapping[str, str] | None = None,
    input_tokens: int = 0,
    own: PricesOfModels | None = None,
) -> Rates | None:
    """Return the prices of a model at a time; `None` if they are unknown, or if `genai-prices` is not installed.

    `own` prices come first, then the registered ones. `url` identifies a vendor before its name `system` does. The
    `context` are the facts that select other prices, such as the `service_tier`. Some models cost more if a request
    has many `input_tokens`.
    """
    model_id = f'{system}:{model_name}'
    found = own if isinstance(own, Prices) else _match(own or {}, model_id) or _match(_registered, model_id)
    if found is not None:
        return Rates(found.find, unknown_tier=_find_tier(context))
    match = _find_model(system, model_name, url)
    return None if match is None else _read_rates(match, time, context or {}, input_tokens)


def _match(prices: Mapping[str, Prices], model_id: str) -> Prices | None:
    """Return the prices of the last pattern that matches."""
    return next((prices[each] for each in reversed([*prices]) if fnmatchcase(model_id, each)), None)


@dataclass(frozen=True, slots=True)
class _Match:
    """What `genai-prices` knows about a model."""

    provider: Any
    model: Any
    is_own: bool
    """True if the model is listed at the provider itself. `genai_prices` too applies variants to those only."""
    variants: frozenset[str]
    """The values of the context that select other prices."""


def _find_model(system: str | None, model_name: str | None, url: str | None) -> _Match | None:
    """Return what `genai-prices` knows about a model, or `None`."""
    try:
        data = import_extra('genai_prices.data_snapshot', extra='prices', what='the price of a model')
    except UserError:
        return None
    return _search_models(_Identity(data.get_snapshot()), system, model_name, url)


class _Identity:
    """A snapshot of `genai-prices` as a key of a cache: equal if it is the same object."""

    def __init__(self, snapshot: Any) -> None:
        self.snapshot = snapshot

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Identity) and self.snapshot is other.snapshot

    def __hash__(self) -> int:
        return id(self.snapshot)


@lru_cache(maxsize=1024)
def _search_models(snapshot: _Identity, system: str | None, model_name: str | None, url: str | None) -> _Match | None:
    """Find a model. The package itself searches for an unknown model each time, for 3 ms."""
    for provider_id, provider_url in ((None, url), (system, None)):
        if model_name and (provider_id or provider_url):
            with suppress(LookupError):
                return _make_match(*snapshot.snapshot.find_provider_model(model_name, None, provider_id, provider_url))
    return None


def _make_match(provider: Any, model: Any) -> _Match:
    is_own = any(model is each for each in provider.models)
    variants: Sequence[Any] = model.price_variants or () if is_own else ()
    return _Match(provider, model, is_own, frozenset(value for each in variants for value in each.when.values()))


def _read_rates(match: _Match, time: datetime | None, context: Mapping[str, str], input_tokens: int) -> Rates | None:
    prices: Any = match.model.get_prices(time or datetime.now(UTC), context if match.is_own else {})
    all_values: dict[str, Any] = prices.__dict__
    values = {name: value for name, value in all_values.items() if value is not None}
    if not values:
        return None

    def find(name: TokenClass) -> Decimal | None:
        for each in (name, *FALLBACKS.get(name, ())):
            if (price := values.get(f'{each}_mtok')) is not None:
                return _find_tiered(price, input_tokens)
        return None

    flat = {name: values[key] / 1000 for name, key in FLAT_PRICES.items() if key in values}
    return Rates(find, flat, _find_tier(context, match.variants), (match.provider, match.model, prices))


def _find_tier(context: Mapping[str, str] | None, known: Collection[str] = ()) -> str | None:
    """Return the service tier, the speed or the kind of processing that is neither the usual one nor a known one."""
    values = (context or {}).values()
    return next((value for value in values if value.lower() not in STANDARD_TIERS and value not in known), None)


def _find_tiered(price: Any, input_tokens: int) -> Decimal:
    """Return the price for a request of this size: a long one costs more from its first token."""
    tiers = [tier.price for tier in getattr(price, 'tiers', ()) if input_tokens > tier.start]
    return cast('Decimal', tiers[-1] if tiers else getattr(price, 'base', price))


def find_model_prices(system: str, model_name: str) -> Prices | None:
    """Return today's prices of a model, for a request of usual size; `None` if they are unknown."""
    rates = find_rates(system, model_name)
    if rates is None:
        return None
    names = [each.name for each in fields(Prices)]
    return Prices(**{name: rates.find(cast('TokenClass', name)) for name in names})


@lru_cache(maxsize=1024)
def find_prices(system: str, model_name: str) -> tuple[float, float] | None:
    """Return the prices of a million input tokens and a million output tokens, in US dollars.

    `None` if the package is not installed, or does not know the model.
    """
    rates = find_rates(system, model_name)
    prices = [rates.find('input'), rates.find('output')] if rates is not None else [None]
    return None if None in prices else cast('tuple[float, float]', tuple(float(price or 0) for price in prices))


def find_batch_cost(usage: Usage, system: str, model_name: str) -> Decimal | None:
    """Return the price of the tokens of one request in a batch, in US dollars.

    `None` if the package is not installed, or knows no price of the model for batches.
    """
    rates = find_rates(system, model_name, context={'processing': 'batch'}, input_tokens=usage.input_tokens)
    return None if rates is None or rates.unknown_tier else _price_tokens(usage, rates)


def find_cost(usage: Usage, system: str, model_name: str) -> Decimal | None:
    """Return the price of the tokens of one request, in US dollars.

    `None` if the package is not installed, or does not know the model.
    """
    rates = find_rates(system, model_name, input_tokens=usage.input_tokens)
    return None if rates is None else _price_tokens(usage, rates)


def _price_tokens(usage: Usage, rates: Rates) -> Decimal | None:
    total = rates.flat.get('requests', Decimal(0))
    for name, count in usage.split().items():
        if (price := rates.find(name)) is None:
            return None
        total += count * price / MILLION
    return total


@lru_cache(maxsize=1024)
def find_context_window(system: str, model_name: str) -> int | None:
    """Return the number of tokens that a request and its response may have together.

    `None` if the package is not installed, or does not know it.
    """
    match = _find_model(system, model_name, None)
    return None if match is None else cast('int | None', match.model.context_window)
