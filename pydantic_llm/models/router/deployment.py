"""A deployment of a router: a model, its limits, and its weight."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, cast

from ..._checks import check_number
from ..._type_checks import check_type
from ...exceptions import UserError
from ...prices import Prices
from .. import Model, infer_model
from .state import Limits

if TYPE_CHECKING:
    from ..known_names import KnownModelName

PRICES = ('cost[0]', 'cost[1]')
LIMITS = ('concurrency', 'requests_per_minute', 'tokens_per_minute')


@dataclass
class Deployment:
    """A model that a router can choose. Raises `UserError` if the weight or a limit is not positive."""

    model: Model | KnownModelName | str
    """The model, or its name."""

    _: KW_ONLY
    weight: float = 1.0
    """The share of requests that it gets, in proportion to the other weights."""
    name: str = ''
    """The name in the router's state. Default: the id of the model."""
    concurrency: int | None = None
    """The maximum number of concurrent requests."""
    requests_per_minute: float | None = None
    """The maximum number of requests in a minute."""
    tokens_per_minute: float | None = None
    """The maximum number of tokens in a minute."""
    cost: tuple[float, float] | Prices | None = None
    """The price of a million input tokens, and of a million output tokens, for the strategy `lowest_cost`.

    `Prices` are accepted too. `None` for the prices that `genai-prices` knows."""

    def __post_init__(self) -> None:
        check_type(self.name, str, parameter='name')
        self.model = infer_model(self.model)
        self.name = self.name or self.model.model_id
        check_number('weight', self.weight, above=0, required=True, advice=', or leave the deployment out')
        for option in LIMITS:
            check_number(option, getattr(self, option), above=0)
        if self.cost is not None:
            _check_cost(self.cost)

    @property
    def built(self) -> Model:
        """The model itself, even if the deployment was made from its name."""
        assert isinstance(self.model, Model), '__post_init__ replaces the name'
        return self.model

    @property
    def limits(self) -> Limits:
        """The limits of its requests."""
        return Limits(self.concurrency, self.requests_per_minute, self.tokens_per_minute)


def _check_cost(cost: object) -> None:
    """Raise `UserError` unless the cost is two prices."""
    if isinstance(cost, Prices):
        cost = (cost.find('input'), cost.find('output'))
    wanted = 'give two prices in US dollars, of a million input tokens and of a million output tokens'
    if not isinstance(cost, (tuple, list)) or len(cast('tuple[object, ...]', cost)) != len(PRICES):
        raise UserError(f'cost is {cost!r}: {wanted}')
    for name, price in zip(PRICES, cast('tuple[object, ...]', cost), strict=True):
        check_number(name, float(price) if isinstance(price, Decimal) else price, least=0, required=True)
