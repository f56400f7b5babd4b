"""Measures several ways to do one thing in turns, and compares them round by round."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Iterator, Mapping
from statistics import median
from time import process_time

ROUNDS = 9
"""The number of measurements per way."""

Way = Callable[[], Awaitable[None]]
"""Does the thing once, in one way."""


async def _measure_cpu(way: Way, times: int) -> float:
    gc.collect()
    started = process_time()
    for _ in range(times):
        await way()
    return process_time() - started


async def _measure_rounds(ways: Mapping[str, Way], times: int) -> dict[str, list[float]]:
    measured: dict[str, list[float]] = {name: [] for name in ways}
    for round_ in range(ROUNDS + 1):
        for name, way in ways.items():
            seconds = await _measure_cpu(way, times)
            if round_:  # the first round warms up
                measured[name].append(seconds / times)
    return measured


def compare(title: str, ways: Mapping[str, Way], *, times: int, per: int = 1) -> Iterator[str]:
    """Yield a line for the first way, and one for each other way with the ratio of its CPU time to the first's.

    `per` is the number of things that one call does; the microseconds after the ratio are per thing.
    """
    measured = asyncio.run(_measure_rounds(ways, times))
    base, *others = measured
    yield f'{title}: {base} {_format_microseconds(measured[base], per)}'
    for name in others:
        ratios = [ours / theirs for ours, theirs in zip(measured[name], measured[base], strict=True)]
        spread = f'{min(ratios):.2f} to {max(ratios):.2f}'
        yield f'    {name}: {median(ratios):.2f} of it ({spread}), {_format_microseconds(measured[name], per)}'


def _format_microseconds(seconds: list[float], per: int) -> str:
    return f'{median(seconds) / per * 1e6:,.1f} µs'
