"""Read gpt-oss's harmony format: messages with a channel each, for thinking, text and tool calls.

`<|channel|>analysis<|message|>...<|end|>` is thinking, `commentary to=functions.x` a tool call. A response begins
within an assistant message, so that its first header may lack `<|start|>assistant`.
https://cookbook.openai.com/articles/openai-harmony
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ....streaming.thinking import count_overlap
from .reader import Item, ToolCall

__all__ = ('MARKS', 'HarmonyReader')

MESSAGE = '<|message|>'
CHANNEL = '<|channel|>'
START = '<|start|>'
ENDS = ('<|end|>', '<|call|>', '<|return|>', START, CHANNEL)
MARKS = (MESSAGE, CHANNEL, START, '<|end|>', '<|call|>', '<|return|>', '<|constrain|>')
"""The special tokens of the format."""

RECIPIENT = re.compile(r'to=(?:functions\.)?(?P<name>[\w.\-]+)')
CHANNEL_NAME = re.compile(r'<\|channel\|>\s*(?P<name>\w+)')


class HarmonyReader:
    """Reads messages by their header: the channel is the kind of a message, the recipient the tool to call."""

    def __init__(self) -> None:
        self._held = ''
        self._in_header = True
        self._channel = 'final'
        self._tool: str | None = None
        self._args: list[str] = []
        self._has_begun = False

    def feed(self, text: str) -> Iterator[Item]:
        self._held += text
        while self._held:
            if self._in_header:
                if not self._read_header():
                    return
                continue
            at, mark = self._find_message_end()
            if mark is None:
                yield from self._emit_body(self._take_held(len(self._held) - count_overlap(self._held, ENDS)))
                return
            yield from self._emit_body(self._take_held(at))
            yield from self._end_message()
            if mark not in (START, CHANNEL):
                self._take_held(len(mark))
            self._in_header = True

    def close(self, *, truncated: bool) -> Iterator[Item]:
        held, self._held = self._held, ''
        if not self._in_header:
            yield from self._emit_body(held)
        elif held and not truncated and not self._has_begun:
            yield 'text', held
        yield from self._end_message()

    def _read_header(self) -> bool:
        """Read a header; return False if it is not complete. A response that has no header at all is text."""
        if not self._has_begun and not self._may_begin_with_header():
            self._in_header = False
            self._has_begun = True
            return True
        header, mark, rest = self._held.partition(MESSAGE)
        if not mark:
            return False
        channel = CHANNEL_NAME.search(header)
        recipient = RECIPIENT.search(header)
        self._channel = channel['name'] if channel else 'final'
        self._tool = recipient['name'] if recipient else None
        self._held, self._in_header, self._has_begun = rest, False, True
        return True

    def _may_begin_with_header(self) -> bool:
        """Return whether the text so far is, or may become, a header."""
        start = self._held.lstrip()
        heads = (CHANNEL, START, MESSAGE, 'assistant<|')
        return any(start.startswith(head) or head.startswith(start) for head in heads) or bool(
            RECIPIENT.match(start) or ' to=functions'.startswith(self._held[:13])
        )

    def _find_message_end(self) -> tuple[int, str | None]:
        """Return the position of the first mark that ends a message, and the mark; `(0, None)` without a mark."""
        found = [(at, mark) for mark in ENDS if (at := self._held.find(mark)) >= 0]
        return min(found, default=(0, None), key=lambda end: end[0])

    def _emit_body(self, text: str) -> Iterator[Item]:
        if not text:
            return
        if self._tool is not None:
            self._args.append(text)
        elif self._channel == 'analysis':
            yield 'thinking', text
        else:
            yield 'text', text

    def _end_message(self) -> Iterator[Item]:
        if self._tool is not None:
            yield ToolCall(self._tool, ''.join(self._args).strip() or '{}')
        self._tool, self._args, self._channel = None, [], 'final'

    def _take_held(self, length: int) -> str:
        taken, self._held = self._held[:length], self._held[length:]
        return taken
