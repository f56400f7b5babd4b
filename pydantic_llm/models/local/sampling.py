"""Settings → how tokens are chosen. What the caller says wins over what the model's makers want. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from math import isfinite
from typing import Any, cast

from ...exceptions import UserError
from ...settings import ModelSettings
from .engine import Sampling

__all__ = ('sampling_from',)

DEFAULT_TEMPERATURE = 1.0
"""What is meant where the caller asks for another choice than the likeliest, and says nothing of a temperature."""

RANGES: dict[str, tuple[Callable[[float], bool], str]] = {
    'temperature': (lambda value: value >= 0, '0 or more'),
    'top_p': (lambda value: 0 < value <= 1, 'above 0, and 1 at most'),
    'min_p': (lambda value: 0 <= value <= 1, 'from 0 to 1'),
    'top_k': (
        lambda value: value >= 0 and value == int(value),
        'a whole number: 0 to choose among all tokens, or more',
    ),
    'repetition_penalty': (lambda value: value > 0, 'above 0'),
    'presence_penalty': (lambda value: -10 <= value <= 10, 'from -10 to 10'),
    'frequency_penalty': (lambda value: -10 <= value <= 10, 'from -10 to 10'),
    'seed': (lambda value: value == int(value), 'a whole number'),
}
"""The values that each setting may have."""

MAKES_CHOICE = ('top_p', 'top_k', 'min_p')
"""What means nothing while the likeliest token is taken."""


def sampling_from(
    settings: ModelSettings, defaults: Sampling, *, prefix: str, vocabulary_size: int | None = None
) -> Sampling:
    """How tokens are chosen. Settings with the engine's `prefix` name what is not shared. Raises `UserError`."""
    said = _said(cast('Mapping[str, Any]', settings), prefix)
    if 'temperature' not in said and defaults.temperature == 0 and any(name in said for name in MAKES_CHOICE):
        said['temperature'] = DEFAULT_TEMPERATURE
    if vocabulary_size is not None and said.get('top_k', 0) > vocabulary_size:
        said['top_k'] = vocabulary_size
    if 'logit_bias' in settings:
        said['logit_bias'] = _logit_bias(settings['logit_bias'], vocabulary_size)
    return replace(defaults, **said)


def _said(settings: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for name, (is_fine, fitting) in RANGES.items():
        key = next((key for key in (f'{prefix}{name}', name) if key in settings), None)
        if key is None:
            continue
        value: Any = settings[key]
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value)
        if not (is_number and is_fine(value)):
            raise UserError(f'{key} is {value!r}: give {fitting}')
        said[name] = int(value) if name in ('top_k', 'seed') else float(value)
    return said


def _logit_bias(bias: Mapping[str, float], size: int | None) -> dict[int, float]:
    found: dict[int, float] = {}
    for token, value in bias.items():
        try:
            number = int(token)
        except (TypeError, ValueError):
            raise UserError(f'logit_bias names the token {token!r}: give token ids, as text') from None
        if number < 0 or (size is not None and number >= size):
            raise UserError(f'logit_bias names the token {token!r}, and the vocabulary has {size}')
        found[number] = float(value)
    return found
