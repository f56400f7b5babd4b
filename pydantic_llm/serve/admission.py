"""Admits requests within the limits of their keys: rates, models, and budgets.

`Admissions` belongs to an app. `Admissions.admit` begins one request: it reserves an estimate of the tokens and of
their price. `Admission.settle` replaces the estimate by what the response reports, before the client gets its end.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from math import ceil
from pathlib import Path

from pydantic_core import to_json

from ..exceptions import (
    AuthenticationError,
    LLMError,
    OverloadedError,
    QuotaExceededError,
    RateLimitError,
)
from ..json_types import Json
from ..messages import ModelResponse
from ..models.estimate import BYTES_PER_TOKEN, estimate_usage
from ..models.limits.rate_limit import DEFAULT_OUTPUT_TOKENS
from ..models.limits.wait_queue import NotYet
from ..models.router.state import Limits, MemoryState, RouterState
from ..usage import RequestUsage
from ..wire.serving import ServedRequest
from .budgets import Amount, BudgetStore, PeriodLimit, open_store
from .budgets.amounts import list_periods
from .budgets.choice import is_redis
from .costs import PriceList
from .keys import GatewayKey
from .record import RequestRecord

__all__ = ('Admission', 'Admissions', 'estimate_request')

logger: logging.Logger = logging.getLogger('pydantic_llm.serve')

RATE_PREFIX = 'pydantic_llm:keys'
"""The start of the names of rate limits in a Redis."""


class Admission:
    """One admitted request of a key, with what was reserved for it. Settle it once."""

    def __init__(self, owner: Admissions, key: GatewayKey, record: RequestRecord) -> None:
        self.key = key
        self.record = record
        self.periods: Sequence[PeriodLimit] = list_periods(key)
        self.reserved: Amount = Amount()
        self.slot: str | None = None
        self.slot_tokens = 0
        """The tokens that were taken from the rate limits."""
        self._owner = owner
        self._is_settled = False

    async def settle(self, used: Amount) -> None:
        """Replace what was reserved by what was used. The second call does nothing."""
        if self._is_settled:
            return
        self._is_settled = True
        # the end of a request must not be lost if the client disconnects now
        await asyncio.shield(self._owner.settle(self, used))

    async def settle_response(self, response: ModelResponse) -> None:
        """Replace the estimate by the usage of a response. Without a usage, the estimate stays."""
        usage = response.usage
        has_cost = self.record.cost is not None or self.record.cache_hits
        cost = self.record.cost if has_cost else self.reserved.dollars
        counted = usage.has_values() or self.record.cache_hits
        await self.settle(Amount.of(cost, usage.total_tokens) if counted else self.reserved)


class Admissions:
    """The limits of an app's keys, and what was used of them."""

    def __init__(self, keys: Sequence[GatewayKey], prices: PriceList, state: str | Path | None) -> None:
        self._prices = prices
        for key in keys:
            prices.check_priced(key)
        self.store: BudgetStore | None = open_store(state) if keys else None
        self._rates = _open_rates(state) if any(key.limits for key in keys) else MemoryState()

    @asynccontextmanager
    async def admit(
        self, key: GatewayKey | None, model: str, estimate: Callable[[], RequestUsage], record: RequestRecord
    ) -> AsyncGenerator[Admission | None]:
        """Hold the key's slot, tokens and money for a request during the block. `estimate` returns its tokens.

        Raises `AuthenticationError` for a model that the key may not use, `RateLimitError` for its rate limits, and
        `QuotaExceededError` for its budgets.
        """
        if key is None or self.store is None:
            yield None
            return
        self.check_model(key, model)
        admission = Admission(self, key, record)
        expected = estimate() if key.limits or key.has_budget else RequestUsage()
        await self._take_slot(admission, expected)
        try:
            if key.has_budget:
                await self._reserve(admission, self.store, self._price(key, model, expected))
            yield admission
        except LLMError:
            # a request that failed before its stream began is not billed
            await admission.settle(Amount() if record.first_token is None else admission.reserved)
            raise
        finally:  # cancelled: the vendor may have read the request
            await admission.settle(admission.reserved)

    def check_model(self, key: GatewayKey | None, model: str) -> None:
        """Raise `AuthenticationError` if the key may not use the model."""
        if key is not None and not key.allows(model):
            allowed = ', '.join(map(repr, sorted(key.models or ())))
            message = f'The key {key.name!r} may not use {model!r}; it may use {allowed}'
            raise AuthenticationError(403, model, message=message)

    def _price(self, key: GatewayKey, model: str, estimate: RequestUsage) -> Amount:
        dollars = self._prices.estimate(model, estimate) if key.has_dollar_budget else None
        return Amount.of(dollars, estimate.total_tokens)

    async def describe(self, key: GatewayKey) -> Json:
        """Describe what a key has spent, and its limits."""
        assert self.store is not None
        spent = [
            {
                'period': each.period.name,
                'id': each.period.id,
                'ends': each.period.ends.isoformat(),
                'dollars': each.amount.dollars,
                'dollars_limit': getattr(key, f'dollars_per_{each.period.name}'),
                'tokens': each.amount.tokens,
                'tokens_limit': getattr(key, f'tokens_per_{each.period.name}'),
            }
            for each in await self.store.read(key.name, list_periods(key))
        ]
        return {'key': key.name, 'models': None if key.models is None else sorted(key.models), 'spent': spent}

    async def check(self) -> None:
        """Raise an exception if the store cannot be reached."""
        if self.store is not None:
            await self.store.check()

    async def aclose(self) -> None:
        await self._rates.aclose()
        if self.store is not None:
            await self.store.aclose()

    async def settle(self, admission: Admission, used: Amount) -> None:
        """Write down what a request used, and release its slot. A store that fails does not fail the request."""
        key, limits = admission.key, admission.key.limits
        if limits is not None and admission.slot is not None:
            unused = admission.slot_tokens - used.tokens
            await self._rates.release(key.name, admission.slot, limits, unused)
        change = used if not key.has_budget else used - admission.reserved
        assert self.store is not None
        try:
            if change != Amount():
                await self.store.add(key.name, admission.periods, change)
        except Exception:
            logger.exception('The usage of the key %r could not be stored: %s', key.name, change)

    async def _take_slot(self, admission: Admission, estimate: RequestUsage) -> None:
        key, limits = admission.key, admission.key.limits
        if limits is None:
            return
        reserved = await self._rates.reserve(key.name, limits, estimate.total_tokens)
        if isinstance(reserved, NotYet):
            message = f'The key {key.name!r} has reached its {_describe_limits(limits)}'
            raise RateLimitError(429, '', message=message, retry_after=ceil(reserved.seconds or 1))
        admission.slot, admission.slot_tokens = reserved, estimate.total_tokens

    async def _reserve(self, admission: Admission, store: BudgetStore, amount: Amount) -> None:
        """Reserve an amount.

        Raises `QuotaExceededError` if a budget has no room for it, and `OverloadedError` if the store fails.
        """
        reserving = asyncio.ensure_future(store.reserve(admission.key.name, admission.periods, amount))
        try:
            full = await asyncio.shield(reserving)
        except asyncio.CancelledError:
            if await reserving is None:
                admission.reserved = amount
            raise
        except Exception as error:
            logger.exception('The budgets cannot be read')
            raise OverloadedError(503, '', message='The budgets cannot be read', retry_after=1) from error
        if full is not None:
            await self._refuse(admission, store, full, amount)
        admission.reserved = amount

    async def _refuse(self, admission: Admission, store: BudgetStore, full: PeriodLimit, amount: Amount) -> None:
        """Raise the error for a budget without room for an amount."""
        [spent] = await store.read(admission.key.name, [full])
        if full.find_exceeded(spent.amount + amount) == 'dollars':
            limit, left = full.nanodollars or 0, (full.nanodollars or 0) - spent.amount.nanodollars
            budget = f'{limit / 1e9:.15g} US dollars a {full.name}: {max(left, 0) / 1e9:.6f} are left'
            needed = f'{amount.dollars:.6f}'
        else:
            budget = f'{full.tokens} tokens a {full.name}: {max((full.tokens or 0) - spent.amount.tokens, 0)} are left'
            needed = f'{amount.tokens}'
        message = f'The key {admission.key.name!r} has a budget of {budget}, and this request may need {needed}'
        seconds = ceil((full.ends - datetime.now(UTC)).total_seconds())
        raise QuotaExceededError(429, '', message=message, retry_after=max(seconds, 1), retryable=False)


def estimate_request(served: ServedRequest) -> RequestUsage:
    """Return the tokens that a request may need: an estimate of its content, and the most that it may generate."""
    usage = estimate_usage(served.messages, ())
    tools = [(tool.name, tool.description, tool.parameters_json_schema) for tool in served.parameters.tools]
    usage.input_tokens += len(to_json(tools)) // BYTES_PER_TOKEN if tools else 0
    usage.output_tokens = served.settings.get('max_tokens') or DEFAULT_OUTPUT_TOKENS
    return usage


def _describe_limits(limits: Limits) -> str:
    given = {
        'concurrent requests': limits.concurrency,
        'requests a minute': limits.requests_per_minute,
        'tokens a minute': limits.tokens_per_minute,
    }
    return 'limit of ' + ' and '.join(f'{value:.15g} {name}' for name, value in given.items() if value is not None)


def _open_rates(state: str | Path | None) -> RouterState:
    """Return the state of rate limits: in a Redis, if the budgets are there; else of this process."""
    if isinstance(state, str) and is_redis(state):
        from ..models.router.redis_state import RedisState

        return RedisState(state, prefix=RATE_PREFIX)
    return MemoryState()
