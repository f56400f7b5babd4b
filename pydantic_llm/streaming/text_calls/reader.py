"""The contract of all readers of tool calls: text goes in as it streams; text, thinking and tool calls come out.

No part of a tool call is ever returned as text: text that may become one is held back until that is decided.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

__all__ = ('CallKeys', 'CallReader', 'Item', 'Piece', 'ToolCall')


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

Piece = tuple[Literal['text', 'thinking'], str]
"""A piece of text, or of thinking if the format marks it."""

Item = Piece | ToolCall
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
