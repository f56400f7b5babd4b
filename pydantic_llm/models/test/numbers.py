"""Generates numbers for JSON schemas: `numbers(node, kind, seed)`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

from ...json_types import Json
from .schemas import to_fraction


def numbers(node: Json, kind: str, seed: int) -> Iterator[int | float]:
    """Yield numbers between the bounds: integers first, then, if `kind` allows them, fractions and the bounds."""
    multiple = to_fraction(node['multipleOf']) if 'multipleOf' in node else None
    if kind == 'integer':
        step = Fraction(multiple.numerator if multiple else 1)
        yield from map(int, _multiples(node, step, seed))
        return
    for step in [multiple] if multiple else [Fraction(1), Fraction(1, 2), _quarter(node)]:
        yield from map(float, _multiples(node, step, seed))
    yield from (float(node[name]) for name in ('minimum', 'maximum') if name in node)


def _quarter(node: Json) -> Fraction:
    """Return a quarter of the range between the bounds, so that there is a multiple of it between them."""
    names = ('minimum', 'exclusiveMinimum', 'maximum', 'exclusiveMaximum')
    bounds = {to_fraction(node[name]) for name in names if name in node}
    return (max(bounds) - min(bounds)) / 4 if len(bounds) > 1 else Fraction(1, 4)


def _multiples(node: Json, step: Fraction, seed: int) -> Iterator[Fraction]:
    """Yield the multiples of `step` that are `seed` steps inside the bounds, from the lower bound if it exists."""
    low = max(_end_steps(node, step, 'minimum', 1), default=None)
    high = min(_end_steps(node, step, 'maximum', -1), default=None)
    if low is not None and high is not None:
        yield from ((low + seed % (high - low + 1)) * step,) if low <= high else ()
    elif low is not None:
        yield (low + seed) * step
    elif high is not None:
        yield (high - seed) * step
    else:
        yield from (seed * step, -(seed + 1) * step)


def _end_steps(node: Json, step: Fraction, name: str, inwards: int) -> Iterator[int]:
    """Yield the numbers of the steps at which the range ends. `inwards` is 1 for its lower and -1 for its upper end."""
    if name in node:
        yield math.ceil(to_fraction(node[name]) / step * inwards) * inwards
    if (exclusive := f'exclusive{name.title()}') in node:
        yield (math.floor(to_fraction(node[exclusive]) / step * inwards) + 1) * inwards
