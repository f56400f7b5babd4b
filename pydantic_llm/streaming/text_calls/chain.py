"""`ChainedReader`: several readers of tool calls, one after the other, for models that write calls in several ways."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .reader import CallReader, Item, PartialCall, ToolCall

__all__ = ('ChainedReader',)


class ChainedReader:
    """Several readers, each of which gets the text that those before it found no call in."""

    def __init__(self, readers: Sequence[CallReader]) -> None:
        self._readers = readers

    def feed(self, text: str) -> Iterator[Item]:
        yield from self._pass_on(0, ('text', text))

    def close(self, *, truncated: bool) -> Iterator[Item]:
        for stage, reader in enumerate(self._readers):
            for item in reader.close(truncated=truncated):
                yield from self._pass_on(stage + 1, item)

    def _pass_on(self, stage: int, item: Item) -> Iterator[Item]:
        """Give an item to the readers from this stage on. What they hold precedes a call, or thinking."""
        if stage == len(self._readers):
            yield item
            return
        reader = self._readers[stage]
        if isinstance(item, (ToolCall, PartialCall)) or item[0] == 'thinking':
            for held in reader.close(truncated=False):
                yield from self._pass_on(stage + 1, held)
            yield from self._pass_on(stage + 1, item)
        else:
            for found in reader.feed(item[1]):
                yield from self._pass_on(stage + 1, found)
