"""`GatewayKey`: a key that clients send, with the models that it may use, its budgets and its rate limits."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import KW_ONLY, dataclass, field
from math import inf
from typing import cast

from .._checks import check_number
from .._type_checks import check_type, raise_wrong_type
from ..exceptions import UserError
from ..models.router.state import Limits

__all__ = ('GatewayKey', 'check_keys')

KEY_NAME = re.compile(r'[A-Za-z0-9._@-]{1,64}')
"""The name of a key is a label of metrics, and part of the keys of a Redis."""

SENDABLE_KEY = re.compile('[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?')
"""A value that a header can have without change: https://www.rfc-editor.org/rfc/rfc9110#section-5.5"""

BUDGETS = ('dollars_per_day', 'dollars_per_month', 'tokens_per_day', 'tokens_per_month')
RATES = ('requests_per_minute', 'tokens_per_minute')


@dataclass(frozen=True)
class GatewayKey:
    """A key of the gateway. Days and months are those of UTC. Raises `UserError` for an invalid value."""

    name: str
    """The name in logs, metrics and errors: letters, digits and `._@-`."""
    key: str = field(repr=False)
    """The key that clients send."""

    _: KW_ONLY
    models: Collection[str] | None = None
    """The names of the models that it may use; `None` for all."""
    dollars_per_day: float | None = None
    """The price, in US dollars, of the requests of a day. The prices are those of `genai-prices`."""
    dollars_per_month: float | None = None
    """The price, in US dollars, of the requests of a calendar month."""
    tokens_per_day: int | None = None
    """The input and output tokens of a day."""
    tokens_per_month: int | None = None
    """The input and output tokens of a calendar month."""
    requests_per_minute: float | None = None
    """The maximum number of requests in a minute."""
    tokens_per_minute: float | None = None
    """The maximum number of tokens in a minute."""
    concurrency: int | None = None
    """The maximum number of requests at the same time."""
    metrics: bool = False
    """True if the key may read `/metrics`, which shows the names and the usage of all keys."""

    def __post_init__(self) -> None:
        check_type(self.name, str, parameter='name', required=True)
        if not KEY_NAME.fullmatch(self.name):
            raise UserError(f'name is {self.name!r}: the name of a key has up to 64 letters, digits and ._@-')
        check_key(self.key, f'key= of {self.name!r}')
        if self.models is not None:
            self._check_model_names(self.models)
        for option in (*BUDGETS, *RATES):
            check_number(option, getattr(self, option), above=0)
            if getattr(self, option) == inf:
                raise UserError(f'{option} is inf: leave it out for no limit')
        check_number('concurrency', self.concurrency, least=1, whole=True)

    @property
    def limits(self) -> Limits | None:
        """The rate limits; `None` without any."""
        limits = Limits(self.concurrency, self.requests_per_minute, self.tokens_per_minute)
        return None if limits == Limits() else limits

    @property
    def has_dollar_budget(self) -> bool:
        return self.dollars_per_day is not None or self.dollars_per_month is not None

    @property
    def has_budget(self) -> bool:
        return any(getattr(self, option) is not None for option in BUDGETS)

    def allows(self, model: str) -> bool:
        """Return whether the key may use the model with this name."""
        return self.models is None or model in self.models

    def _check_model_names(self, models: object) -> None:
        if isinstance(models, str) or not isinstance(models, Collection):
            raise_wrong_type('models', 'a list of names of models', models)
        for name in cast('Collection[object]', models):
            check_type(name, str, parameter='models', expected='a list of names of models', required=True)
        if not models:
            raise UserError(f'The key {self.name!r} may use no model: name one in models=, or leave it out for all')


def check_key(key: object, what: str) -> str:
    """Return the key. Raises `UserError` if it is empty, or if no header can have it."""
    if not isinstance(key, str):
        raise UserError(f'{what} takes a text, not {type(key).__name__}')  # the value may be a secret
    if not key:
        raise UserError(f'{what} is empty: give it a value')
    if not SENDABLE_KEY.fullmatch(key):
        raise UserError(f'{what} holds characters that no header can send: use printable ASCII, without spaces around')
    return key


def check_keys(keys: Sequence[GatewayKey]) -> None:
    """Raise `UserError` unless these are keys with names and values of their own."""
    if isinstance(keys, (str, GatewayKey)) or not isinstance(cast('object', keys), Sequence):
        raise_wrong_type('keys', 'a list of GatewayKey', keys)
    for key in cast('Sequence[object]', keys):
        check_type(key, GatewayKey, parameter='keys', expected='a list of GatewayKey', required=True)
    for field_name in ('name', 'key'):
        values = [getattr(key, field_name) for key in keys]
        if len({*values}) < len(values):
            twice = next(key.name for key in keys if values.count(getattr(key, field_name)) > 1)
            raise UserError(f'Two keys have the same {field_name}, that of {twice!r}: give each its own')
