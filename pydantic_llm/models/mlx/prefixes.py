"""The prefix cache of one model: blocks of mlx-lm's `KVCache`, from which prompts and responses continue."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import partial
from typing import Any

from ..local.prefix_cache import BLOCK_TOKENS, Prefix, PrefixCache
from .library import import_mlx, import_mlx_lm

__all__ = ('Prefixes',)

Array = Any
Block = tuple[Array, ...]
"""The keys and the values of each layer, with the shape [1, heads, tokens, head size]."""


class Prefixes:
    """Saves and restores the caches of responses. Without a `cache`, nothing is saved."""

    def __init__(self, model: Any, cache: PrefixCache | None) -> None:
        library = import_mlx_lm('models.cache')
        self._cache_class: Any = library.KVCache
        is_plain = all(type(layer) is library.KVCache for layer in library.make_prompt_cache(model))
        self._cache = cache if cache is not None and cache.max_bytes and is_plain else None

    @property
    def are_kept(self) -> bool:
        return self._cache is not None

    def find(self, tokens: Sequence[int], adapter: str | None) -> Prefix:
        """Return the longest known prefix of a prompt."""
        return Prefix() if self._cache is None else self._cache.find(tokens, adapter)

    def restore(self, prefix: Prefix) -> list[Any] | None:
        """Return the layers of a cache that holds a prefix; `None` if it has no token."""
        if not prefix.blocks:
            return None
        mx = import_mlx()
        arrays = [mx.concatenate(parts, axis=2) for parts in zip(*prefix.blocks, strict=True)]
        layers: list[Any] = []
        for keys, values in zip(arrays[::2], arrays[1::2], strict=True):
            layer = self._cache_class()
            layer.keys, layer.values, layer.offset = keys, values, len(prefix)
            layers.append(layer)
        return layers

    def save(self, tokens: Sequence[int], layers: Sequence[Any], adapter: Hashable) -> None:
        """Save the keys and values of these tokens."""
        if self._cache is None or any(layer.keys is None for layer in layers):
            return
        arrays = [array for layer in layers for array in (layer.keys, layer.values)]
        count = min(len(tokens), *(layer.offset for layer in layers))
        sizes = (array.shape[1] * array.shape[3] * array.itemsize for array in arrays)
        self._cache.add([*tokens[:count]], sum(sizes) * BLOCK_TOKENS, partial(_copy, arrays), adapter)


def _copy(arrays: Sequence[Array], begin: int, end: int) -> list[Block]:
    """Return copies of the blocks between two tokens. A slice alone would keep the whole array in memory."""
    mx = import_mlx()
    blocks = [
        tuple(mx.contiguous(array[:, :, place : place + BLOCK_TOKENS]) + 0 for array in arrays)
        for place in range(begin, end, BLOCK_TOKENS)
    ]
    mx.eval(blocks)
    return blocks
