"""One forward pass of a transformers model, with its cache. No other module calls the model or changes a cache.

`read_prompts` and `read_piece` read prompts, `next_logits` continues the rows of a batch by one token each. The rest
builds the tensors and changes the caches that these need.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from contextlib import AbstractContextManager
from copy import copy
from typing import Any

from ..local import Prompt
from .adapters import ActiveAdapter
from .caches import Extras, StateCache, TokensCache
from .growing import make_growing_layer
from .library import import_torch, import_transformers
from .prompts import extend_prompt, has_value_per_token
from .rope import RopeLengths

__all__ = ('Forward',)

Tensor = Any

MERGEABLE_LAYERS = ('full_attention', 'sliding_attention', 'chunked_attention')
"""The layer types whose cache is one key and one value per token."""


class Forward:
    """Calls a model, with a cache that grows. Use it in the engine's thread, inside `without_gradients`."""

    def __init__(
        self, model: Any, adapters: ActiveAdapter | None = None, *, can_merge: bool = True, rereads: bool = False
    ) -> None:
        """`can_merge=False` gives each row a batch of its own; with `rereads`, each pass reads all of its tokens."""
        self._adapters = adapters
        self._torch = import_torch()
        self._cache_class: Any = import_transformers().DynamicCache
        self._plain_layer_class: Any = import_transformers().DynamicLayer
        self._layer_class: Any = make_growing_layer()
        self._model = model
        self._device = model.device
        self.weights_type: str = f'{model.dtype}'.removeprefix('torch.')
        self._config = model.config.get_text_config()
        parameters = inspect.signature(model.forward).parameters
        self._takes_positions = 'position_ids' in parameters
        # Models whose state is not keys and values call it `cache`: `MambaForCausalLM.forward`, transformers 5.24.
        self._cache_name = 'cache' if 'cache' in parameters else 'past_key_values'
        # RWKV takes and returns its state in `state`, and has no cache (`RwkvForCausalLM.forward`, transformers 5.24).
        self._has_state = 'state' in parameters and not parameters.keys() & {'cache', 'past_key_values'}
        # RecurrentGemma keeps its state in buffers, and resets them before prompts of 2 or more tokens only
        # (`RecurrentGemmaModel.forward`, transformers 5.24).
        self._reset_buffers = getattr(getattr(model, 'model', None), '_setup_cache', None)
        self._last_only = {'logits_to_keep': 1} if 'logits_to_keep' in parameters else {}
        self._delta_owner = next(
            (part for part in (model, getattr(model, 'model', None)) if hasattr(part, 'rope_deltas')), None
        )
        layer_types = getattr(self._config, 'layer_types', None) or ()
        # True for Mamba, Jamba, RWKV, RecurrentGemma and others, whose state cannot be padded or cut by tokens.
        is_stateful = bool(getattr(model, '_is_stateful', False))
        is_mergeable = all(kind in MERGEABLE_LAYERS for kind in layer_types)
        has_keys_only = is_mergeable and not is_stateful and not self._has_state and self._delta_owner is None
        self._rereads = rereads
        self.can_merge: bool = has_keys_only and can_merge and not rereads
        """True if rows of different requests can share a batch."""
        self.rope: RopeLengths = RopeLengths(model)
        """The lengths of rows that cannot share a batch with shorter ones."""

    def without_gradients(self) -> AbstractContextManager[Any]:
        """Return the context in which all other methods are called."""
        context: AbstractContextManager[Any] = self._torch.inference_mode()
        return context

    def use_adapter(self, name: str | None) -> None:
        """Make the next forward passes use an adapter; `None`: the model as it was loaded."""
        if self._adapters is not None:
            self._adapters.activate(name)

    def new_cache(self) -> Any:
        if self._rereads:
            return TokensCache()
        if self._has_state:
            return StateCache()
        # With a config, layers with a sliding window drop old tokens (`DynamicSlidingWindowLayer` in cache_utils.py,
        # transformers 5.24), and rows of different lengths could not be merged. Without, every token is kept.
        if not self.can_merge:
            return self._cache_class(config=self._config)
        cache = self._cache_class()
        cache.layer_class_to_replicate = self._layer_class
        return cache

    # forward passes

    def read_prompts(self, prompts: Sequence[Prompt], past: Sequence[Tensor] = ()) -> tuple[Tensor, Any, Extras | None]:
        """Read prompts in one pass. Return the logits [prompts, vocabulary], their cache, and the extras of the row.

        `past` are the keys and values of their first tokens, for `fill_cache`: then only the others are read.
        """
        if len(prompts) == 1 and not past:
            return self._read_prompt(prompts[0], self.new_cache())
        cache = self.fill_cache(past)
        lengths = [len(prompt.tokens) for prompt in prompts]
        width, begin = max(lengths), past[0].shape[-2] if past else 0
        padded = [[0] * (width - len(prompt.tokens)) + [*prompt.tokens] for prompt in prompts]
        mask = self.make_mask(lengths)
        positions = (mask.cumsum(dim=1) - 1).clamp(min=0)[:, begin:]
        tokens = self.tensor([row[begin:] for row in padded])
        return self._call(tokens, cache, positions, mask if len(set(lengths)) > 1 else None), cache, None

    def _read_prompt(self, prompt: Prompt, cache: Any) -> tuple[Tensor, Any, Extras | None]:
        tokens = self.tensor([list(prompt.tokens)])
        if self._reset_buffers is not None:
            self._reset_buffers(self._config, 1, self._device, self._model.dtype)
        if self._delta_owner is not None:
            self._delta_owner.rope_deltas = None
        if self._rereads:
            cache.prompt = prompt
            return self.read_whole(prompt), cache, None
        inputs = {name: self._move_to_device(value) for name, value in prompt.inputs.items()}
        has_own_positions = bool(inputs) or self._delta_owner is not None
        positions = None if has_own_positions else self._make_positions(0, len(prompt.tokens))
        logits = self._call(tokens, cache, positions, None, **inputs)
        delta = None if self._delta_owner is None else self._delta_owner.rope_deltas
        needs_inputs = bool(inputs) and bool(self._find_inputs_of_last_token(extend_prompt(prompt, [0]), cache))
        has_extras = needs_inputs or self._delta_owner is not None
        return logits, cache, Extras(delta, prompt if needs_inputs else None) if has_extras else None

    def _find_inputs_of_last_token(self, prompt: Prompt, cache: Any) -> dict[str, Any]:
        """Return the inputs that have a value for each token, and that `generate` passes for a new token as well."""
        length = len(prompt.tokens)
        names = [name for name, value in prompt.inputs.items() if has_value_per_token(value, length)]
        prepare = getattr(self._model, 'prepare_inputs_for_generation', None)
        if not names or prepare is None:
            return {}
        inputs = {name: self._move_to_device(prompt.inputs[name]) for name in names}
        options: dict[str, Any] = {'next_sequence_length': 1, 'use_cache': True, self._cache_name: cache}
        prepared = prepare(self.tensor([list(prompt.tokens)]), **options, **inputs)
        return {name: prepared[name] for name in names if prepared.get(name) is not None}

    def read_piece(self, tokens: Sequence[int], cache: Any, begin: int) -> Tensor:
        """Read the piece of a prompt that begins at position `begin`. Return the logits [1, vocabulary] after it."""
        if self._rereads:
            return self._read_again(cache, tokens)
        positions = self._make_positions(begin, len(tokens))
        return self._call(self.tensor([list(tokens)]), cache, positions, None)

    def next_logits(
        self, tokens: Tensor, positions: Tensor, cache: Any, mask: Tensor | None, extras: Extras | None
    ) -> Tensor:
        """Read the newest token of each row. Return the logits [rows, vocabulary] of the next ones."""
        if self._rereads:
            return self._read_again(cache, tokens.tolist())
        inputs: dict[str, Any] = {}
        if extras is not None and extras.prompt is not None:
            extras.prompt = extend_prompt(extras.prompt, tokens.tolist())
            inputs = self._find_inputs_of_last_token(extras.prompt, cache)
        if extras is not None and self._delta_owner is not None:
            self._delta_owner.rope_deltas = extras.delta
            return self._call(tokens.unsqueeze(-1), cache, None, mask, **inputs)
        return self._call(tokens.unsqueeze(-1), cache, positions.unsqueeze(-1), mask, **inputs)

    def read_whole(self, prompt: Prompt) -> Tensor:
        """Read a prompt without a cache. Return the logits [1, vocabulary] after it."""
        inputs = {name: self._move_to_device(value) for name, value in prompt.inputs.items()}
        if self._takes_positions and not inputs and self._delta_owner is None:
            inputs['position_ids'] = self._make_positions(0, len(prompt.tokens))  # as `generate` does
        tokens = self.tensor([list(prompt.tokens)])
        self.rope.forget_lengths()
        return self._model(input_ids=tokens, use_cache=False, **self._last_only, **inputs).logits[:, -1].float()

    def generate(self, tokens: Sequence[int]) -> tuple[Tensor, int]:
        """Generate two tokens by the library. Return the logits [1, vocabulary] of the second, and the first."""
        config = import_transformers().GenerationConfig(max_new_tokens=2, min_new_tokens=2, pad_token_id=0)
        config.output_logits = config.return_dict_in_generate = True
        ids = self.tensor([list(tokens)])
        self.rope.forget_lengths()
        if self._delta_owner is not None:
            self._delta_owner.rope_deltas = None
        # The values of the model's own configuration are merged into the one that is given.
        own, self._model.generation_config = self._model.generation_config, config
        try:
            output = self._model.generate(ids, attention_mask=self._torch.ones_like(ids))
        finally:
            self._model.generation_config = own
        return output.logits[1].float(), int(output.sequences[0, len(tokens)])

    def _read_again(self, cache: Any, tokens: Sequence[int]) -> Tensor:
        cache.prompt = extend_prompt(cache.prompt, tokens)
        return self.read_whole(cache.prompt)

    def _call(self, tokens: Tensor, cache: Any, positions: Tensor | None, mask: Tensor | None, **inputs: Any) -> Tensor:
        if positions is not None and self._takes_positions:
            inputs['position_ids'] = positions
        inputs[self._cache_name] = cache
        if self._has_state:
            inputs = {'state': cache.state}
        self.rope.forget_lengths()
        output = self._model(input_ids=tokens, attention_mask=mask, use_cache=True, **self._last_only, **inputs)
        if self._has_state:
            cache.state = output.state
        return output.logits[:, -1].float()

    # tensors

    def tensor(self, values: Any) -> Tensor:
        """Return a tensor of integers on the model's device."""
        return self._torch.tensor(values, device=self._device, dtype=self._torch.long)

    def make_mask(self, lengths: Sequence[int]) -> Tensor:
        """Return the attention mask of rows with these lengths, padded on the left."""
        width = max(lengths)
        return self.tensor([[0] * (width - length) + [1] * length for length in lengths])

    def extend_mask(self, mask: Tensor) -> Tensor:
        """Return the mask with one more token in every row."""
        return self._torch.cat([mask, mask.new_ones(mask.shape[0], 1)], dim=1)

    def pad_mask(self, mask: Tensor, width: int) -> Tensor:
        """Return the mask padded on the left to `width` columns."""
        return self._torch.nn.functional.pad(mask, (width - mask.shape[1], 0))

    def concatenate(self, tensors: Sequence[Tensor]) -> Tensor:
        return self._torch.cat(list(tensors), dim=0)

    def _make_positions(self, begin: int, count: int) -> Tensor:
        return self._torch.arange(begin, begin + count, device=self._device).unsqueeze(0)

    def _move_to_device(self, value: Any) -> Any:
        if not hasattr(value, 'to'):
            return value
        value = value.to(self._device)
        return value.to(self._model.dtype) if value.is_floating_point() else value

    # caches

    def list_cache(self, cache: Any) -> list[Tensor] | None:
        """Return the keys and the values of each layer, or `None` if the cache holds anything else.

        Their shape is [rows, heads, columns, head size], with the same number of columns in all of them.
        """
        layers = getattr(cache, 'layers', ())
        plain = (self._layer_class, self._plain_layer_class)
        if not layers or any(type(layer) not in plain or layer.keys is None for layer in layers):
            return None
        tensors = [tensor for layer in layers for tensor in (layer.keys, layer.values)]
        columns = {tensor.shape[-2] if tensor.dim() == 4 else 0 for tensor in tensors}
        return tensors if len(columns) == 1 and columns != {0} else None

    def fill_cache(self, past: Sequence[Tensor]) -> Any:
        """Return a new cache with these keys and values, which are those of `list_cache`."""
        cache = self.new_cache()
        for number, (keys, values) in enumerate(zip(past[::2], past[1::2], strict=True)):
            if number == len(cache.layers):
                cache.layers.append(self._layer_class())
            layer = cache.layers[number]
            layer.lazy_initialization(keys, values)
            layer.keys, layer.values = keys, values
        return cache

    def copy_cache(self, cache: Any) -> Any:
        """Return a cache with the same keys and values, whose rows can be dropped by themselves."""
        copied = copy(cache)
        copied.layers = [copy(layer) for layer in cache.layers]
        return copied

    def keep_cache_rows(self, cache: Any, rows: Tensor, width: int) -> None:
        """Keep these rows of a cache, and of each row the last `width` columns."""
        for layer in cache.layers:
            if layer.keys is not None and layer.keys.numel():
                layer.keep_rows(rows, width)

    def append_cache_rows(self, cache: Any, other: Any) -> None:
        """Append the rows of `other` to `cache`, and pad the shorter of the two on the left."""
        for layer, added in zip(cache.layers, other.layers, strict=True):
            layer.append_rows(added)
