"""The sequences of a context: one per response, and those of ended responses, whose tokens later prompts can share.

llama.cpp keeps the memory of each token once, whatever the number of its sequences. So a new prompt that begins as
another sequence does shares the memory of these tokens (`llama_memory_seq_cp` in llama.h), and only the rest is read.
"""

from __future__ import annotations

from collections.abc import Sequence

from .handles import Context
from .library import import_llama_cpp

__all__ = ('Sequences', 'count_common')

BLOCK = 64
"""The number of tokens to compare at once."""

KEPT_SHARE = 4
"""Ended responses keep at most this part of the memory, 1 of 4: each of its tokens slows every later step a little."""


class Sequences:
    """Gives sequences to responses, and keeps the newest ones of ended responses until they are needed."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._free = [*range(context.sequences)]
        self._tokens: dict[int, list[int]] = {}
        """The tokens in the memory of each sequence that is not free."""
        self._adapters: dict[int, str | None] = {}
        """The adapter that each sequence was read with. Another one gives other keys and values for the same tokens."""
        self._kept: dict[int, None] = {}
        """The sequences of ended responses, the least recently used one first."""
        import_llama_cpp().llama_memory_clear(context.memory, True)  # noqa: FBT003 -- the library's signature

    def count_shared(self, tokens: Sequence[int], adapter: str | None) -> int:
        """Return how many tokens a prompt would share."""
        return self._find_source(tokens, adapter)[1]

    def take(self, tokens: Sequence[int], adapter: str | None) -> tuple[int, int]:
        """Return a sequence for a prompt, and the number of its tokens that are in the memory: not all of them."""
        source, shared = self._find_source(tokens, adapter)
        if source in self._kept and 2 * shared >= len(self._tokens[source]):  # not only the header of the template
            self._kept[source] = self._kept.pop(source)
        if not self._free:
            self.drop_kept()
        sequence = self._free.pop()
        self._tokens[sequence], self._adapters[sequence] = [], adapter
        if shared and source in self._tokens and self._share(source, sequence, shared):
            self._tokens[sequence] = [*tokens[:shared]]
        return sequence, len(self._tokens[sequence])

    def extend(self, sequence: int, tokens: Sequence[int]) -> None:
        """Record that the context has read these tokens."""
        self._tokens[sequence].extend(tokens)

    def keep(self, sequence: int) -> None:
        """End the use of a sequence, and keep its tokens for later prompts, as well as others that fit."""
        for other in [*self._kept]:
            if self._contains(sequence, other):
                self._drop_kept(other)
        self._kept[sequence] = None
        while len(self._kept) > 1 and self._count_kept() * KEPT_SHARE > self._context.tokens:
            self.drop_kept()

    def drop(self, sequence: int) -> None:
        """End the use of a sequence, and free its memory."""
        del self._tokens[sequence]
        import_llama_cpp().llama_memory_seq_rm(self._context.memory, sequence, -1, -1)
        self._free.append(sequence)

    def drop_kept(self) -> bool:
        """Free the memory of the sequence that was kept for the longest time; return False if no sequence is kept."""
        if not self._kept:
            return False
        self._drop_kept(next(iter(self._kept)))
        return True

    def _drop_kept(self, sequence: int) -> None:
        del self._kept[sequence]
        self.drop(sequence)

    def _contains(self, sequence: int, other: int) -> bool:
        """Return whether a sequence begins with all tokens of another, read with the same adapter."""
        tokens, held = self._tokens[sequence], self._tokens[other]
        return self._adapters[sequence] == self._adapters[other] and count_common(tokens, held) == len(held)

    def _count_kept(self) -> int:
        return sum(len(self._tokens[sequence]) for sequence in self._kept)

    def _find_source(self, tokens: Sequence[int], adapter: str | None) -> tuple[int, int]:
        """Return the sequence with the most tokens to share, and their number. The last token is always read."""
        best, most = -1, 0
        for sequence, held in self._tokens.items():
            if self._adapters[sequence] != adapter:
                continue
            count = min(count_common(held, tokens), len(tokens) - 1)
            if count > most and (count == len(held) or self._context.can_share_parts):
                best, most = sequence, count
        return best, most

    def _share(self, source: int, sequence: int, count: int) -> bool:
        """Give a sequence the first tokens of another; return False if the memory has forgotten some of them."""
        library, memory = import_llama_cpp(), self._context.memory
        # The memory of a state takes whole sequences only, without positions (`llama_kv_cache_dsv4::seq_cp`).
        begin, end = (0, count) if self._context.can_share_parts else (-1, -1)
        library.llama_memory_seq_cp(memory, source, sequence, begin, end)
        first = library.llama_memory_seq_pos_min(memory, sequence) if self._context.can_share_parts else 0
        if (first, library.llama_memory_seq_pos_max(memory, sequence)) == (0, count - 1):
            return True
        library.llama_memory_seq_rm(memory, sequence, -1, -1)
        return False


def count_common(one: Sequence[int], other: Sequence[int]) -> int:
    """Return the number of equal tokens that two lists begin with."""
    length = min(len(one), len(other))
    for start in range(0, length, BLOCK):
        end = min(start + BLOCK, length)
        if one[start:end] != other[start:end]:
            return next(place for place in range(start, end) if one[place] != other[place])
    return length
