"""The arguments of a tool call while its text is still being written. Start at `PartialCallReader`.

A format with an `Opening` has a text with which a call certainly begins: its name, and the beginning of its arguments.
From there on, an `ArgsReader` turns the text into pieces of JSON. At its end, the whole call is decoded all the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..brackets import BracketScanner
from .json_text import QUOTES, find_value_end
from .reader import ArgsPiece, CallKeys, PartialCall, ToolCall

__all__ = ('ArgsReader', 'JsonArgs', 'Opening', 'PartialCallReader', 'find_opening', 'keep_text', 'make_json_opening')

LONGEST_OPENING = 300
"""The number of characters after which a text without an opening is not searched for one again."""


class ArgsReader(Protocol):
    """Reads the text of the arguments of one call, from their beginning."""

    def feed(self, text: str) -> Iterator[ArgsPiece]:
        """Add text; yield the pieces that it completes."""
        ...


class JsonArgs:
    """Reads arguments that are a JSON object: each text is a piece of it, up to the end of the object."""

    def __init__(self) -> None:
        self._brackets: BracketScanner | None = BracketScanner(QUOTES)

    def feed(self, text: str) -> Iterator[ArgsPiece]:
        if self._brackets is None:
            return
        end = self._brackets.feed(text)
        if end is not None:
            self._brackets = None
        yield text[:end]


@dataclass(frozen=True, slots=True)
class Opening:
    """The text with which a call certainly begins."""

    pattern: re.Pattern[str]
    """Matches the text up to the beginning of the arguments. Its group `name` is the name of the tool."""
    make_args: Callable[[], ArgsReader] = JsonArgs


def make_json_opening(keys: CallKeys = ('name', 'arguments'), before: str = r'(?:\[\s*)?\{\s*') -> Opening:
    """Return the opening of a JSON object with these keys. `before` is a pattern for the text before the name."""
    name, arguments = map(re.escape, keys)
    return Opening(
        re.compile(
            rf'\s*{before}"{name}"\s*:\s*"(?P<name>[^"\\]+)"\s*,\s*'
            rf'"(?:{arguments}|arguments|parameters)"\s*:\s*(?=\{{)'
        )
    )


def find_opening(openings: Sequence[Opening], tools: Collection[str] | None, text: str) -> re.Match[str] | None:
    """Return the match of the first opening at the start of a text. With `tools`, it must name one of these."""
    for opening in openings:
        found = opening.pattern.match(text)
        if found is not None and (tools is None or found['name'] in tools):
            return found
    return None


def keep_text(opening: re.Match[str] | None, calls: list[ToolCall] | None, text: str) -> list[ToolCall] | None:
    """Return the calls in a text, the first of which has its arguments as the model wrote them, if they are JSON.

    A text with an opening is a call also if it cannot be decoded: pieces of its arguments were emitted already.
    """
    if opening is None:
        return calls
    if not calls:
        return [ToolCall(opening['name'], text[opening.end() :].strip())]
    if text[opening.end() : opening.end() + 1] != '{':
        return calls
    first, written = calls[0], text[opening.end() : find_value_end(text, opening.end())]
    if first.unquoted is None and first.name == opening['name'] and _is_same_json(written, first.args):
        return [ToolCall(first.name, written), *calls[1:]]
    return calls


def _is_same_json(text: str, other: str) -> bool:
    try:
        return bool(json.loads(text) == json.loads(other))
    except (ValueError, RecursionError):
        return False


class PartialCallReader:
    """Follows the text of one call from its beginning, and emits its arguments piece by piece.

    With `tools`, only calls of these are followed. `name` is that of a call whose opening does not name it.
    """

    def __init__(
        self, openings: Sequence[Opening], tools: Collection[str] | None = None, *, name: str | None = None
    ) -> None:
        self._openings = openings
        self._tools = tools
        self._start: str | None = ''
        """The text so far, until an opening is found; `None` without one, or after it was found."""
        self._name = name
        self._args: ArgsReader | None = None

    def feed(self, text: str) -> Iterator[PartialCall]:
        """Add text; yield the pieces of arguments that it completes."""
        if self._start is not None:
            text = self._find_args(self._start + text)
        if self._args is not None:
            for piece in self._args.feed(text):
                yield PartialCall(self._name or '', piece)

    def _find_args(self, start: str) -> str:
        """Look for an opening in the text so far. Return the text of the arguments."""
        for opening in self._openings:
            found = find_opening([opening], self._tools, start)
            if found is not None:
                self._start, self._args = None, opening.make_args()
                self._name = self._name or found['name']
                return start[found.end() :]
        self._start = start if len(start) <= LONGEST_OPENING and self._openings else None
        return ''
