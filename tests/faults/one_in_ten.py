"""A server that fails for one request in ten, in one way or another. It runs in a process of its own."""

from __future__ import annotations

import itertools
import random

from tests.transport.server import Exchange, chunk, streamed


async def reset(exchange: Exchange) -> None:
    exchange.reset()


async def reset_later(exchange: Exchange) -> None:
    await exchange.begin()
    await exchange.event(chunk('Hel'))
    exchange.reset()


async def busy(exchange: Exchange) -> None:
    await exchange.answer({'error': {'message': 'busy'}}, status=503)


async def garbage(exchange: Exchange) -> None:
    await exchange.begin()
    await exchange.chunk(b'data: {"no JSON\n\n')
    await exchange.end()


async def cut(exchange: Exchange) -> None:
    await exchange.begin()
    await exchange.event(chunk('Hel'))
    await exchange.end()


async def silent(exchange: Exchange) -> None:
    await exchange.begin()
    await exchange.gone()


FAULTS = (reset, reset_later, busy, garbage, cut, silent)


class OneInTen:
    """Answers well, but for one request in ten."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.numbers = itertools.count()

    async def __call__(self, exchange: Exchange) -> None:
        fails = next(self.numbers) % 10 == 0
        await (self.chance.choice(FAULTS) if fails else streamed)(exchange)
