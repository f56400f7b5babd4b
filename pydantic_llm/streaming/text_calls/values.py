"""`ValueScanner`: finds the values in the text of a tool call. Marks of the format do not count inside of them."""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = ('ValueScanner', 'find_outside', 'split_calls')

MARKS: tuple[tuple[str, str], ...] = (
    ('<parameter', '</parameter>'),
    *(
        (f'<{name}parameter', f'</{name}parameter>')
        for name in ('｜DSML｜', '｜DSML｜ ', '｜GCML｜', 'steptml:', 'atem:')
    ),
    ('<param name', '</param>'),
    *((f'<arg_value{name}>', f'</arg_value{name}>') for name in ('', ':opensource', ':6124c78e')),
    *((f'<{name}arg_value>', f'</{name}arg_value>') for name in ('longcat_', 'ifm|')),
    ('<|tool_arg:value|>', '<|tool_arg:end|>'),
    ('<|open|>argument', '<|close|>argument<|sep|>'),
    ('<escape>', '<escape>'),
    ('<|"|>', '<|"|>'),
)
"""The marks around a value."""

ENDS = {
    '"': re.compile(r'[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL),
    **{start: re.compile(f'.*?{re.escape(end)}', re.DOTALL) for start, end in MARKS},
}
"""The text before a value, and the pattern of the rest up to its end."""

STARTS = re.compile('|'.join(map(re.escape, sorted(ENDS, key=len, reverse=True))))


class ValueScanner:
    """Follows the values in the text of one tool call. Each character outside of values is read once."""

    def __init__(self) -> None:
        self._end = 0
        """The end of the last value, or of the text before an open one, from the start of the call."""
        self._open: str | None = None
        """The text before a value without an end in the text so far."""
        self._length = 0
        """The length of the text that has no end of this value."""

    def is_inside(self, text: str, position: int, begin: int = 0) -> bool:
        """Return whether a position is inside a value, which may have no end in the text so far.

        The call begins at `begin`, which may change if the text before it was dropped. Call this with growing
        positions, and with a text that grows at its end only.
        """
        while begin + self._end <= position:
            if self._open is not None and len(text) - begin == self._length:
                return True
            if self._open is None:
                start = STARTS.search(text, begin + self._end, position)
                if start is None:
                    return False
                self._open, self._end = start[0], start.end() - begin
            end = ENDS[self._open].match(text, begin + self._end)
            if end is None:
                self._length = len(text) - begin
                return True
            self._open, self._end = None, end.end() - begin
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
