"""The contract of all readers of tool calls: text goes in as it streams; text, thinking and tool calls come out.

No part of a tool call is ever returned as text: text that may become one is held back until that is decided. As soon as
a call is certain, pieces of its arguments come before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

__all__ = (
    'ArgsPiece',
    'CallKeys',
    'CallReader',
    'Item',
    'PartialCall',
    'Piece',
    'ToolCall',
    'UnquotedArg',
    'close_reader',
)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One tool call in the text of a response."""

    name: str
    args: str
    """The arguments as JSON; if they cannot be parsed, the text as the model wrote it."""
    unquoted: Mapping[str, tuple[Any, str]] | None = field(default=None, compare=False)
    """The parsed value and the text of each argument, if the format writes them without quotes."""


CallKeys = tuple[str, str]
"""The keys of the name and the arguments in the JSON object of a tool call."""

UnquotedArg = tuple[str, Any, str]
"""The name of an argument that is written without quotes, its parsed value and its text."""

ArgsPiece = str | UnquotedArg
"""A piece of arguments: the next text of their JSON, or the next argument."""


@dataclass(frozen=True, slots=True)
class PartialCall:
    """A piece of a tool call whose text is not complete. The whole `ToolCall` follows, and nothing between the two."""

    name: str
    piece: ArgsPiece


Piece = tuple[Literal['text', 'thinking'], str]
"""A piece of text, or of thinking if the format marks it."""

Item = Piece | ToolCall | PartialCall
"""The output of a reader."""


class CallReader(Protocol):
    """Reads the text of one response."""

    def feed(self, text: str) -> Iterator[Item]:
        """Add text; yield the items that are decided."""
        ...

    def close(self, *, truncated: bool) -> Iterator[Item]:
        """End the response; yield the rest.

        If it was `truncated` in a tool call, that is yielded with the arguments so far, or dropped if the name of the
        tool is not complete. Otherwise, text that did not become a tool call is yielded as text.
        """
        ...


def close_reader(reader: CallReader, *, truncated: bool) -> Iterator[Item]:
    """End a response; yield the rest, without a truncated call that has no arguments yet: it would be a valid call."""
    for item in reader.close(truncated=truncated):
        if not (truncated and isinstance(item, ToolCall) and not item.args):
            yield item
