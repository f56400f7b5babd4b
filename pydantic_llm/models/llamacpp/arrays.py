"""`BatchArrays`: the tokens of one call of `llama_decode`, in arrays that are allocated once."""

from __future__ import annotations

from collections.abc import Iterable
from ctypes import POINTER, c_int8, c_int32
from typing import Any

from .library import import_llama_cpp, import_numpy

__all__ = ('BatchArrays',)


class BatchArrays:
    """Room for `size` tokens of any sequences."""

    def __init__(self, size: int) -> None:
        np = import_numpy()
        self._tokens, self._positions, self._sequences, self._counts = np.zeros((4, size), dtype=np.int32)
        self._outputs = np.zeros(size, dtype=np.int8)
        self._counts[:] = 1  # each token belongs to one sequence
        first = self._sequences.ctypes.data
        step = self._sequences.itemsize
        pointers = [c_int32.from_address(first + place * step) for place in range(size)]
        self._pointers = (POINTER(c_int32) * size)(*(POINTER(c_int32)(pointer) for pointer in pointers))
        self.batch: Any = import_llama_cpp().llama_batch(
            n_tokens=0,
            token=self._tokens.ctypes.data_as(POINTER(c_int32)),
            embd=None,
            pos=self._positions.ctypes.data_as(POINTER(c_int32)),
            n_seq_id=self._counts.ctypes.data_as(POINTER(c_int32)),
            seq_id=self._pointers,
            logits=self._outputs.ctypes.data_as(POINTER(c_int8)),
        )
        """The library's structure, which points to the arrays."""
        self.last_places: list[int] = []
        """The place of the last token of each piece."""

    def fill(self, pieces: Iterable[tuple[int, int, list[int], bool]]) -> None:
        """Set the tokens. A piece is a sequence, its first position, its tokens, and whether to compute its logits."""
        end = 0
        self.last_places = []
        for sequence, position, tokens, has_output in pieces:
            start, end = end, end + len(tokens)
            self._tokens[start:end] = tokens
            self._positions[start:end] = range(position, position + len(tokens))
            self._sequences[start:end] = sequence
            self._outputs[start:end] = 0
            self._outputs[end - 1] = has_output
            self.last_places.append(end - 1)
        self.batch.n_tokens = end
