"""`BracketScanner`: follows the brackets of JSON that arrives in fragments. Each character is read once."""

from __future__ import annotations

import re

__all__ = ('BracketScanner',)

STRING_MARKS = {quote: re.compile(rf'[\\{quote}]') for quote in ('"', "'")}
"""Quotes -> what matters inside a string with them."""

MARKS = {quotes: re.compile(rf'[{quotes}{{}}\[\]]') for quotes in ('"', '"\'')}
"""Quotes -> what matters outside strings."""


class BracketScanner:
    """Counts the open brackets of an object or a list. Brackets in strings, which begin inside it, do not count."""

    __slots__ = ('_is_escaped', '_marks', '_quote', 'depth', 'has_closed')

    def __init__(self, quotes: str = '"') -> None:
        """Scan JSON with these quotes: models also write Python's."""
        self.depth: int = 0
        """The number of brackets that are open."""
        self.has_closed: bool = False
        """True after the first bracket that closed the last open one."""
        self._marks = MARKS[quotes]
        self._quote = ''  # of the open string
        self._is_escaped = False

    @property
    def is_balanced(self) -> bool:
        """True if no bracket and no string is open."""
        return not (self.depth or self._quote)

    @property
    def is_in_string(self) -> bool:
        """True if a string is open."""
        return bool(self._quote)

    def feed_all(self, text: str) -> None:
        """Add a text to its end, also after the last open bracket is closed."""
        position: int | None = 0
        while position is not None:
            position = self.feed(text, position)

    def feed(self, text: str, position: int = 0) -> int | None:
        """Add the text from `position`; return the position after the first bracket that closes the last open one.

        Returns `None` if all of the text was read and the brackets are not closed.
        """
        while position < len(text):
            if self._is_escaped:
                self._is_escaped = False
                position += 1
                continue
            mark = (STRING_MARKS[self._quote] if self._quote else self._marks).search(text, position)
            if mark is None:
                return None
            position = mark.end()
            if self._read_mark(mark[0]):
                return position
        return None

    def _read_mark(self, mark: str) -> bool:
        """Return whether this mark closes the last open bracket."""
        if mark == '\\':
            self._is_escaped = True
        elif self._quote:
            self._quote = ''
        elif mark in '{[':
            self.depth += 1
        elif mark in '}]':
            self.depth -= 1
            is_last = self.depth <= 0
            self.has_closed |= is_last
            return is_last
        elif self.depth:
            self._quote = mark
        return False
