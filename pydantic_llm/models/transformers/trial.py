"""Tests of what the cache of a model allows, at load time: on logits, as few tokens would hide a small difference."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ..local import Prompt
from ..local.prefix_cache import BLOCK_TOKENS, PrefixCache
from ..local.probes import make_greedy_job
from .forward import Forward
from .prefixes import Prefixes
from .rows import Row

__all__ = (
    'PREFIX_TEST_TOKENS',
    'continues_after_another',
    'continues_alone',
    'read_test_prompt',
    'reads_pieces',
    'shares_passes',
    'shares_prefixes',
)

Tensor = Any

LENGTH, PIECE = 12, 5
"""The length of the prompts, and of the pieces of one, in tokens."""

PREFIX_TEST_TOKENS = 2 * BLOCK_TOKENS + 5
"""The length of the longest prompt of the test of prefixes."""

TOLERANCES = {'float32': 0.001, 'float64': 0.001}
OTHER_TOLERANCE = 0.05
"""The largest difference of logits that rounding explains, as a share of their range, by the type of the weights."""


def read_test_prompt(forward: Forward, vocabulary_size: int) -> Tensor:
    """Return the logits after a short prompt and one more token. Raises what the model raises."""
    with forward.without_gradients():
        return _read_expected(forward, _make_tokens(LENGTH, vocabulary_size))[0]


def shares_passes(forward: Forward, vocabulary_size: int) -> bool:
    """Return whether prompts of different lengths that share passes get the logits that `generate` has for each one.

    Two prompts are read in one pass, a third one joins them, and one more token of each is read.
    """
    tokens = _make_tokens(LENGTH, vocabulary_size)
    prompts = [tokens, tokens[:PIECE], tokens[1:]]
    with forward.without_gradients():
        expected = [_read_expected(forward, prompt) for prompt in prompts]
        _, cache, _ = forward.read_prompts([Prompt(prompt) for prompt in prompts[:2]])
        _, joining, _ = forward.read_prompts([Prompt(prompts[2])])
        forward.append_cache_rows(cache, joining)
        lengths = [len(prompt) for prompt in prompts]
        mask = forward.extend_mask(forward.make_mask(lengths))
        last = forward.tensor([token for _, token in expected])
        logits = forward.next_logits(last, forward.tensor(lengths), cache, mask, None)
        return all(_are_alike(row, wanted[0], forward) for row, (wanted, _) in zip(logits, expected, strict=True))


def continues_alone(forward: Forward, vocabulary_size: int) -> bool:
    """Return whether a response gets the logits that `generate` has for it."""
    tokens = _make_tokens(LENGTH, vocabulary_size)
    with forward.without_gradients():
        expected, last = _read_expected(forward, tokens)
        return _are_alike(_continue(forward, tokens, last), expected, forward)


def reads_pieces(forward: Forward, vocabulary_size: int) -> bool:
    """Return whether a prompt that is read in pieces gives the logits of the whole prompt."""
    tokens = _make_tokens(LENGTH, vocabulary_size)
    with forward.without_gradients():
        whole, _, _ = forward.read_prompts([Prompt(tokens)])
        cache = forward.new_cache()
        begins = range(0, LENGTH, PIECE)
        pieces = [forward.read_piece(tokens[begin : begin + PIECE], cache, begin) for begin in begins]
        return _are_alike(pieces[-1], whole, forward)


def continues_after_another(forward: Forward, vocabulary_size: int) -> bool:
    """Return whether a response gets the same logits if another prompt is read between two of its tokens."""
    tokens = _make_tokens(LENGTH, vocabulary_size)
    with forward.without_gradients():
        alone = _continue(forward, tokens, tokens[0])
        between = _continue(forward, tokens, tokens[0], other=tokens[: PIECE - 1 : -1])
        return _are_alike(between, alone, forward)


def shares_prefixes(forward: Forward, vocabulary_size: int) -> bool:
    """Return whether prompts get the logits of the whole prompt if they begin with blocks of another one.

    If responses of the model can share a pass, a prompt with another length, and without a prefix, shares it.
    """
    tokens = _make_tokens(PREFIX_TEST_TOKENS, vocabulary_size)
    tests = [tokens, tokens[:1:-1][:LENGTH]] if forward.can_merge else [tokens]
    prefixes = Prefixes(forward, PrefixCache(sys.maxsize))
    with forward.without_gradients():
        other = [*tokens[: 2 * BLOCK_TOKENS], *tokens[:1]]
        _, cache, _ = forward.read_prompts([Prompt(other)])
        prefixes.save([_make_row(other)], cache, [len(other)], None)
        rows = [_make_row(test) for test in tests]
        for row in rows:
            prefixes.find(row, None)
        past, width = prefixes.restore(rows)
        logits, _, _ = forward.read_prompts([row.prompt for row in rows], past)
        expected = [forward.read_prompts([row.prompt])[0][0] for row in rows]
        return width > 0 and all(_are_alike(*pair, forward) for pair in zip(logits, expected, strict=True))


def _make_row(tokens: list[int]) -> Row:
    return Row(make_greedy_job(Prompt(tokens), 1))


def _read_expected(forward: Forward, tokens: list[int]) -> tuple[Tensor, int]:
    """Return the logits after a prompt and one more token, and this token: as `generate` has them, if it runs.

    It may fail for a model with code of its own: then, the logits are those without a cache, or else those with one.
    """
    readers: list[Callable[[], tuple[Tensor, int]]] = [
        lambda: forward.generate(tokens),
        lambda: (forward.read_whole(Prompt([*tokens, tokens[0]])), tokens[0]),
    ]
    for read in readers:
        with suppress(Exception):
            return read()
    return _continue(forward, tokens, tokens[0]), tokens[0]


def _continue(forward: Forward, tokens: list[int], last: int, *, other: list[int] | None = None) -> Tensor:
    """Return the logits after a prompt and one more token. Between the two, read the `other` prompt."""
    _, cache, extras = forward.read_prompts([Prompt(tokens)])
    if other is not None:
        forward.read_prompts([Prompt(other)])
    return forward.next_logits(forward.tensor([last]), forward.tensor([len(tokens)]), cache, None, extras)


def _make_tokens(count: int, vocabulary_size: int) -> list[int]:
    return [(37 + 11 * place) % vocabulary_size for place in range(count)]


def _are_alike(logits: Tensor, expected: Tensor, forward: Forward) -> bool:
    tolerance = TOLERANCES.get(forward.weights_type, OTHER_TOLERANCE)
    difference, scale = float((logits - expected).abs().max()), float(expected.max() - expected.min())
    return difference <= tolerance * scale and scale > 0  # equal logits for all tokens show nothing
