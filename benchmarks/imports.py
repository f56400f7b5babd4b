"""Compares processes that import this package with processes that run `import pydantic`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from statistics import median
from time import perf_counter

ROUNDS = 15

STATEMENTS = (
    *('import pydantic_llm', 'import pydantic_llm.messages', 'import pydantic_llm.models'),
    'from pydantic_llm import Agent',
)
"""The statements that are compared with the import of pydantic."""


def _measure_seconds(statement: str) -> float:
    started = perf_counter()
    subprocess.run([sys.executable, '-c', statement], check=True)
    return perf_counter() - started


def run() -> Iterator[str]:
    """Measure the imports in turns and compare them."""
    ratios: dict[str, list[float]] = {statement: [] for statement in STATEMENTS}
    base: list[float] = []
    for round_ in range(ROUNDS + 1):
        theirs = _measure_seconds('import pydantic; pydantic.BaseModel')
        times = {name: _measure_seconds(name) for name in ratios}
        if round_:  # the first round fills the disk cache
            base.append(theirs)
            for name, seconds in times.items():
                ratios[name].append(seconds / theirs)
    yield f'import pydantic: {median(base) * 1000:.0f} ms'
    for name, measured in ratios.items():
        yield f'    {name}: {median(measured):.2f} of it ({min(measured):.2f} to {max(measured):.2f})'
