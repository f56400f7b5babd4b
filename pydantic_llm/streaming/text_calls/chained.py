"""`make_reader`: a reader of the tool calls that a remote server left in the text, in one format or in all of them.

A remote server says nothing about the format of its model. So only the names of offered tools become calls here, and
all else stays text.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from .formats import CallFormatName
from .json_objects import JsonObjectReader
from .marked import DEEPSEEK, FUNCTION, HERMES, KIMI, MISTRAL, MarkedReader, Marks
from .pythonic import PythonicReader
from .reader import CallReader, Item, ToolCall

__all__ = ('ChainedReader', 'make_reader')

MARKS: dict[CallFormatName, Sequence[Marks]] = {
    'hermes': (HERMES, FUNCTION),
    'mistral': (MISTRAL,),
    'deepseek': (DEEPSEEK,),
    'kimi': (KIMI,),
}
"""The formats with marks. Servers drop Qwen's `<tool_call>` around `<function=`: it is a special token."""


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
        """Give an item to the readers from this stage on. What they hold precedes a call."""
        if stage == len(self._readers):
            yield item
            return
        reader = self._readers[stage]
        if isinstance(item, ToolCall):
            for held in reader.close(truncated=False):
                yield from self._pass_on(stage + 1, held)
            yield from self._pass_on(stage + 1, item)
        else:
            for found in reader.feed(item[1]):
                yield from self._pass_on(stage + 1, found)


def make_reader(format: CallFormatName | None, tools: Collection[str], *, reads_json: bool = True) -> ChainedReader:
    """Return a reader of calls of these tools. `None` reads all formats; without `reads_json`, only those with marks.

    A response that must be JSON is not read as a call that is nothing but JSON.
    """
    marks = MARKS.get(format, ()) if format else [each for group in MARKS.values() for each in group]
    readers: list[CallReader] = [MarkedReader(each, tools) for each in marks]
    if reads_json and format in (None, 'pythonic'):
        readers.append(PythonicReader(tools))
    if reads_json and format in (None, 'llama', 'json'):
        readers.append(JsonObjectReader(tools, ('name', 'arguments'), prefix='<|python_tag|>', needs_arguments=True))
    return ChainedReader(readers)
