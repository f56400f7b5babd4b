"""Prices of the served models: from `genai-prices`, or as the owner of the gateway gives them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import cast

from .._checks import check_number
from .._type_checks import raise_wrong_type
from ..embeddings.model import EmbeddingModel
from ..exceptions import UserError
from ..messages import ModelResponse
from ..models import Model, iter_leaves
from ..prices import MILLION, Prices, check_prices_installed, find_cost
from ..usage import RequestUsage
from .keys import GatewayKey

__all__ = ('PriceList', 'PricesOfModel')

PricesOfModel = Prices | tuple[float, float]
"""Prices of a served model in US dollars: of each class of tokens, or of a million input and a million output ones."""


class PriceList:
    """The prices of an app's models, by their names. `prices` replaces those of `genai-prices` for some of them."""

    def __init__(self, models: Mapping[str, Model | EmbeddingModel], prices: Mapping[str, PricesOfModel]) -> None:
        if not isinstance(cast('object', prices), Mapping):
            raise_wrong_type('prices', 'a dict of names of models and their prices', prices)
        self._models = models
        self._own = {name: _read_prices(name, value) for name, value in prices.items()}
        if unknown := prices.keys() - models.keys():
            known = ', '.join(map(repr, models))
            raise UserError(f'prices= names {min(unknown)!r}, which is none of the models: {known}')

    def check_priced(self, key: GatewayKey) -> None:
        """Raise `UserError` unless every model that a key with a budget in dollars may use has a price."""
        if not key.has_dollar_budget:
            return
        for name, model in self._models.items():
            if key.allows(name) and name not in self._own:
                check_prices_installed(what='A budget in dollars')
                for leaf in _iter_leaves(model):
                    if find_cost(RequestUsage(input_tokens=1), leaf.system, leaf.model_name) is None:
                        raise UserError(
                            f'The key {key.name!r} has a budget in dollars, and the price of '
                            f'{leaf.system}:{leaf.model_name} (model '
                            f'{name!r}) is unknown: give its prices (prices=, or price in a configuration file), '
                            'or keep it from the key (models=)'
                        )

    def estimate(self, name: str, usage: RequestUsage) -> Decimal | None:
        """Return the price of tokens at the most expensive of a model's own models; `None` if it is unknown."""
        if (own := self._own.get(name)) is not None:
            return _sum_prices(usage, own)
        costs = [find_cost(usage, leaf.system, leaf.model_name) for leaf in _iter_leaves(self._models[name])]
        return max((cost for cost in costs if cost is not None), default=None)

    def find_cost(self, name: str, response: ModelResponse) -> Decimal | None:
        """Return the price of a response, by the vendor and the model that gave it; `None` if it is unknown."""
        try:
            cost = response.cost(prices=self._own.get(name))
        except UserError:  # `genai-prices` is not installed
            return None
        return cost.total_price if cost.breakdown else self.estimate(name, response.usage)


def _sum_prices(usage: RequestUsage, prices: Prices) -> Decimal:
    price_in, price_out = prices.find('input') or Decimal(0), prices.find('output') or Decimal(0)
    return (usage.input_tokens * price_in + usage.output_tokens * price_out) / MILLION


def _iter_leaves(model: Model | EmbeddingModel) -> Iterator[Model | EmbeddingModel]:
    return iter_leaves(model) if isinstance(model, Model) else iter([model])


def _read_prices(name: str, value: object) -> Prices:
    if isinstance(value, Prices):
        return value
    pair = cast('Sequence[object]', value if isinstance(value, (tuple, list)) else ())
    if len(pair) != 2:
        expected = 'Prices, or two prices in US dollars, of a million input and a million output tokens, for each model'
        raise_wrong_type('prices', expected, value)  # pyright: ignore[reportUnknownArgumentType] -- of the caller
    for price in pair:
        check_number(f'prices[{name!r}]', price, least=0, required=True)
    return Prices(input=cast('float', pair[0]), output=cast('float', pair[1]))
