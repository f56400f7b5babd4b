"""Log probabilities → the next tokens, drawn with temperature, top_k, top_p and min_p. Start at `Samplers.get`.

mlx-lm calls a sampler once per step for the whole batch if all rows have the same sampler object, else once per row,
which takes most of the time (`GenerationBatch._step` in mlx_lm/generate.py, 0.32). So rows with equal settings share a
sampler. A row with a seed has its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from random import Random
from typing import Any

from ..local import Sampling
from ..local.sampling import MIN_TEMPERATURE
from .library import import_mlx

__all__ = ('Samplers', 'draw')

Array = Any
Sampler = Callable[[Array], Array]
"""Takes log probabilities [rows, vocabulary], and returns one token per row."""

MAX_SHARED = 64
"""Maximum number of shared samplers to keep."""

KEY_BITS = 63
"""The size of the random number for each token."""


class Samplers:
    """The samplers of one engine."""

    def __init__(self) -> None:
        self._shared: dict[Sampling, Sampler] = {}

    def get(self, sampling: Sampling, *, drawn: int = 0) -> Sampler | None:
        """Return the sampler for these settings, or `None` to take the likeliest token.

        With a seed, the sampler skips the numbers of the tokens `drawn` already.
        """
        if not sampling.temperature:
            return None
        drawing = Sampling(
            temperature=sampling.temperature, top_k=sampling.top_k, top_p=sampling.top_p, min_p=sampling.min_p
        )
        if sampling.seed is not None:
            numbers = Random(sampling.seed)
            for _ in range(drawn):
                numbers.getrandbits(KEY_BITS)
            return partial(draw, replace(drawing, seed=sampling.seed), numbers)
        if drawing not in self._shared:
            if len(self._shared) >= MAX_SHARED:
                self._shared.clear()
            self._shared[drawing] = partial(draw, drawing, Random())
        return self._shared[drawing]


def draw(sampling: Sampling, random: Random, log_probabilities: Array) -> Array:
    """Draw one token per row by its probability. Each call takes one number of `random`."""
    mx = import_mlx()
    key = mx.random.key(random.getrandbits(KEY_BITS))
    scores = log_probabilities.astype(mx.float32)
    scores = (scores - scores.max(axis=-1, keepdims=True)) / max(sampling.temperature, MIN_TEMPERATURE)
    top_k, top_p, min_p = sampling.top_k or 0, sampling.top_p or 1.0, sampling.min_p or 0.0
    if min_p and top_p >= 1:  # relative to the likeliest token, which no other filter changes: no sorting needed
        scores = mx.where(scores < math.log(min_p), -math.inf, scores)
    if not (0 < top_k < scores.shape[-1]) and top_p >= 1:
        return mx.random.categorical(scores, key=key)
    order = mx.argsort(-scores, axis=-1)
    ordered = _filter_scores(mx.take_along_axis(scores, order, axis=-1), top_k, top_p, min_p)
    drawn = mx.random.categorical(ordered, key=key)
    return mx.take_along_axis(order, drawn[..., None], axis=-1).squeeze(-1)


def _filter_scores(ordered: Array, top_k: int, top_p: float, min_p: float) -> Array:
    """Set the scores that `top_k`, `top_p` or `min_p` exclude to minus infinity.

    `ordered` are log probabilities, the highest first and shifted to 0.
    """
    mx = import_mlx()
    if 0 < top_k < ordered.shape[-1]:
        ordered = mx.where(mx.arange(ordered.shape[-1]) < top_k, ordered, -math.inf)
    if top_p < 1:
        probabilities = mx.softmax(ordered, axis=-1)
        before = mx.cumsum(probabilities, axis=-1) - probabilities
        is_first = mx.arange(ordered.shape[-1]) == 0
        ordered = mx.where((before < top_p) | is_first, ordered, -math.inf)
        if min_p:
            ordered = mx.where(ordered < math.log(min_p), -math.inf, ordered)
    return ordered
