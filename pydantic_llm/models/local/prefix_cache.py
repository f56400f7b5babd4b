"""`PrefixCache`: the keys and values of tokens, so that a prompt that begins with them reads only its rest.

Tokens are kept in blocks. A block is found by its own tokens and the block before it, so that equal blocks have equal
beginnings; they are compared token by token, as a hash alone could collide. If there is no room, the block that was
least recently used goes first, which is never one that others continue.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, TypeAlias

__all__ = ('BLOCK_TOKENS', 'Prefix', 'PrefixCache')

BLOCK_TOKENS = 16
"""The number of tokens in a block."""

Key: TypeAlias = tuple[Hashable, tuple[int, ...]]
"""The block before (the namespace for the first one), and the tokens of this one."""


@dataclass(frozen=True, slots=True)
class _Block:
    """The keys and values of `BLOCK_TOKENS` tokens."""

    name: int
    """A number that no other block of this cache ever has."""
    data: Any
    """The keys and values, as the engine keeps them."""


@dataclass(frozen=True, slots=True)
class Prefix:
    """The longest beginning of a prompt that the cache holds. It stays valid if the cache drops its blocks."""

    blocks: Sequence[Any] = ()
    """The data of each block, in order."""
    next_key: Key | None = field(default=None)
    """The block to be read next; `None` if the rest has no whole block. Equal for prompts that share this block."""

    def __len__(self) -> int:
        """Return the number of tokens."""
        return len(self.blocks) * BLOCK_TOKENS


class PrefixCache:
    """Blocks of tokens, up to `max_bytes`. Use it in one thread."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes: int = max_bytes
        self._blocks: OrderedDict[Key, _Block] = OrderedDict()
        """From the least to the most recently used; a block comes before the block that it continues."""
        self._block_bytes = 0
        self._names = count()

    @property
    def bytes(self) -> int:
        """The memory of all blocks."""
        return len(self._blocks) * self._block_bytes

    def find(self, tokens: Sequence[int], namespace: Hashable = None) -> Prefix:
        """Return the longest prefix of a prompt, without its last token, which must be read for the next one.

        Tokens are shared only within a `namespace`: an adapter, or whatever else changes keys and values.
        """
        keys = self._find_keys(tokens, len(tokens) - 1, namespace)
        blocks = [self._blocks[key] for key in keys]
        begin = len(blocks) * BLOCK_TOKENS
        has_next = begin + BLOCK_TOKENS < len(tokens)
        following = tuple(tokens[begin : begin + BLOCK_TOKENS]) if has_next else None
        last = blocks[-1].name if blocks else (namespace,)
        return Prefix([block.data for block in blocks], None if following is None else (last, following))

    def add(
        self,
        tokens: Sequence[int],
        block_bytes: int,
        copy: Callable[[int, int], Sequence[Any]],
        namespace: Hashable = None,
    ) -> None:
        """Add all whole blocks of these tokens. `copy(begin, end)` returns the data of the blocks between two tokens.

        Every block of a model has the same size, `block_bytes`.
        """
        self._block_bytes = block_bytes
        keys = self._find_keys(tokens, len(tokens), namespace)
        room = self.max_bytes // block_bytes
        missing = min(len(tokens) // BLOCK_TOKENS, room) - len(keys)
        if missing <= 0:
            return
        while len(self._blocks) > room - missing:
            self._blocks.popitem(last=False)
        begin = len(keys) * BLOCK_TOKENS
        before: Hashable = self._blocks[keys[-1]].name if keys else (namespace,)
        for number, data in enumerate(copy(begin, begin + missing * BLOCK_TOKENS)):
            place = begin + number * BLOCK_TOKENS
            key = (before, tuple(tokens[place : place + BLOCK_TOKENS]))
            self._blocks[key] = block = _Block(next(self._names), data)
            keys.append(key)
            before = block.name
        self._touch(keys)

    def clear(self) -> None:
        self._blocks.clear()

    def shrink(self) -> bool:
        """Drop all blocks, and keep half as many from now on. Return False if there was no block."""
        if not self._blocks:
            return False
        self.max_bytes = self.bytes // 2
        self._blocks.clear()
        return True

    def _find_keys(self, tokens: Sequence[int], end: int, namespace: Hashable) -> list[Key]:
        """Return the keys of the blocks with the first tokens, up to `end`, and mark them as used."""
        keys: list[Key] = []
        before: Hashable = (namespace,)
        for begin in range(0, end - BLOCK_TOKENS + 1, BLOCK_TOKENS):
            key = (before, tuple(tokens[begin : begin + BLOCK_TOKENS]))
            block = self._blocks.get(key)
            if block is None:
                break
            keys.append(key)
            before = block.name
        self._touch(keys)
        return keys

    def _touch(self, keys: Sequence[Key]) -> None:
        """Mark blocks as used, the first of the prompt last, so that it is dropped after those that continue it."""
        for key in reversed(keys):
            self._blocks.move_to_end(key)
