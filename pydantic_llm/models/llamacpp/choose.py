"""Logits → the next token of one row, by the row's own settings. Start at `choose`.

A row draws one number per token from its own generator, so that a seed gives the same response whatever else is in the
batch.
"""

from __future__ import annotations

from collections import Counter
from math import isfinite
from typing import Any

from ..local import Sampling
from ..local.sampling import MIN_TEMPERATURE
from .library import import_numpy
from .rows import Row

__all__ = ('choose', 'draw')

Array = Any

LIKELIEST = 1024
"""The number of tokens to sort first for `top_p`: in most cases they hold its share, and the rest is not sorted."""


def choose(logits: Array, row: Row) -> int | None:
    """Return the next token, or `None` if the job has failed. `logits` has shape [vocabulary], and is not changed."""
    np = import_numpy()
    if not row.is_plain:
        logits = _adjust_logits(logits, row)
    likeliest = int(np.argmax(logits))  # a NaN counts as the highest
    highest = float(logits[likeliest])
    if not row.job.done and not isfinite(highest):
        row.fail(f'its highest logit is {highest}: the weights are broken, or a number overflows')
    if row.job.done:
        return None
    return likeliest if row.random is None else draw(logits, row.job.sampling, row.random.random())


def draw(logits: Array, sampling: Sampling, number: float) -> int:
    """Draw a token by its probability. `number` is the random number, from 0 to 1."""
    np = import_numpy()
    scores = logits.astype(np.float64) / max(sampling.temperature, MIN_TEMPERATURE)
    probabilities = np.exp(scores - scores.max())
    tokens = _filter_tokens(probabilities, sampling)
    sums = np.cumsum(probabilities if tokens is None else probabilities[tokens])
    # The last number of the sums is in none of the intervals because of rounding.
    index = min(int(np.searchsorted(sums, number * sums[-1], side='right')), len(sums) - 1)
    return index if tokens is None else int(tokens[index])


def _filter_tokens(probabilities: Array, sampling: Sampling) -> Array | None:
    """Return the tokens that `top_k`, `top_p` and `min_p` leave, the likeliest one first; `None` for all.

    `probabilities` need not add up to 1. The order of the filters is that of the other engines: top_k, top_p, min_p.
    """
    np = import_numpy()
    top_k, top_p, min_p = sampling.top_k or 0, sampling.top_p or 1.0, sampling.min_p or 0.0
    has_top_k = 0 < top_k < len(probabilities)
    if not has_top_k and top_p >= 1 and not min_p:
        return None
    if has_top_k:
        tokens = _sort_likeliest(probabilities, top_k)
    elif top_p < 1:
        tokens = _sort_likeliest(probabilities, LIKELIEST)
        if probabilities[tokens].sum() < top_p * probabilities.sum():
            tokens = _sort_likeliest(probabilities, len(probabilities))
    else:
        tokens = np.flatnonzero(probabilities >= min_p * probabilities.max())
    ordered = probabilities[tokens]
    if top_p < 1:
        total = ordered.sum() if has_top_k else probabilities.sum()
        before = np.cumsum(ordered) - ordered
        count = max(1, int(np.searchsorted(before, top_p * total, side='left')))
        tokens, ordered = tokens[:count], ordered[:count]
    return tokens[ordered >= min_p * ordered.max()]


def _sort_likeliest(probabilities: Array, count: int) -> Array:
    """Return the `count` likeliest tokens, the likeliest one first."""
    np = import_numpy()
    if count < len(probabilities):
        tokens = np.argpartition(probabilities, -count)[-count:]
        return tokens[np.argsort(-probabilities[tokens], kind='stable')]
    return np.argsort(-probabilities, kind='stable')


def _adjust_logits(logits: Array, row: Row) -> Array:
    """Return the logits with the row's penalties, bias and constraint. If the constraint breaks, the job fails."""
    np = import_numpy()
    adjusted = _apply_penalties(logits.copy(), row)
    if row.matcher is None:
        return adjusted
    try:
        allowed = row.matcher.compute_mask()
    except RuntimeError as error:
        row.fail(error)
        return adjusted
    return np.where(allowed[: len(adjusted)], adjusted, -np.inf)


def _apply_penalties(logits: Array, row: Row) -> Array:
    """Change logits in place by penalties and bias."""
    np = import_numpy()
    sampling, tokens = row.job.sampling, row.job.tokens
    if (penalty := sampling.repetition_penalty or 1.0) != 1.0:
        seen = np.unique(np.array([*row.job.prompt.tokens, *tokens]))
        values = logits[seen]
        logits[seen] = np.where(values < 0, values * penalty, values / penalty)
    if tokens and (sampling.presence_penalty or sampling.frequency_penalty):
        counts = Counter(tokens)
        frequencies = np.array([*counts.values()])
        offsets = (sampling.presence_penalty or 0.0) + (sampling.frequency_penalty or 0.0) * frequencies
        logits[[*counts]] -= offsets.astype(logits.dtype)
    if sampling.logit_bias:
        logits[[*sampling.logit_bias]] += np.array([*sampling.logit_bias.values()], dtype=logits.dtype)
    return logits
