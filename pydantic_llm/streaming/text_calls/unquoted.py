"""Read arguments that stand between marks, without quotes, as Qwen3-Coder, GLM and MiniMax write them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

from .json_text import parse_value, to_args
from .reader import ArgsPiece, ToolCall, UnquotedArg
from .values import find_outside

__all__ = ('MarkedArgs', 'decode_argument', 'decode_unquoted', 'decode_verbatim', 'make_unquoted_call', 'split_marked')

WORD = re.compile(r'\w')

DecodeArgument = Callable[[list[str]], UnquotedArg]
"""Decodes the texts between the marks of one argument."""


def make_unquoted_call(name: str, marks: Sequence[str], text: str, decode: DecodeArgument | None = None) -> ToolCall:
    """Return a call whose arguments stand between marks. If one cannot be read, they are the text."""
    written = [*split_marked(text, marks)]
    if text.count(marks[-1]) > len(written) or (not written and WORD.search(text)):
        return ToolCall(name, text.strip())
    arguments = map(decode or decode_argument, written)
    unquoted = {key: (value, written) for key, value, written in arguments}
    return ToolCall(name, to_args({key: value for key, (value, _) in unquoted.items()}), unquoted)


def decode_argument(texts: list[str]) -> UnquotedArg:
    """Decode a name and a value. A line end after the marks, and before them, is not part of the value."""
    written = texts[-1].removeprefix('\n').removesuffix('\n')
    return texts[0].strip(), decode_unquoted(written), written


def decode_verbatim(texts: list[str]) -> UnquotedArg:
    """Decode a name and a value whose line ends are its own."""
    return texts[0].strip(), decode_unquoted(texts[-1]), texts[-1]


def decode_unquoted(text: str) -> Any:
    """Decode a value written without quotes: as JSON if it is valid JSON, else as text."""
    parsed = parse_value(text)
    return parsed[0] if parsed is not None and not text[parsed[1] :].strip() else text


def split_marked(text: str, marks: Sequence[str]) -> Iterator[list[str]]:
    """Yield the texts between the marks, for each occurrence of all of them in this order.

    A regular expression with several lazy groups would read the rest of the text again for each incomplete occurrence.
    """
    at = 0
    while True:
        starts: list[tuple[int, int]] = []
        for mark in marks:
            if (found := text.find(mark, at)) < 0:
                if len(starts) < len(marks) - 1:
                    return
                found = len(text.rstrip())  # the last argument may lack its last mark
            at = found + len(mark)
            starts.append((found, at))
        yield [text[start:end] for (_, start), (end, _) in pairwise(starts)]


class MarkedArgs:
    """Reads arguments between marks while they stream, each one at its last mark, up to the text that ends a call."""

    def __init__(self, marks: Sequence[str], end: str = '', decode: DecodeArgument = decode_argument) -> None:
        self._marks = marks
        self._end = end
        self._decode = decode
        self._pieces: list[str] = []
        """Held text. Pieces without a last mark are only added, so that none is read again for each that follows."""
        self._tail = ''
        self._has_ended = False

    def feed(self, text: str) -> Iterator[ArgsPiece]:
        mark = self._marks[-1]
        self._pieces.append(text)
        window = self._tail + text
        self._tail = window[1 - len(mark) :]
        if self._has_ended or mark not in window:
            return
        held = ''.join(self._pieces)
        if self._end and (at := find_outside(held, self._end)) >= 0:
            held, self._has_ended = held[:at], True
        end = held.rfind(mark) + len(mark)
        self._pieces = [held[end:]]
        for texts in split_marked(held[:end], self._marks):
            yield self._decode(texts)
