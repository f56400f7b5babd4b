"""Read gpt-oss's harmony format: messages with a channel each, for thinking, text and tool calls.

`<|channel|>analysis<|message|>...<|end|>` is thinking, `commentary to=functions.x` a tool call. A response begins
within an assistant message, so that its first header may lack `<|start|>assistant`.
https://cookbook.openai.com/articles/openai-harmony
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..brackets import BracketScanner
from ..thinking import count_overlap
from .marked import extract_json
from .partial_args import Opening, PartialCallReader
from .reader import Item, ToolCall

__all__ = ('MARKS', 'HarmonyReader')

MESSAGE = '<|message|>'
CHANNEL = '<|channel|>'
START = '<|start|>'
ENDS = ('<|end|>', '<|call|>', '<|return|>', START, CHANNEL)
"""The marks that end a message. In a string of a tool's arguments they are text, except for the start of the next."""
MARKS = (MESSAGE, CHANNEL, START, '<|end|>', '<|call|>', '<|return|>', '<|constrain|>')
"""The special tokens of the format."""

MESSAGE_ENDS = re.compile('|'.join(map(re.escape, ENDS)))

CALL_HEAD = 'to=functions.'
"""The beginning of a header that lacks its first mark."""

HEADS = (CHANNEL, START, MESSAGE, 'assistant<|', CALL_HEAD)
"""The beginnings of headers. A response begins within a message, so that its first header may lack marks."""

LONGEST_HEAD = 13
"""The number of characters after which it is certain whether a text begins with a header."""

ARGS = Opening(re.compile(r'(?P<name>)\s*(?=\{)'))
"""The beginning of the arguments, after a header that names the tool."""

RECIPIENT = re.compile(r'to=(?:functions\.)?(?P<name>[\w.\-]+)')
CHANNEL_NAME = re.compile(r'<\|channel\|>\s*(?P<name>\w+)')


class HarmonyReader:
    """Reads messages by their header: the channel is the kind of a message, the recipient the tool to call."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        """Held text. Pieces of a header are only added until its end, so that none is read again."""
        self._tail = ''
        self._is_blank = True  # the response so far is whitespace
        self._is_header = False  # the held text begins with one
        self._held = ''
        self._at = 0
        self._in_header = True
        self._channel = 'final'
        self._tool: str | None = None
        self._args: list[str] = []
        self._strings = BracketScanner()
        """Finds the strings of the arguments."""
        self._partial = PartialCallReader(())
        self._has_begun = False

    def feed(self, text: str) -> Iterator[Item]:
        self._pieces.append(text)
        window = self._tail + text
        self._is_blank &= text.isspace()
        if self._is_blank or (self._is_header and MESSAGE not in window):
            self._tail = window[1 - len(MESSAGE) :]
            return
        self._held, self._at = ''.join(self._pieces), 0
        yield from self._read_held()
        self._pieces = [rest := self._held[self._at :]]
        self._tail = rest[1 - len(MESSAGE) :]
        self._is_header = self._in_header and bool(rest) and (self._has_begun or len(rest.lstrip()) > LONGEST_HEAD)

    def _read_held(self) -> Iterator[Item]:
        while self._at < len(self._held):
            if self._in_header:
                if not self._read_header():
                    return
                continue
            end = MESSAGE_ENDS.search(self._held, self._at)
            if end is None:
                undecided = max(len(self._held) - count_overlap(self._held, ENDS), self._at)
                yield from self._emit_body(self._take_held(undecided))
                return
            yield from self._emit_body(self._take_held(end.start()))
            if self._strings.is_in_string and end[0] != START:
                yield from self._emit_body(self._take_held(end.end()))
                continue
            yield from self._end_message()
            if end[0] not in (START, CHANNEL):
                self._at = end.end()
            self._in_header = True

    def close(self, *, truncated: bool) -> Iterator[Item]:
        held = ''.join(self._pieces)
        self._pieces = []
        if not self._in_header:
            yield from self._emit_body(held)
        elif held.strip() and not truncated and not (self._has_begun and held.lstrip().startswith(HEADS)):
            yield 'text', held
        yield from self._end_message(truncated=truncated)

    def _read_header(self) -> bool:
        """Read a header; return False if it is not complete. A response that has no header at all is text."""
        if not self._has_begun and not self._may_begin_with_header():
            self._in_header = False
            self._has_begun = True
            return True
        end = self._held.find(MESSAGE, self._at)
        if end < 0:
            return False
        header = self._held[self._at : end]
        channel = CHANNEL_NAME.search(header)
        recipient = RECIPIENT.search(header)
        self._channel = channel['name'] if channel else 'final'
        self._tool = recipient['name'] if recipient else None
        self._partial = PartialCallReader([ARGS], name=self._tool)
        self._at, self._in_header, self._has_begun = end + len(MESSAGE), False, True
        return True

    def _may_begin_with_header(self) -> bool:
        """Return whether the text so far is, or may become, a header."""
        start = self._held.lstrip()  # all of it: nothing was taken before the first header
        return any(start.startswith(head) or head.startswith(start) for head in HEADS)

    def _emit_body(self, text: str) -> Iterator[Item]:
        if not text:
            return
        if self._tool is not None:
            self._args.append(text)
            self._strings.feed_all(text)
            yield from self._partial.feed(text)
        elif self._channel == 'analysis':
            yield 'thinking', text
        else:
            yield 'text', text

    def _end_message(self, *, truncated: bool = False) -> Iterator[Item]:
        if self._tool is not None:
            args = ''.join(self._args).strip() or ('' if truncated else '{}')
            yield ToolCall(self._tool, extract_json(args) if args.startswith('{') else args)
        self._tool, self._args, self._channel = None, [], 'final'
        self._strings = BracketScanner()

    def _take_held(self, end: int) -> str:
        taken, self._at = self._held[self._at : end], end
        return taken
