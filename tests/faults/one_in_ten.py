"""A handler that fails for one request in ten, in one of several ways. Its server runs in another process."""

from __future__ import annotations

import itertools
import random

from tests.transport.server import Exchange, chunk, send_stream


async def reset(exchange: Exchange) -> None:
    exchange.reset()


async def reset_later(exchange: Exchange) -> None:
    await exchange.begin()
    await exchange.event(chunk('Hel'))
    exchange.reset()


async def busy(exchange: Exchange) -> None:
    await exchange.respond({'error': {'message': 'busy'}}, status=503)


async def garbage(exchange: Exchange) -> None:
    await exchange.begin()
    await exchange.chunk(b'data: {"no JSON\n\n')
    await exchange.end()


async def truncate(exchange: Exchange) -> None:
    await exchange.begin()
    await exchange.event(chunk('Hel'))
    await exchange.end()


async def silent(exchange: Exchange) -> None:
    await exchange.begin()
    await exchange.wait_until_gone()


FAULTS = (reset, reset_later, busy, garbage, truncate, silent)


class OneInTen:
    """Sends a complete stream for nine requests in ten, and a random fault for the tenth."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.numbers = itertools.count()

    async def __call__(self, exchange: Exchange) -> None:
        fails = next(self.numbers) % 10 == 0
        await (self.chance.choice(FAULTS) if fails else send_stream)(exchange)
