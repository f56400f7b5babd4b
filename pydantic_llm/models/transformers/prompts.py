"""Extend a prompt by tokens that were generated, to read it again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..local import Prompt
from .library import import_torch

__all__ = ('extend_prompt', 'has_value_per_token')


def extend_prompt(prompt: Prompt, tokens: Sequence[int]) -> Prompt:
    """Return the prompt with these tokens after it."""
    if not tokens:
        return prompt
    inputs = {name: _extend_input(value, len(prompt.tokens), len(tokens)) for name, value in prompt.inputs.items()}
    return Prompt([*prompt.tokens, *tokens], inputs)


def _extend_input(value: Any, length: int, count: int) -> Any:
    """Return an input of the model for `count` more tokens: one that has a value per token repeats its last one.

    Such are `token_type_ids` and the `cross_attention_mask` of Mllama, which `generate` extends in the same way
    (`_update_model_kwargs_for_generation` in generation/utils.py and models/mllama/modeling_mllama.py, 5.24).
    """
    if not has_value_per_token(value, length):
        return value
    last = value[:, -1:]
    return import_torch().cat([value, last.expand(1, count, *last.shape[2:])], dim=1)


def has_value_per_token(value: Any, length: int) -> bool:
    """Return whether an input of the model for a prompt of this length has a value for each token."""
    return tuple(getattr(value, 'shape', ()))[:2] == (1, length)
