"""Shows a response while it arrives: Markdown on a terminal, plain text in a pipe, thinking dimmed.

On a terminal, a block of Markdown (a paragraph, a list, a block of code) is printed once when it is complete. Only the
block that is still growing is drawn again.
"""

from __future__ import annotations

import re
import sys
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from rich.console import Console, RenderableType
    from rich.segment import Segment

__all__ = ('MarkdownScreen', 'PlainScreen', 'Screen', 'open_screen')

CONTROL = re.compile(r'[\x00-\x08\x0b-\x1f\x7f-\x9f]')
"""Control characters, with which a text could change the state of a terminal."""

DIM, NORMAL = '\x1b[2m', '\x1b[0m'


class Screen(ABC):
    """Shows one response, within a `with` block."""

    @abstractmethod
    def text(self, fragment: str) -> None: ...

    @abstractmethod
    def thinking(self, fragment: str) -> None: ...

    @abstractmethod
    def finish(self) -> None:
        """Restore the state of the terminal. Called when the response is complete or interrupted."""

    def __enter__(self) -> Screen:
        return self

    def __exit__(self, *exception: object) -> None:
        self.finish()


def open_screen() -> Screen:
    """Return the screen for the standard output. Without the extra `cli` it is a `PlainScreen`."""
    if not sys.stdout.isatty():
        return PlainScreen(sys.stdout)
    try:
        from rich.console import Console
    except ImportError:
        return PlainScreen(sys.stdout, is_terminal=True)
    console = Console()
    return PlainScreen(sys.stdout, is_terminal=True) if console.is_dumb_terminal else MarkdownScreen(console)


class PlainScreen(Screen):
    """Shows text unchanged. Thinking is shown on a terminal only."""

    def __init__(self, out: TextIO, *, is_terminal: bool = False) -> None:
        self._out = out
        self._is_terminal = is_terminal
        self._is_thinking = False
        self._last_character = '\n'

    def text(self, fragment: str) -> None:
        self._stop_thinking()
        self._write(fragment)

    def thinking(self, fragment: str) -> None:
        if self._is_terminal:
            self._out.write('' if self._is_thinking else DIM)
            self._is_thinking = True
            self._write(fragment)

    def finish(self) -> None:
        self._stop_thinking()
        if self._last_character != '\n':
            self._write('\n')

    def _stop_thinking(self) -> None:
        if self._is_thinking:
            self._is_thinking = False
            self._out.write(NORMAL)
            self._write('\n' if self._last_character == '\n' else '\n\n')

    def _write(self, text: str) -> None:
        shown = CONTROL.sub('', text) if self._is_terminal else text
        self._out.write(shown)
        self._out.flush()
        self._last_character = shown[-1:] or self._last_character


class MarkdownScreen(Screen):
    """Shows Markdown on a terminal."""

    def __init__(self, console: Console) -> None:
        from rich.live import Live

        self._console = console
        self._open_text = ''
        self._is_thinking = False
        self._has_printed = False
        self._parser = _make_markdown_parser()
        self._live = Live(
            console=console,
            get_renderable=self._render_open_text,
            refresh_per_second=12,
            transient=True,
            vertical_overflow='crop',
        )

    def __enter__(self) -> Screen:
        self._live.start()
        return self

    def text(self, fragment: str) -> None:
        self._add_fragment(fragment, is_thinking=False)

    def thinking(self, fragment: str) -> None:
        self._add_fragment(fragment, is_thinking=True)

    def finish(self) -> None:
        rest, self._open_text = self._open_text, ''
        self._live.stop()
        self._print_block(rest)

    def _add_fragment(self, fragment: str, *, is_thinking: bool) -> None:
        if is_thinking != self._is_thinking:
            done, self._open_text, self._is_thinking = self._open_text, '', is_thinking
            self._print_block(done, is_thinking=not is_thinking)
        self._open_text += CONTROL.sub('', fragment)
        if '\n' in fragment and (end := self._find_end_of_complete_blocks()):
            done, self._open_text = self._open_text[:end], self._open_text[end:]
            self._print_block(done, is_thinking=is_thinking)

    def _find_end_of_complete_blocks(self) -> int:
        """Return the index in the open text where its last block starts. More text cannot change the blocks before."""
        whole_lines = self._open_text[: self._open_text.rfind('\n') + 1]
        if self._is_thinking:
            return whole_lines.rfind('\n\n') + 1
        starts = [token.map[0] for token in self._parser.parse(whole_lines) if token.level == 0 and token.map]
        return sum(map(len, whole_lines.splitlines(keepends=True)[: max(starts, default=0)]))

    def _print_block(self, text: str, *, is_thinking: bool | None = None) -> None:
        lines = self._render_lines(text, is_thinking=self._is_thinking if is_thinking is None else is_thinking)
        if lines:
            if self._has_printed:
                self._console.print()
            self._console.print(_join_lines(lines), end='')
            self._has_printed = True

    def _render_open_text(self) -> RenderableType:
        """Render the last lines of the open text, as many as fit on the terminal."""
        lines = self._render_lines(self._open_text, is_thinking=self._is_thinking)
        room = max(self._console.height - 2, 1)
        return _join_lines([[], *lines][-room:] if self._has_printed else lines[-room:])

    def _render_lines(self, text: str, *, is_thinking: bool) -> list[list[Segment]]:
        """Render a text as lines, without the empty lines before and after it."""
        from rich.markdown import Markdown
        from rich.text import Text

        renderable = Text(text.strip(), style='dim') if is_thinking else Markdown(text)
        lines = self._console.render_lines(renderable, pad=False)
        filled = [number for number, line in enumerate(lines) if any(segment.text.strip() for segment in line)]
        return lines[filled[0] : filled[-1] + 1] if filled else []


def _join_lines(lines: list[list[Segment]]) -> RenderableType:
    from rich.segment import Segment, Segments

    return Segments([segment for line in lines for segment in (*line, Segment.line())])


def _make_markdown_parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt().enable('table')
