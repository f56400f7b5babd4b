"""Rotary frequencies that depend on the longest row of a forward pass: which rows may share one, and when one moves.

The types of `rope_parameters` with such frequencies are those of `dynamic_rope_update` in modeling_rope_utils.py
(transformers 5.24). Up to a limit, all lengths have the same frequencies. Above it, `longrope` (Phi-3, Phi-4) has one
other set, and `dynamic` (NTK) another one for each length.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from .library import import_transformers

__all__ = ('RopeLengths', 'find_context_factor')

LONGROPE, DYNAMIC = 'longrope', 'dynamic'


class RopeLengths:
    """The lengths, in tokens, at which a model changes its rotary frequencies."""

    def __init__(self, model: Any) -> None:
        config = model.config.get_text_config()
        limits = _find_limits(config)
        self.limit: int | None = min((limit for _, limit in limits), default=None)
        """The longest length with the frequencies of short rows; `None` if all lengths have the same."""
        self.long_rows_share: bool = all(kind != DYNAMIC for kind, _ in limits)
        """True if all rows above the limit have the same frequencies."""
        # `generate` reads a row again from its first token when it crosses the limit of Phi-3, PhiMoE and Phi-4
        # (`Phi3ForCausalLM.prepare_inputs_for_generation` in models/phi3/modeling_phi3.py, transformers 5.24), and
        # keeps what other models have read.
        prepare: Any = getattr(getattr(model, 'prepare_inputs_for_generation', None), '__func__', None)
        has_own = prepare is not import_transformers().GenerationMixin.prepare_inputs_for_generation
        self.reads_again: bool = has_own and hasattr(config, 'original_max_position_embeddings')
        """True if a row that crosses the limit is read again from its first token."""
        self._growing = [] if self.long_rows_share else [one for one in model.modules() if _is_growing(one)]

    def is_long(self, length: int) -> bool:
        return self.limit is not None and length > self.limit

    def forget_lengths(self) -> None:
        """Make the next forward pass compute the frequencies from its own rows.

        The library keeps those of the longest row so far (`dynamic_frequency_update` in modeling_rope_utils.py).
        """
        for module in self._growing:
            module.inv_freq = module.original_inv_freq.to(module.inv_freq.device)
            module.max_seq_len_cached = module.original_max_seq_len


def find_context_factor(config: Any) -> float:
    """Return how many times longer a conversation can be than the configuration says: more than 1 for `dynamic`."""
    factors = [one.get('factor') or 1.0 for one in _list_parameters(config) if one.get('rope_type') == DYNAMIC]
    return max([1.0, *factors])


def _find_limits(config: Any) -> list[tuple[str, int]]:
    """Return the type and the limit of each set of parameters whose frequencies depend on the length."""
    limits: list[tuple[str, int]] = []
    for parameters in _list_parameters(config):
        match parameters:
            case {'rope_type': 'longrope', 'original_max_position_embeddings': int() as limit}:
                limits.append((LONGROPE, limit))
            case {'rope_type': 'dynamic'}:
                limits.append((DYNAMIC, int(config.max_position_embeddings)))
            case _:
                pass
    return limits


def _list_parameters(config: Any) -> Sequence[Mapping[str, Any]]:
    """Return the parameters of all layers, or those of each type of layer."""
    parameters: Any = getattr(config, 'rope_parameters', None)
    if not isinstance(parameters, Mapping):
        return ()
    parameters = cast('Mapping[str, Any]', parameters)
    sets = [parameters] if 'rope_type' in parameters else [*parameters.values()]
    return cast('Sequence[Mapping[str, Any]]', [one for one in sets if isinstance(one, Mapping)])


def _is_growing(module: Any) -> bool:
    return getattr(module, 'rope_type', None) == DYNAMIC and hasattr(module, 'original_inv_freq')
