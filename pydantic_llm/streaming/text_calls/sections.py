"""Read responses that are sections between marks: thinking, text and tool calls, as Kimi K3 and Inkling write them.

`SectionReader` splits the text that the reader of the calls leaves; a `Sections` row names the marks. Those of gpt-oss
have a reader of their own, `harmony`: the arguments of its calls are sections too.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from ..thinking import count_overlap
from .reader import CallReader, Item

__all__ = ('GLIMMER_SECTIONS', 'INKLING_SECTIONS', 'KIMI_SECTIONS', 'Kind', 'SectionReader', 'Sections')

Kind = Literal['text', 'thinking', 'between', 'header', 'headed']
"""The kind of what follows a mark: in `between`, whitespace is dropped; `header` is text that says the kind of the
section after it, which begins at a mark that is `headed`."""

WORDS = re.compile(r'[\w\s.=/\-]{0,100}')
"""The characters of a header, and their number. Other text is not one."""

HEADER = re.compile(r'\s*(?:assistant)?\s*(?:to=[\w.\-]*)?\s*')
"""A header that no section follows, since the response ended."""


HEADERS = ('assistant to=', 'to=')


@dataclass(frozen=True)
class Sections:
    """The marks of the sections in one format."""

    marks: Mapping[str, Kind]
    """The marks, and the kind of what follows each."""
    thinking_header: str = ' '
    """The text in the header of thinking."""
    pattern: re.Pattern[str] = field(init=False)
    """Matches each mark."""

    def __post_init__(self) -> None:
        object.__setattr__(self, 'pattern', re.compile('|'.join(map(re.escape, self.marks))))

    def find_opened(self, prompt: str) -> str:
        """Return the mark of the section that a prompt begins and the response continues, if there is one."""
        found = [*self.pattern.finditer(prompt)]
        return found[-1][0] if found and HEADER.fullmatch(prompt, found[-1].end()) else ''


class SectionReader:
    """Splits thinking and text, and drops the marks. `calls` reads the text first, and yields the tool calls in it."""

    def __init__(self, calls: CallReader, sections: Sections, tools: Collection[str]) -> None:
        self._calls = calls
        self._sections = sections
        self._tools = frozenset(tools)
        self._kind: Kind = 'text'
        self._held = ''
        """A header, or text that may be the beginning of a mark."""

    def feed(self, text: str) -> Iterator[Item]:
        yield from self._split_items(self._calls.feed(text))

    def close(self, *, truncated: bool) -> Iterator[Item]:
        yield from self._split_items(self._calls.close(truncated=truncated))
        held, self._held = self._held, ''
        undecided = count_overlap(held, [*self._sections.marks])
        if truncated and undecided > 1:  # the beginning of a mark
            held = held[:-undecided]
        if self._kind != 'header':
            yield from self._emit(held, self._kind)
        elif not self._is_header(held, truncated=truncated):
            yield from self._emit(held, 'text')

    def _is_header(self, text: str, *, truncated: bool) -> bool:
        """Return whether a text that no section follows is a header, or its beginning if it was truncated."""
        text = text.strip()
        beginnings = (*HEADERS, *self._tools) if truncated else ()
        return bool(HEADER.fullmatch(text)) or text in self._tools or any(each.startswith(text) for each in beginnings)

    def _split_items(self, items: Iterable[Item]) -> Iterator[Item]:
        for item in items:
            if isinstance(item, tuple):
                yield from self._split(item[1])
                continue
            if self._held:
                held, self._held = self._held, ''
                yield from self._emit(held, self._kind)  # the header of a call is dropped
            if self._kind in ('header', 'thinking'):
                self._kind = 'between'
            yield item

    def _split(self, text: str) -> Iterator[Item]:
        """Yield the pieces of a text whose section is decided."""
        held, at = self._held + text, 0
        for mark in self._sections.pattern.finditer(held):
            before = held[at : mark.start()]
            self._check_header(before)
            yield from self._emit(before, self._kind)
            self._kind = self._find_kind(mark[0], before)
            at = mark.end()
        rest = held[at:]
        undecided = len(rest) - count_overlap(rest, [*self._sections.marks])
        self._check_header(rest[:undecided])
        if self._kind == 'header':
            undecided = 0
        self._held = rest[undecided:]
        yield from self._emit(rest[:undecided], self._kind)

    def _check_header(self, text: str) -> None:
        """Take a header that is anything but a few words for text."""
        if self._kind == 'header' and not WORDS.fullmatch(text):
            self._kind = 'text'

    def _find_kind(self, mark: str, before: str) -> Kind:
        """Return the kind of what follows a mark, which ends a header perhaps."""
        kind = self._sections.marks[mark]
        if kind != 'headed':
            return kind
        return 'thinking' if self._kind == 'header' and self._sections.thinking_header in before else 'text'

    def _emit(self, text: str, kind: Kind) -> Iterator[Item]:
        if kind == 'between':
            text = text.lstrip()
            if text:
                self._kind = kind = 'text'
        if text and kind != 'header':
            yield 'thinking' if kind == 'thinking' else 'text', text


# https://github.com/ggml-org/llama.cpp/blob/master/models/templates/Kimi-K3.jinja
KIMI_SECTIONS = Sections(
    {
        '<|open|>think<|sep|>': 'thinking',
        '<|close|>think<|sep|>': 'between',
        '<|open|>response<|sep|>': 'text',
        '<|close|>response<|sep|>': 'between',
        '<|close|>message<|sep|>': 'between',
        '<|end_of_msg|>': 'between',
    }
)
"""The sections of Kimi K3."""
# https://github.com/vllm-project/vllm/blob/main/vllm/parser/inkling.py
INKLING_SECTIONS = Sections(
    {
        '<|message_model|>': 'header',
        '<|content_thinking|>': 'thinking',
        '<|content_text|>': 'text',
        '<|content_invoke_tool_text|>': 'text',
        '<|content_tool_error|>': 'text',
        '<|end_message|>': 'between',
        '<|content_model_end_sampling|>': 'between',
    }
)
"""The sections of Inkling. A header names the tool of a call, whose JSON names it too."""
# https://github.com/ollama/ollama/blob/main/model/parsers/glimmer.go
GLIMMER_SECTIONS = Sections(
    {'<|start|>': 'header', '<|message|>': 'headed', '<|eom|>': 'header', '<|eot|>': 'between'},
    thinking_header='to=self',
)
"""The messages of Muse Glimmer. A header names the recipient: the model itself, the user or a tool."""
