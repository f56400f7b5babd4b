"""Numbers for JSON schemas."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

from .schemas import Node, fraction


def numbers(node: Node, kind: str, seed: int) -> Iterator[int | float]:
    """Yield numbers between the bounds: integers first, then, if `kind` allows them, fractions and the bounds."""
    multiple = fraction(node['multipleOf']) if 'multipleOf' in node else None
    if kind == 'integer':
        step = Fraction(multiple.numerator if multiple else 1)
        yield from map(int, _on_grid(node, step, seed))
        return
    for step in [multiple] if multiple else [Fraction(1), Fraction(1, 2), _quarter(node)]:
        yield from map(float, _on_grid(node, step, seed))
    yield from (float(node[name]) for name in ('minimum', 'maximum') if name in node)


def _quarter(node: Node) -> Fraction:
    """A quarter of the space between the bounds, so that there is a multiple of it between them."""
    names = ('minimum', 'exclusiveMinimum', 'maximum', 'exclusiveMaximum')
    bounds = {fraction(node[name]) for name in names if name in node}
    return (max(bounds) - min(bounds)) / 4 if len(bounds) > 1 else Fraction(1, 4)


def _on_grid(node: Node, step: Fraction, seed: int) -> Iterator[Fraction]:
    """The multiples of `step` that lie `seed` steps inside the bounds, from the lower one if there is one."""
    low = max(_ends(node, step, 'minimum', 1), default=None)
    high = min(_ends(node, step, 'maximum', -1), default=None)
    if low is not None and high is not None:
        yield from ((low + seed % (high - low + 1)) * step,) if low <= high else ()
    elif low is not None:
        yield (low + seed) * step
    elif high is not None:
        yield (high - seed) * step
    else:
        yield from (seed * step, -(seed + 1) * step)


def _ends(node: Node, step: Fraction, name: str, inwards: int) -> Iterator[int]:
    """The steps at which the range ends; `inwards` is 1 at its lower end and -1 at its upper end."""
    if name in node:
        yield math.ceil(fraction(node[name]) / step * inwards) * inwards
    if (exclusive := f'exclusive{name.title()}') in node:
        yield (math.floor(fraction(node[exclusive]) / step * inwards) + 1) * inwards
