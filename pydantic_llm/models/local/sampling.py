"""Encode settings as `Sampling`: the settings of the request override the defaults of the model. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import isfinite
from typing import Any, cast

from ...exceptions import ContextLengthError, UserError
from ...settings import ModelSettings
from .. import Model
from .engine import Sampling
from .ranges import RANGES, is_in_range

__all__ = ('MIN_TEMPERATURE', 'get_stop_sequences', 'resolve_max_tokens', 'sampling_from')

DEFAULT_TEMPERATURE = 1.0
"""The temperature if the model has none and the request has a setting of `NEEDS_TEMPERATURE` only."""

MIN_TEMPERATURE = 1e-5
"""Below this temperature, numbers overflow; the token drawn is the likeliest one anyway."""

MAX_BIAS = 1e4
"""The largest bias of a token. It excludes or chooses the token as a larger one, which overflows 16 bits."""

NEEDS_TEMPERATURE = ('top_p', 'top_k', 'min_p')
"""The settings without effect at temperature 0, which always chooses the most likely token."""


def sampling_from(
    settings: ModelSettings, defaults: Sampling, *, prefix: str, vocabulary_size: int | None = None
) -> Sampling:
    """Return the sampling parameters of a request. Settings that are not shared begin with the engine's `prefix`.

    Raises `UserError` for a value that is not in its range.
    """
    changes = _encode_numbers(cast('Mapping[str, Any]', settings), prefix)
    if 'temperature' not in changes and defaults.temperature == 0 and not changes.keys().isdisjoint(NEEDS_TEMPERATURE):
        changes['temperature'] = DEFAULT_TEMPERATURE
    if vocabulary_size is not None and changes.get('top_k', 0) > vocabulary_size:
        changes['top_k'] = vocabulary_size
    if 'logit_bias' in settings:
        changes['logit_bias'] = _encode_logit_bias(settings['logit_bias'], vocabulary_size)
    return replace(defaults, **changes)


def _encode_numbers(settings: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    numbers: dict[str, Any] = {}
    for name, (_, requirement) in RANGES.items():
        key = next((key for key in (f'{prefix}{name}', name) if key in settings), None)
        if key is None:
            continue
        value: Any = settings[key]
        if not is_in_range(name, value):
            raise UserError(f'{key} is {value!r}: give {requirement}')
        numbers[name] = int(value) if name in ('top_k', 'seed') else float(value)
    return numbers


def _encode_logit_bias(bias: Mapping[str, float], size: int | None) -> dict[int, float]:
    by_id: dict[int, float] = {}
    for token, value in bias.items():
        try:
            number = int(token)
        except (TypeError, ValueError):
            raise UserError(f'logit_bias names the token {token!r}: give token ids, as text') from None
        if number < 0 or (size is not None and number >= size):
            raise UserError(f'logit_bias names the token {token!r}, and the vocabulary has {size}')
        if not isinstance(cast('object', value), int | float) or not isfinite(value):
            raise UserError(f'logit_bias gives the token {token} the bias {value!r}: give a finite number')
        by_id[number] = max(-MAX_BIAS, min(MAX_BIAS, float(value)))
    return by_id


def get_stop_sequences(settings: ModelSettings) -> Sequence[str]:
    """Return the stop sequences. Raises `UserError` if they are invalid."""
    sequences = settings.get('stop_sequences', ())
    if isinstance(sequences, str) or not all(isinstance(cast('object', item), str) for item in sequences):
        raise UserError(f'stop_sequences is {sequences!r}: give a list of texts')
    if not all(sequences):
        raise UserError('stop_sequences holds an empty text, which ends every response at once')
    return sequences


def resolve_max_tokens(max_tokens: object, prompt_tokens: int, context_length: int | None, *, model: Model) -> int:
    """Return `max_tokens`, limited by the rest of the context. Raises `ContextLengthError` if there is no rest."""
    if isinstance(max_tokens, bool) or not isinstance(max_tokens, int) or max_tokens < 1:
        raise UserError(f'max_tokens is {max_tokens!r}: give a whole number, 1 or more')
    if context_length is None:
        return max_tokens
    rest = context_length - prompt_tokens
    if rest < 1:
        message = f'The conversation has {prompt_tokens} tokens, and {model.model_name} reads {context_length} at most'
        raise ContextLengthError(400, model.model_name, message=message, provider_name=model.system, retryable=False)
    return min(max_tokens, rest)
