"""Compares processes that run `import pydantic_llm` with processes that run `import pydantic`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from statistics import median
from time import perf_counter

ROUNDS = 15


def _measure_seconds(statement: str) -> float:
    started = perf_counter()
    subprocess.run([sys.executable, '-c', statement], check=True)
    return perf_counter() - started


def run() -> Iterator[str]:
    """Measure the imports in turns and compare them."""
    ratios: dict[str, list[float]] = {'pydantic_llm': [], 'pydantic_llm.messages': [], 'pydantic_llm.models': []}
    base: list[float] = []
    for round_ in range(ROUNDS + 1):
        theirs = _measure_seconds('import pydantic; pydantic.BaseModel')
        times = {name: _measure_seconds(f'import {name}') for name in ratios}
        if round_:  # the first round fills the disk cache
            base.append(theirs)
            for name, seconds in times.items():
                ratios[name].append(seconds / theirs)
    yield f'import pydantic: {median(base) * 1000:.0f} ms'
    for name, measured in ratios.items():
        yield f'    import {name}: {median(measured):.2f} of it ({min(measured):.2f} to {max(measured):.2f})'
