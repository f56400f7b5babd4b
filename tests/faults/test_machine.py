"""Nested wrappers under random faults lose nothing, count exactly, end in time and leave nothing behind.

`make test-machine` runs thousands of examples; here is a short run, with the same seed each time, and some cases over
sockets.
"""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from tests.faults.machine.calls import Call, Order
from tests.faults.machine.nestings import Cached, Concurrent, Fallback, Leaf, Place, Plain, Rated, Router, Spec, World
from tests.faults.machine.run import find_server, run
from tests.faults.machine.sockets import SocketVendor
from tests.faults.machine.vendor import GOOD, SILENCE, Fate
from tests.transport.server import Server

NESTINGS: dict[str, Spec] = {
    'all': Fallback((Router(((Place(Rated(Concurrent(Leaf(), limit=3), requests=600)), Place(Leaf())),)), Leaf())),
    'restart': Fallback((Plain(Leaf()), Fallback((Leaf(), Leaf()), 'continue'), Leaf()), 'restart'),
    'continue': Fallback((Leaf(), Fallback((Leaf(), Leaf()), 'restart'), Leaf()), 'continue'),
    'cache': Cached(Fallback((Cached(Concurrent(Leaf(), limit=2)), Leaf()), 'restart')),
    'limits': Concurrent(
        Rated(Router(((Place(Leaf(), concurrency=2),), (Place(Leaf()),)), cooldown=0.0), 600), limit=4
    ),
}

FATES = (
    *(Fate(status=status) for status in (400, 401, 404, 500, 529)),
    Fate(status=429, retry_after='0'),
    Fate(refuses=True),
    Fate(latency=SILENCE),
    *(Fate(breaks=how, breaks_after=after) for how in ('reset', 'eof', 'half event', 'silence') for after in (0, 2)),
    Fate(ending='no done'),
    Fate(ending='reset'),
    *[GOOD] * 6,
)


def test_nested_wrappers_are_exact_under_random_faults(tmp_path: Path) -> None:
    with find_server(tmp_path) as server:
        totals = run(100, 1, server)
    assert totals['examples'] >= 100
    assert totals['calls'] > 300
    assert totals['requests'] > 300


@pytest.mark.parametrize('nesting', NESTINGS)
async def test_nested_wrappers_are_exact_over_sockets(nesting: str) -> None:
    chance = random.Random(nesting)
    vendor = SocketVendor([chance.choice(FATES) for _ in range(60)])
    async with Server(vendor).run() as server:
        world = World(None, server.url)
        model = world.build(NESTINGS[nesting])
        calls = [Call(number, Order(stream=bool(number % 2), timeout=1.0, retries=1)) for number in range(40)]
        for batch in (calls[:10], calls[10:25], calls[25:]):
            for call in batch:
                call.start(model, asyncio.get_running_loop())
            await leave_some(batch, chance)
            await asyncio.wait([call.task for call in batch])
        for call in calls:
            call.check_over_sockets([visit for visit in vendor.visits if visit.caller == call.number])
        await world.provider.connection.aclose()
        await server.wait_until_closed(10)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert [limited.under_way for limited in world.limits] == [0] * len(world.limits)


async def leave_some(batch: list[Call], chance: random.Random) -> None:
    """Cancel two calls, each at a random moment."""
    for call in chance.sample(batch, 2):
        await asyncio.sleep(chance.random() * 0.01)
        if not call.task.done():
            call.left = True
            call.task.cancel()
