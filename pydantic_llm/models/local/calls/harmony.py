"""The channels of gpt-oss: `<|channel|>analysis<|message|>...<|end|>` are thoughts, `commentary to=functions.x` calls.

The answer begins inside an assistant's turn, so its first header may lack `<|start|>assistant`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from .reader import Call, Item, overlap

__all__ = ('MARKS', 'HarmonyReader')

MESSAGE = '<|message|>'
CHANNEL = '<|channel|>'
START = '<|start|>'
ENDS = ('<|end|>', '<|call|>', '<|return|>', START, CHANNEL)
MARKS = (MESSAGE, CHANNEL, START, '<|end|>', '<|call|>', '<|return|>', '<|constrain|>')
"""The tokens that the format is made of."""

RECIPIENT = re.compile(r'to=(?:functions\.)?(?P<name>[\w.\-]+)')
CHANNEL_NAME = re.compile(r'<\|channel\|>\s*(?P<name>\w+)')


class HarmonyReader:
    """Reads messages with a header each: their channel says what they are, their recipient which tool is called."""

    def __init__(self) -> None:
        self._held = ''
        self._in_header = True
        self._channel = 'final'
        self._tool: str | None = None
        self._args: list[str] = []
        self._begun = False

    def feed(self, text: str) -> Iterator[Item]:
        """Add text, and get what is decided."""
        self._held += text
        while self._held:
            if self._in_header:
                if not self._header():
                    return
                continue
            at, mark = self._next_end()
            if mark is None:
                yield from self._say(self._take(len(self._held) - overlap(self._held, ENDS)))
                return
            yield from self._say(self._take(at))
            yield from self._end_message()
            if mark not in (START, CHANNEL):
                self._take(len(mark))
            self._in_header = True

    def close(self, *, cut: bool) -> Iterator[Item]:
        """The answer is over."""
        held, self._held = self._held, ''
        if not self._in_header:
            yield from self._say(held)
        elif held and not cut and not self._begun:
            yield 'text', held
        yield from self._end_message()

    def _header(self) -> bool:
        """Read a header, once it is whole. An answer without any header is text."""
        if not self._begun and not self._is_header():
            self._in_header = False
            self._begun = True
            return True
        header, mark, rest = self._held.partition(MESSAGE)
        if not mark:
            return False
        channel = CHANNEL_NAME.search(header)
        recipient = RECIPIENT.search(header)
        self._channel = channel['name'] if channel else 'final'
        self._tool = recipient['name'] if recipient else None
        self._held, self._in_header, self._begun = rest, False, True
        return True

    def _is_header(self) -> bool:
        """Whether the answer begins with a header, as far as can be told."""
        begun = self._held.lstrip()
        heads = (CHANNEL, START, MESSAGE, 'assistant<|')
        return any(begun.startswith(head) or head.startswith(begun) for head in heads) or bool(
            RECIPIENT.match(begun) or ' to=functions'.startswith(self._held[:13])
        )

    def _next_end(self) -> tuple[int, str | None]:
        found = [(at, mark) for mark in ENDS if (at := self._held.find(mark)) >= 0]
        return min(found, default=(0, None), key=lambda place: place[0])

    def _say(self, text: str) -> Iterator[Item]:
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
            yield Call(self._tool, ''.join(self._args).strip() or '{}')
        self._tool, self._args, self._channel = None, [], 'final'

    def _take(self, length: int) -> str:
        taken, self._held = self._held[:length], self._held[length:]
        return taken
