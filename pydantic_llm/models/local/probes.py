"""A self-test of runners, at load time: greedy tokens for short probe prompts, each alone and all at once.

Whether responses can share forward passes depends on the library's code of each model. What it declares is not enough:
some models fail in a batch, and some generate other tokens in it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from .engine import Job, Prompt, Runner, Sampling
from .failures import attempt
from .prefix_cache import BLOCK_TOKENS
from .token_decoder import TokenDecoder

__all__ = ('LENGTHS', 'find_problem', 'generate_probes', 'make_greedy_job', 'make_probe', 'shares_prefix')

LENGTHS = (5, 2, 9)
"""The lengths of the probes, in tokens."""

TOKENS = 4
"""The number of tokens to generate for each probe."""

PREFIX_TOKENS = 2 * BLOCK_TOKENS
"""The number of tokens that the prompts of the test of a prefix cache share."""

MIN_EQUAL = 0.5
"""The share of equal tokens that suffices. Rounding can change a few tokens; a wrong mask or state changes most."""


def generate_probes(make_runner: Callable[[], Runner], vocabulary_size: int, groups: Sequence[int] = (1,)) -> list[int]:
    """Return the tokens of all probes, one after another. Raises what the runner raises.

    `groups` are the numbers of probes that run at once, from the first one on; the last number repeats.
    """
    prompts = [_make_prompt(length, vocabulary_size) for length in LENGTHS]
    tokens: list[int] = []
    sizes = [*groups]
    while prompts:
        size = sizes.pop(0) if len(sizes) > 1 else sizes[0]
        tokens += _generate(make_runner(), prompts[:size])
        prompts = prompts[size:]
    return tokens


def make_greedy_job(prompt: Prompt, max_tokens: int) -> Job:
    """Return a job that takes the likeliest tokens, whose text is empty."""
    return Job(prompt, sampling=Sampling(), max_tokens=max_tokens, decoder=TokenDecoder(lambda tokens: ''))


def make_probe(vocabulary_size: int) -> Job:
    """Return a job that generates one token for a short prompt."""
    return make_greedy_job(_make_prompt(LENGTHS[0], vocabulary_size), 1)


def find_problem(make_runner: Callable[[], Runner], vocabulary_size: int, expected: Sequence[int]) -> str | None:
    """Return why probes do not run together as they should, or `None`. `expected` are the tokens of each one alone."""
    for count in range(2, len(LENGTHS) + 1):
        tokens, error = attempt(partial(generate_probes, make_runner, vocabulary_size, (count, 1)))
        if error is not None or tokens is None:
            return f'a test with {count} short prompts at once failed ({type(error).__name__}: {error})'
        if sum(one == other for one, other in zip(tokens, expected, strict=True)) < MIN_EQUAL * len(expected):
            return f'in a test with {count} short prompts at once it generated other tokens than for each alone'
    return None


def shares_prefix(make_runner: Callable[[], Runner], cached: Runner, vocabulary_size: int) -> bool:
    """Return whether a runner with a prefix cache uses it, and then generates the tokens of one without."""
    first, second = (_make_prompt(PREFIX_TOKENS + length, vocabulary_size) for length in (1, 5))
    second = Prompt([*first.tokens[:PREFIX_TOKENS], *second.tokens[PREFIX_TOKENS:]])
    [expected] = _generate_all(make_runner(), [second])
    _generate_all(cached, [first])
    [job] = _generate_all(cached, [second])
    equal = sum(one == other for one, other in zip(job.tokens, expected.tokens, strict=True))
    return job.cached_tokens > 0 and equal >= MIN_EQUAL * TOKENS


def _make_prompt(length: int, vocabulary_size: int) -> Prompt:
    return Prompt([(37 * length + 11 * place) % vocabulary_size for place in range(length)])


def _generate(runner: Runner, prompts: Sequence[Prompt]) -> list[int]:
    """Return the greedy tokens of prompts that run at the same time, one prompt after another."""
    return [token for job in _generate_all(runner, prompts) for token in job.tokens]


def _generate_all(runner: Runner, prompts: Sequence[Prompt]) -> list[Job]:
    """Generate greedy responses to prompts at the same time. Raises the error of one that fails."""
    jobs = [make_greedy_job(prompt, TOKENS) for prompt in prompts]
    for job in jobs:
        runner.add(job)
    while not all(job.done for job in jobs):
        runner.step()
    for job in jobs:
        if job.error is not None:
            raise job.error
    return jobs
