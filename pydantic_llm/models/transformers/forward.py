"""One forward pass of a model of Transformers', and its cache: the only calls of the model itself."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

from ..local import Prompt
from .library import import_torch, import_transformers

__all__ = ('Forward',)

Tensor = Any

MERGED = ('full_attention', 'sliding_attention', 'chunked_attention')
"""The kinds of layers whose cache is keys and values, one for each token."""


class Forward:
    """Calls a model, with a cache that grows; in the engine's thread, inside `without_gradients`."""

    def __init__(self, model: Any) -> None:
        self._torch = import_torch()
        self._cache_class: Any = import_transformers().DynamicCache
        self._model = model
        self._device = model.device
        self._config = model.config.get_text_config()
        takes = inspect.signature(model.forward).parameters
        self._takes_positions = 'position_ids' in takes
        self._cache_name = 'cache' if 'cache' in takes else 'past_key_values'
        self._last_only = {'logits_to_keep': 1} if 'logits_to_keep' in takes else {}
        self._inner = next(
            (part for part in (model, getattr(model, 'model', None)) if hasattr(part, 'rope_deltas')), None
        )
        kinds = getattr(self._config, 'layer_types', None) or ()
        stateful = bool(getattr(model, '_is_stateful', False))
        self.can_merge = not stateful and self._inner is None and all(kind in MERGED for kind in kinds)
        """Whether answers can be written together."""

    def without_gradients(self) -> AbstractContextManager[Any]:
        """What everything here runs in."""
        context: AbstractContextManager[Any] = self._torch.inference_mode()
        return context

    def new_cache(self) -> Any:
        """An empty cache. Caches that are put beside others keep every token, also beyond a sliding window."""
        return self._cache_class() if self.can_merge else self._cache_class(config=self._config)

    # passes

    def read(self, prompts: Sequence[Prompt]) -> tuple[Tensor, Any, Any]:
        """Read prompts at once: the logits after each, their cache, and what images add to positions."""
        cache = self.new_cache()
        if len(prompts) == 1:
            return self._read_one(prompts[0], cache)
        lengths = [len(prompt.tokens) for prompt in prompts]
        width = max(lengths)
        padded = [[0] * (width - len(prompt.tokens)) + [*prompt.tokens] for prompt in prompts]
        mask = self.mask(lengths)
        positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
        logits = self._call(self.tensor(padded), cache, positions, mask if len(set(lengths)) > 1 else None)
        return logits, cache, None

    def _read_one(self, prompt: Prompt, cache: Any) -> tuple[Tensor, Any, Any]:
        tokens = self.tensor([list(prompt.tokens)])
        if self._inner is not None:
            self._inner.rope_deltas = None
        inputs = {name: self._on_device(value) for name, value in prompt.inputs.items()}
        positions = None if inputs or self._inner is not None else self._places(0, len(prompt.tokens))
        logits = self._call(tokens, cache, positions, None, **inputs)
        return logits, cache, None if self._inner is None else _Deltas(self._inner.rope_deltas)

    def read_piece(self, tokens: Sequence[int], cache: Any, begin: int) -> Tensor:
        """Read a piece of a prompt that begins at this place: the logits after it."""
        positions = self._places(begin, len(tokens))
        return self._call(self.tensor([list(tokens)]), cache, positions, None)

    def write(self, tokens: Tensor, positions: Tensor, cache: Any, mask: Tensor | None, deltas: Any) -> Tensor:
        """Go on from the newest token of each row: the logits of the next ones."""
        if deltas is not None and self._inner is not None:
            self._inner.rope_deltas = deltas.value
            return self._call(tokens.unsqueeze(-1), cache, None, mask)
        return self._call(tokens.unsqueeze(-1), cache, positions.unsqueeze(-1), mask)

    def _call(self, tokens: Tensor, cache: Any, positions: Tensor | None, mask: Tensor | None, **inputs: Any) -> Tensor:
        if positions is not None and self._takes_positions:
            inputs['position_ids'] = positions
        output = self._model(
            input_ids=tokens,
            attention_mask=mask,
            use_cache=True,
            **{self._cache_name: cache},
            **self._last_only,
            **inputs,
        )
        return output.logits[:, -1].float()

    # tensors

    def tensor(self, values: Any) -> Tensor:
        """Whole numbers on the model's device."""
        return self._torch.tensor(values, device=self._device, dtype=self._torch.long)

    def mask(self, lengths: Sequence[int]) -> Tensor:
        """1 for each token of rows with these lengths, aligned at the right."""
        width = max(lengths)
        return self.tensor([[0] * (width - length) + [1] * length for length in lengths])

    def longer(self, mask: Tensor) -> Tensor:
        """The mask with a token more in every row."""
        return self._torch.cat([mask, mask.new_ones(mask.shape[0], 1)], dim=1)

    def widened(self, mask: Tensor, width: int) -> Tensor:
        """The mask, padded on the left."""
        return self._torch.nn.functional.pad(mask, (width - mask.shape[1], 0))

    def stacked(self, tensors: Sequence[Tensor]) -> Tensor:
        """Rows below rows."""
        return self._torch.cat(list(tensors), dim=0)

    def _places(self, begin: int, count: int) -> Tensor:
        return self._torch.arange(begin, begin + count, device=self._device).unsqueeze(0)

    def _on_device(self, value: Any) -> Any:
        if not hasattr(value, 'to'):
            return value
        value = value.to(self._device)
        return value.to(self._model.dtype) if value.is_floating_point() else value

    # caches

    def select(self, cache: Any, rows: Tensor, width: int) -> None:
        """Keep these rows of a cache, and its last columns."""
        for layer in cache.layers:
            if layer.keys is not None and layer.keys.numel():
                layer.keys = layer.keys[rows, :, -min(width, layer.keys.shape[-2]) :]
                layer.values = layer.values[rows, :, -min(width, layer.values.shape[-2]) :]

    def join(self, cache: Any, other: Any) -> None:
        """Put the rows of another cache below those of this one, the shorter of the two padded on the left."""
        for layer, beside in zip(cache.layers, other.layers, strict=True):
            width = max(layer.keys.shape[-2], beside.keys.shape[-2])
            layer.keys = self._torch.cat([self._wide(layer.keys, width), self._wide(beside.keys, width)])
            layer.values = self._torch.cat([self._wide(layer.values, width), self._wide(beside.values, width)])

    def _wide(self, tensor: Tensor, width: int) -> Tensor:
        missing = width - tensor.shape[-2]
        return self._torch.nn.functional.pad(tensor, (0, 0, missing, 0)) if missing else tensor


class _Deltas:
    """What images add to the positions of what follows them, for one row."""

    __slots__ = ('value',)

    def __init__(self, value: Any) -> None:
        self.value = value
