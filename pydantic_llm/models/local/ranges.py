"""The ranges of the numbers that choose tokens: those of settings, and those of a model's `generation_config`."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from typing import cast

__all__ = ('RANGES', 'is_in_range')

RANGES: dict[str, tuple[Callable[[float], bool], str]] = {
    'temperature': (lambda value: value >= 0, 'a number, 0 or more'),
    'top_p': (lambda value: 0 < value <= 1, 'a number above 0, and 1 at most'),
    'min_p': (lambda value: 0 <= value <= 1, 'a number from 0 to 1'),
    'top_k': (
        lambda value: value >= 0 and value == int(value),
        'a whole number: 0 to choose among all tokens, or more',
    ),
    # with others, the logits of 16 bits overflow
    'repetition_penalty': (lambda value: 0.01 <= value <= 100, 'a number from 0.01 to 100'),
    'presence_penalty': (lambda value: -10 <= value <= 10, 'a number from -10 to 10'),
    'frequency_penalty': (lambda value: -10 <= value <= 10, 'a number from -10 to 10'),
    'seed': (lambda value: value == int(value), 'a whole number'),
}
"""For each number, the check of its value, and the text of what the check requires."""


def is_in_range(name: str, value: object) -> bool:
    """Return whether a value is a number that the check accepts. `name` is a key of `RANGES`."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and isfinite(cast('float', value)) and RANGES[name][0](cast('float', value))
