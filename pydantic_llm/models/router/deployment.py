"""What a router can ask: a model, how much it takes, and how often it is chosen."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING

from ...exceptions import UserError
from .. import Model, infer_model
from .state import Limits

if TYPE_CHECKING:
    from ..known_names import KnownModelName

LIMITS = ('concurrency', 'requests_per_minute', 'tokens_per_minute')


@dataclass
class Deployment:
    """A model that a router can ask. Raises a `UserError` for a weight or a limit that is none."""

    model: Model | KnownModelName | str
    """The model, or its name."""

    _: KW_ONLY

    weight: float = 1.0
    """How often it is chosen, in proportion to the others."""

    name: str = ''
    """What it is called in the router's state; its model's id where it is not set."""

    concurrency: int | None = None
    """The most requests at once."""

    requests_per_minute: float | None = None
    """The most requests in a minute."""

    tokens_per_minute: float | None = None
    """The most tokens in a minute."""

    cost: tuple[float, float] | None = None
    """What a million tokens cost, read and written, for the strategy `lowest_cost`; known prices where it is `None`."""

    def __post_init__(self) -> None:
        self.model = infer_model(self.model)
        self.name = self.name or self.model.model_id
        if not self.weight > 0:
            raise UserError(f'weight is {self.weight!r}: give a number above 0, or leave the deployment out')
        for option in LIMITS:
            value = getattr(self, option)
            if value is not None and not value > 0:
                raise UserError(f'{option} is {value!r}: give a number above 0')

    @property
    def built(self) -> Model:
        """The model."""
        assert isinstance(self.model, Model), 'made when the deployment was'
        return self.model

    @property
    def limits(self) -> Limits:
        """How much it takes."""
        return Limits(self.concurrency, self.requests_per_minute, self.tokens_per_minute)
