"""Measures how the time of work grows with its size: `Work` is work of any size, `assert_linear` the check."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass
from time import process_time

FACTORS = (1, 4, 16)
"""The sizes that are measured, as multiples of `Work.units`."""

MARGIN = 2.0
"""The most that the last step may cost above its share: four times the units may take eight times as long."""

LONG = 0.01
"""Seconds of CPU time that suffice for the smallest size: a longer work is done with fewer units."""

SHORTEST = 0.02
"""Seconds of CPU time for the largest size below which a ratio says nothing."""

ATTEMPTS = 3
"""The most measurements of one work. A busy machine disturbs one, a quadratic loop is in all."""


@dataclass(frozen=True)
class Work:
    """Work whose time must grow no faster than the number of its units."""

    name: str
    make: Callable[[int], Callable[[], object]]
    """Prepares the work for a number of units, which is not measured, and returns it."""
    units: int = 1000
    """The units of the smallest size, fewer if they take longer than `LONG`. The largest one has 16 times as many."""

    def __repr__(self) -> str:
        return self.name


def measure(work: Work) -> dict[int, float]:
    """Return the CPU time of the work in seconds, by the number of units."""
    units, first = work.units, _time(work.make(work.units))
    if first > LONG:
        units = max(1, int(units * LONG / first))
    return {units * factor: _time(work.make(units * factor)) for factor in FACTORS}


def _time(run: Callable[[], object]) -> float:
    gc.collect()
    gc.disable()
    try:
        start = process_time()
        run()
        return process_time() - start
    finally:
        gc.enable()


def is_linear(costs: dict[int, float]) -> bool:
    """Return whether the last step, to four times the units, took at most `4 * MARGIN` times as long."""
    _, before, last = costs.values()
    return last < SHORTEST or last <= 4 * MARGIN * before


def assert_linear(work: Work) -> None:
    """Assert that four times the units take about four times as long, in one of `ATTEMPTS` measurements."""
    measured: list[dict[int, float]] = []
    for _ in range(ATTEMPTS):
        measured.append(measure(work))
        if is_linear(measured[-1]):
            return
    raise AssertionError(f'{work} is not linear: the seconds by the number of units are {measured}')
