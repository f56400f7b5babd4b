"""Spendings of keys in a Redis, which survive a restart and which many machines share."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ...models.redis_clients import REDIS_TIMEOUT, make_redis_clients
from .amounts import Amount, PeriodLimit, Spent
from .store import BudgetStore

__all__ = ('RedisStore',)

PREFIX = 'pydantic_llm:budget'
"""The start of the keys in Redis."""

KEPT_SECONDS = {'day': 40 * 86400, 'month': 400 * 86400}
"""Seconds after the last change for which a period is kept."""

NO_LIMIT = -1

RESERVE = """
local dollars, tokens = tonumber(ARGV[1]), tonumber(ARGV[2])
if ARGV[3] == 'check' then
  for i, key in ipairs(KEYS) do
    local spent = redis.call('HMGET', key, 'nanodollars', 'tokens')
    local dollar_limit, token_limit = tonumber(ARGV[1 + 3 * i]), tonumber(ARGV[2 + 3 * i])
    if dollar_limit >= 0 and (tonumber(spent[1] or '0') or 0) + dollars > dollar_limit then return i end
    if token_limit >= 0 and (tonumber(spent[2] or '0') or 0) + tokens > token_limit then return i end
  end
end
for i, key in ipairs(KEYS) do
  redis.call('HINCRBY', key, 'nanodollars', ARGV[1])
  redis.call('HINCRBY', key, 'tokens', ARGV[2])
  redis.call('EXPIRE', key, ARGV[3 + 3 * i])
end
return 0
"""
"""Add an amount to all periods. With 'check', return the number of the first period without room, and add nothing.

Values: nanodollars, tokens, 'check' or 'add', then for each period its two limits and the seconds to keep it."""


class RedisStore(BudgetStore):
    """Spendings in a Redis. If it fails, so do the requests of keys: no budget is spent twice."""

    def __init__(self, url: str) -> None:
        self._clients = make_redis_clients(url, what='A gateway with a Redis', decode_responses=True)

    async def reserve(self, key: str, periods: Sequence[PeriodLimit], amount: Amount) -> PeriodLimit | None:
        position: int = await self._run_reserve('check', key, periods, amount)
        return periods[position - 1] if position else None

    async def add(self, key: str, periods: Sequence[PeriodLimit], amount: Amount) -> None:
        await self._run_reserve('add', key, periods, amount)

    async def read(self, key: str, periods: Sequence[PeriodLimit]) -> list[Spent]:
        client, spent = self._clients.get(), list[Spent]()
        for period in periods:
            found: list[str | None] = await client.hmget(_name(key, period), 'nanodollars', 'tokens')
            spent.append(Spent(period, Amount(*(int(value or 0) for value in found))))
        return spent

    async def check(self) -> None:
        async with asyncio.timeout(REDIS_TIMEOUT):
            await self._clients.get().ping()

    async def aclose(self) -> None:
        await self._clients.aclose()

    async def _run_reserve(self, mode: str, key: str, periods: Sequence[PeriodLimit], amount: Amount) -> int:
        values: list[int | str] = [amount.nanodollars, amount.tokens, mode]
        for period in periods:
            limits = [NO_LIMIT if limit is None else limit for limit in (period.nanodollars, period.tokens)]
            values += [*limits, KEPT_SECONDS[period.name]]
        names = [_name(key, period) for period in periods]
        async with asyncio.timeout(REDIS_TIMEOUT):
            code: int = await self._clients.get().eval(RESERVE, len(names), *names, *values)
            return code


def _name(key: str, period: PeriodLimit) -> str:
    return f'{PREFIX}:{key}:{period.id}'
