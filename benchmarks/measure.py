"""Measure several ways of doing one thing in turns, and compare them round by round."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Iterator, Mapping
from statistics import median
from time import process_time

ROUNDS = 9
"""How often each way is measured."""

Way = Callable[[], Awaitable[None]]
"""One way of doing the thing, once."""


async def _cpu_seconds(way: Way, times: int) -> float:
    gc.collect()
    begun = process_time()
    for _ in range(times):
        await way()
    return process_time() - begun


async def _rounds(ways: Mapping[str, Way], times: int) -> dict[str, list[float]]:
    measured: dict[str, list[float]] = {name: [] for name in ways}
    for round_ in range(ROUNDS + 1):
        for name, way in ways.items():
            seconds = await _cpu_seconds(way, times)
            if round_:  # the first one warms up
                measured[name].append(seconds / times)
    return measured


def compare(title: str, ways: Mapping[str, Way], *, times: int, per: int = 1) -> Iterator[str]:
    """A line for each way after the first: how much of the first one's CPU time it takes.

    `per` is how many things one call does, for the microseconds that are printed beside the ratio.
    """
    measured = asyncio.run(_rounds(ways, times))
    base, *others = measured
    yield f'{title}: {base} {_microseconds(measured[base], per)}'
    for name in others:
        ratios = [ours / theirs for ours, theirs in zip(measured[name], measured[base], strict=True)]
        spread = f'{min(ratios):.2f} to {max(ratios):.2f}'
        yield f'    {name}: {median(ratios):.2f} of it ({spread}), {_microseconds(measured[name], per)}'


def _microseconds(seconds: list[float], per: int) -> str:
    return f'{median(seconds) / per * 1e6:,.1f} µs'
