"""`make_growing_layer`: a layer of the library's cache with room for the next tokens.

The library's `DynamicLayer` copies all keys and values for each new token (`update` in cache_utils.py, transformers
5.24). With 64 rows of 430 tokens, that took 40% of the time of a step on a CPU.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from .library import import_transformers

__all__ = ('make_growing_layer',)

Tensor = Any

ROOM = 32
"""The number of tokens for which there is room after keys and values are copied."""


@cache
def make_growing_layer() -> type[Any]:
    """Return the class of the layer, for a cache whose layers keep every token."""
    return type('GrowingLayer', (_Growing, import_transformers().DynamicLayer), {})


class _Growing:
    """Keys and values, each in a buffer [rows, heads, tokens, head size] of which they are the first columns."""

    keys: Any
    values: Any
    is_initialized: bool
    lazy_initialization: Any
    _buffers: tuple[Tensor, Tensor] | None = None
    """The buffers of keys and values; `None` if they have no room."""

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Add the keys and values of new tokens; return those of all tokens."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        if not self.keys.numel():
            self.keys, self.values = key_states, value_states
            return key_states, value_states
        length = self.keys.shape[-2]
        width = length + key_states.shape[-2]
        if self._buffers is None or self._buffers[0].shape[-2] < width:
            self._buffers = _copy(self.keys, width + ROOM), _copy(self.values, width + ROOM)
        for buffer, added in zip(self._buffers, (key_states, value_states), strict=True):
            buffer[:, :, length:width] = added
        self.keys, self.values = (buffer[:, :, :width] for buffer in self._buffers)
        return self.keys, self.values

    def keep_rows(self, rows: Tensor, width: int) -> None:
        """Keep these rows, and of each the last `width` columns."""
        begin = self.keys.shape[-2] - width
        buffers = [buffer[rows, :, begin:] for buffer in self._buffers or (self.keys, self.values)]
        self.keys, self.values = (buffer[:, :, :width] for buffer in buffers)
        self._buffers = (buffers[0], buffers[1])

    def append_rows(self, other: Any) -> None:
        """Append the rows of another layer, and pad the shorter of the two on the left."""
        width = max(self.keys.shape[-2], other.keys.shape[-2])
        self._buffers = _join(self.keys, other.keys, width), _join(self.values, other.values, width)
        self.keys, self.values = (buffer[:, :, :width] for buffer in self._buffers)

    def __copy__(self) -> Any:
        """Return a layer with the same keys and values, which does not write into the same buffers."""
        copied = type(self).__new__(type(self))
        copied.__dict__ |= {**self.__dict__, '_buffers': None}
        return copied


def _copy(tensor: Tensor, width: int) -> Tensor:
    """Return a buffer with this width that begins with these columns."""
    rows, heads, columns, size = tensor.shape
    buffer = tensor.new_empty(rows, heads, width, size)
    buffer[:, :, :columns] = tensor
    return buffer


def _join(tensor: Tensor, other: Tensor, width: int) -> Tensor:
    """Return a buffer with the rows of both, each padded on the left to `width`, and room after that."""
    rows, heads, _, size = tensor.shape
    buffer = tensor.new_empty(rows + other.shape[0], heads, width + ROOM, size)
    for part, source in ((buffer[:rows], tensor), (buffer[rows:], other)):
        padding = width - source.shape[-2]
        part[:, :, :padding] = 0
        part[:, :, padding:width] = source
    return buffer
