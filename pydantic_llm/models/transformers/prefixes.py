"""The prefix cache of one model: blocks of a `DynamicCache`, for the rows of padded batches. Start at `Prefixes`.

A prompt is saved once it is read, and again with its response when the row leaves. All prompts of a group read equally
many tokens: one with a longer prefix reads some tokens of it again instead of padding, so that its keys and values have
no gap, which some models would take for tokens (the relative positions of MPT).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import partial
from typing import Any

from ..local.failures import is_out_of_memory
from ..local.memory import MEMORY_SHARE, find_memory_bytes
from ..local.prefix_cache import BLOCK_TOKENS, Prefix, PrefixCache
from .forward import Forward
from .library import import_torch
from .rows import Row

__all__ = ('Prefixes', 'find_cache_bytes')

Tensor = Any
Block = tuple[Tensor, ...]
"""The keys and values of some tokens, as `_Layout` joins them: a tensor [heads, tokens, head size] for each group."""


class Prefixes:
    """Saves and restores the keys and values of rows. Without a `cache`, nothing is saved."""

    def __init__(self, forward: Forward, cache: PrefixCache | None) -> None:
        self._torch = import_torch()
        self._forward = forward
        self._cache = cache if cache is not None and cache.max_bytes else None
        self._layout: _Layout | None = None

    def find(self, row: Row, key: Hashable) -> None:
        """Set the known prefix of a row. `key` is that of its batch: rows with another one have other values."""
        if self._cache is not None and self._can_share(row):
            row.prefix = self._cache.find(row.prompt.tokens, key)

    def _can_share(self, row: Row) -> bool:
        """Return whether equal tokens of another row with the same key have equal keys and values.

        Different images have the same tokens in a prompt, and a row may have crossed the limit of its frequencies.
        """
        rope = self._forward.rope
        has_one_rope = not rope.is_long(row.length) or (rope.long_rows_share and rope.reads_again)
        return has_one_rope and not row.prompt.inputs

    def should_wait(self, row: Row, group: Sequence[Row]) -> bool:
        """Return whether a row of this group is about to read a block that this row needs too.

        A row waits for each block once, in case that the cache has no room for it.
        """
        key = row.prefix.next_key
        if key is None or key == row.awaited or all(other.prefix.next_key != key for other in group):
            return False
        row.awaited = key
        return True

    def restore(self, rows: Sequence[Row]) -> tuple[list[Tensor], int]:
        """Return the keys and values that these rows need not read, and their number of tokens in the longest row.

        They are in the order of `Forward.list_cache`, padded on the left; none if all prompts must be read whole.
        """
        lengths = [len(row.prompt.tokens) for row in rows]
        unread = max(row.unread_tokens for row in rows)
        counts = [max(0, length - unread) for length in lengths]
        width = max(counts)
        blocks = [self._join(row.prefix, count, width) for row, count in zip(rows, counts, strict=True)]
        for row, count in zip(rows, counts, strict=True):
            row.prefix = Prefix()
            if not row.resumed_tokens:
                row.job.cached_tokens = count
        if not width or self._layout is None:
            return [], 0
        empty = next(tuple(tensor * 0 for tensor in block) for block in blocks if block)
        stacked = [self._torch.stack(tensors) for tensors in zip(*(block or empty for block in blocks), strict=True)]
        return self._layout.split(stacked), width

    def _join(self, prefix: Prefix, count: int, width: int) -> Block:
        """Return the first `count` tokens of a prefix, padded on the left to `width`; nothing if there is no token."""
        blocks = prefix.blocks[: -(-count // BLOCK_TOKENS)]
        joined = [self._torch.cat(tensors, dim=1)[:, :count] for tensors in zip(*blocks, strict=True)]
        pad = self._torch.nn.functional.pad
        return tuple(tensor if count == width else pad(tensor, (0, 0, width - count, 0)) for tensor in joined)

    def save(self, rows: Sequence[Row | None], cache: Any, counts: Sequence[int], key: Hashable) -> None:
        """Save rows of a cache. `counts` are the tokens that it holds of each, and `None` is a row to skip.

        `key` is that of the batch in which they were computed. If memory runs out, all blocks are dropped instead. The
        values of a row that failed may be broken: it is skipped.
        """
        tensors = None if self._cache is None else self._forward.list_cache(cache)
        if self._cache is None or tensors is None:
            return
        self._layout = layout = self._layout or _Layout(tensors)
        try:
            for number, (row, count) in enumerate(zip(rows, counts, strict=True)):
                if row is not None and row.job.error is None and self._can_share(row):
                    tokens = [*row.prompt.tokens, *row.tokens[row.resumed_tokens :]][:count]
                    copy = partial(layout.copy, tensors, number, tensors[0].shape[-2] - count)
                    self._cache.add(tokens, layout.block_bytes, copy, key)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            self._cache.shrink()


def find_cache_bytes(model: Any) -> int:
    """Return the size of the cache for a model that is loaded: a share of the memory of its device."""
    torch = import_torch()
    if model.device.type == 'cuda':
        free, _ = torch.cuda.mem_get_info(model.device)
        return int(free * MEMORY_SHARE)
    return int(find_memory_bytes() * MEMORY_SHARE)


class _Layout:
    """Joins the keys and values of all layers to few tensors: those with the same head size, type and device."""

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self._torch = import_torch()
        self._heads = [tensor.shape[1] for tensor in tensors]
        groups: dict[Hashable, list[int]] = {}
        for number, tensor in enumerate(tensors):
            groups.setdefault((tensor.shape[-1], tensor.dtype, tensor.device), []).append(number)
        self._groups = [*groups.values()]
        self.block_bytes = sum(
            tensor.shape[1] * BLOCK_TOKENS * tensor.shape[-1] * tensor.element_size() for tensor in tensors
        )

    def copy(self, tensors: Sequence[Tensor], row: int, padding: int, begin: int, end: int) -> list[Block]:
        """Return copies of the blocks between two tokens of a row with this number of columns of padding."""
        joined = [
            self._torch.cat([tensors[number][row, :, padding + begin : padding + end] for number in group])
            for group in self._groups
        ]
        # Each block is cloned, as a view of the joined tensor would keep all of it in memory.
        split = [[block.clone() for block in tensor.split(BLOCK_TOKENS, dim=1)] for tensor in joined]
        return [*zip(*split, strict=True)]

    def split(self, joined: Sequence[Tensor]) -> list[Tensor]:
        """Return the keys and values of each layer. The shape of `joined` is [rows, heads, tokens, head size]."""
        tensors: dict[int, Tensor] = {}
        for group, tensor in zip(self._groups, joined, strict=True):
            tensors |= zip(group, tensor.split([self._heads[number] for number in group], dim=1), strict=True)
        return [tensors[number] for number in sorted(tensors)]
