"""Likelihoods → the next tokens: drawn with temperature and cuts, the same way for every line.

mlx-lm asks one chooser for the tokens of a whole batch where all rows have the same one, which saves most of the time.
So rows with the same settings share a chooser, unless they have a seed, which needs one for itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from random import Random
from typing import Any

from ..local import Sampling
from .library import import_mlx

__all__ = ('Choosers', 'draw')

Array = Any
Chooser = Callable[[Array], Array]
"""Takes the logarithms of likelihoods, a line for each row, and gives a token for each."""

KEPT = 64
"""So many shared choosers are kept."""

COLDEST = 1e-5
"""The temperature below which numbers overflow; what is drawn there is the likeliest anyway."""


class Choosers:
    """The choosers of one engine."""

    def __init__(self) -> None:
        self._shared: dict[Sampling, Chooser] = {}

    def of(self, sampling: Sampling) -> Chooser | None:
        """What draws an answer's tokens; `None` where the likeliest is taken."""
        if not sampling.temperature:
            return None
        drawing = Sampling(
            temperature=sampling.temperature, top_k=sampling.top_k, top_p=sampling.top_p, min_p=sampling.min_p
        )
        if sampling.seed is not None:
            return partial(draw, replace(drawing, seed=sampling.seed), Random(sampling.seed))
        if drawing not in self._shared:
            if len(self._shared) >= KEPT:
                self._shared.clear()
            self._shared[drawing] = partial(draw, drawing, Random())
        return self._shared[drawing]


def draw(sampling: Sampling, random: Random, likely: Array) -> Array:
    """A token for each line, by its likelihood. Every call takes one number of `random`."""
    mx = import_mlx()
    key = mx.random.key(random.getrandbits(63))
    likely = likely.astype(mx.float32)
    likely = (likely - likely.max(axis=-1, keepdims=True)) / max(sampling.temperature, COLDEST)
    top_k, top_p, min_p = sampling.top_k or 0, sampling.top_p or 1.0, sampling.min_p or 0.0
    if min_p and top_p >= 1:  # what is as likely as the likeliest stays, whatever else is cut
        likely = mx.where(likely < math.log(min_p), -math.inf, likely)
    if not (0 < top_k < likely.shape[-1]) and top_p >= 1:
        return mx.random.categorical(likely, key=key)
    order = mx.argsort(-likely, axis=-1)
    ordered = _cut(mx.take_along_axis(likely, order, axis=-1), top_k, top_p, min_p)
    drawn = mx.random.categorical(ordered, key=key)
    return mx.take_along_axis(order, drawn[..., None], axis=-1).squeeze(-1)


def _cut(ordered: Array, top_k: int, top_p: float, min_p: float) -> Array:
    """Without what a row does not choose among. The likeliest comes first, with a logarithm of 0."""
    mx = import_mlx()
    if 0 < top_k < ordered.shape[-1]:
        ordered = mx.where(mx.arange(ordered.shape[-1]) < top_k, ordered, -math.inf)
    if top_p < 1:
        share = mx.softmax(ordered, axis=-1)
        before = mx.cumsum(share, axis=-1) - share
        is_first = mx.arange(ordered.shape[-1]) == 0
        ordered = mx.where((before < top_p) | is_first, ordered, -math.inf)
        if min_p:
            ordered = mx.where(ordered < math.log(min_p), -math.inf, ordered)
    return ordered
