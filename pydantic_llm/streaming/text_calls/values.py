"""`ValueScanner`: finds the values in the text of a tool call. Marks of the format do not count inside of them."""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ('ValueScanner', 'find_outside', 'split_calls')

ENDS = {
    '"': re.compile(r'[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL),
    '<parameter': re.compile('.*?</parameter>', re.DOTALL),
    '<｜DSML｜parameter': re.compile('.*?</｜DSML｜parameter>', re.DOTALL),
    '<arg_value>': re.compile('.*?</arg_value>', re.DOTALL),
    '<|"|>': re.compile(r'.*?<\|"\|>', re.DOTALL),
}
"""The text before a value, and the pattern of the rest up to its end."""

STARTS = re.compile('|'.join(map(re.escape, sorted(ENDS, key=len, reverse=True))))


class ValueScanner:
    """Follows the values in the text of one tool call. Each character outside of values is read once."""

    def __init__(self) -> None:
        self._end = 0
        """The end of the last value, after which values are looked for."""
        self._open: re.Match[str] | None = None
        """The start of a value without an end in the text so far."""
        self._length = 0
        """The length of the text that has no end of this value."""

    def is_inside(self, text: str, position: int) -> bool:
        """Return whether a position is inside a value, which may have no end in the text so far.

        Call this with growing positions, and with a text that grows at its end only.
        """
        while self._end <= position:
            if self._open is not None and len(text) == self._length:
                return True
            start = self._open or STARTS.search(text, self._end, position)
            if start is None:
                return False
            end = ENDS[start[0]].match(text, start.end())
            self._open, self._length = (start, len(text)) if end is None else (None, 0)
            if end is None:
                return True
            self._end = end.end()
        return True


def find_outside(text: str, mark: str) -> int:
    """Return the position of the first mark outside of values, else of the first mark, else -1."""
    scanner, first = ValueScanner(), text.find(mark)
    at = first
    while at >= 0 and scanner.is_inside(text, at):
        at = text.find(mark, at + 1)
    return at if at >= 0 else first


def split_calls(text: str, head: re.Pattern[str], end: str) -> Iterator[tuple[re.Match[str], str]]:
    """Yield the match of each head, and the text after it up to an end mark outside of values, or all of the rest."""
    while (found := head.search(text)) is not None:
        rest = text[found.end() :]
        at = find_outside(rest, end)
        yield found, rest if at < 0 else rest[:at]
        text = '' if at < 0 else rest[at + len(end) :]
