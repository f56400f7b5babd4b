"""Whole processes: `import pydantic_llm` beside `import pydantic`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from statistics import median
from time import perf_counter

ROUNDS = 15


def _seconds(statement: str) -> float:
    begun = perf_counter()
    subprocess.run([sys.executable, '-c', statement], check=True)
    return perf_counter() - begun


def run() -> Iterator[str]:
    """Compare in turns."""
    ratios: dict[str, list[float]] = {'pydantic_llm': [], 'pydantic_llm.messages': [], 'pydantic_llm.models': []}
    base: list[float] = []
    for round_ in range(ROUNDS + 1):
        theirs = _seconds('import pydantic; pydantic.BaseModel')
        times = {name: _seconds(f'import {name}') for name in ratios}
        if round_:  # the first one warms the disk
            base.append(theirs)
            for name, seconds in times.items():
                ratios[name].append(seconds / theirs)
    yield f'import pydantic: {median(base) * 1000:.0f} ms'
    for name, found in ratios.items():
        yield f'    import {name}: {median(found):.2f} of it ({min(found):.2f} to {max(found):.2f})'
