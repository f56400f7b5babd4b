"""Where an answer is shown as it comes: Markdown on a terminal, plain text in a pipe, thoughts dimmed.

On a terminal, what is finished (a paragraph, a list, a block of code) is printed for good, and only what is still being
written is drawn anew.
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
"""Characters that could make a terminal do other things than show text."""

DIM, NORMAL = '\x1b[2m', '\x1b[0m'


class Screen(ABC):
    """Shows one answer, within a `with` block."""

    @abstractmethod
    def text(self, fragment: str) -> None:
        """Show more text."""

    @abstractmethod
    def thinking(self, fragment: str) -> None:
        """Show more of the thoughts."""

    @abstractmethod
    def finish(self) -> None:
        """The answer is over, or was interrupted: leave the terminal in order."""

    def __enter__(self) -> Screen:
        return self

    def __exit__(self, *exception: object) -> None:
        self.finish()


def open_screen() -> Screen:
    """The best way to show an answer here. Without the extra `cli` it is plain text."""
    if not sys.stdout.isatty():
        return PlainScreen(sys.stdout)
    try:
        from rich.console import Console
    except ImportError:
        return PlainScreen(sys.stdout, is_terminal=True)
    console = Console()
    return PlainScreen(sys.stdout, is_terminal=True) if console.is_dumb_terminal else MarkdownScreen(console)


class PlainScreen(Screen):
    """Text as it comes. A pipe gets the answer alone, a terminal the thoughts as well."""

    def __init__(self, out: TextIO, *, is_terminal: bool = False) -> None:
        self._out = out
        self._is_terminal = is_terminal
        self._thinks = False
        self._last = '\n'

    def text(self, fragment: str) -> None:
        """Write it."""
        self._stop_thinking()
        self._write(fragment)

    def thinking(self, fragment: str) -> None:
        """Write it dimmed on a terminal, and nowhere else."""
        if self._is_terminal:
            self._out.write('' if self._thinks else DIM)
            self._thinks = True
            self._write(fragment)

    def finish(self) -> None:
        """End the line."""
        self._stop_thinking()
        if self._last != '\n':
            self._write('\n')

    def _stop_thinking(self) -> None:
        if self._thinks:
            self._thinks = False
            self._out.write(NORMAL)
            self._write('\n' if self._last == '\n' else '\n\n')

    def _write(self, text: str) -> None:
        shown = CONTROL.sub('', text) if self._is_terminal else text
        self._out.write(shown)
        self._out.flush()
        self._last = shown[-1:] or self._last


class MarkdownScreen(Screen):
    """Markdown on a terminal."""

    def __init__(self, console: Console) -> None:
        from rich.live import Live

        self._console = console
        self._open = ''
        self._thinks = False
        self._printed = False
        self._parser = _markdown_parser()
        self._live = Live(
            console=console, get_renderable=self._tail, refresh_per_second=12, transient=True, vertical_overflow='crop'
        )

    def __enter__(self) -> Screen:
        self._live.start()
        return self

    def text(self, fragment: str) -> None:
        """Show it as Markdown."""
        self._add(fragment, thinks=False)

    def thinking(self, fragment: str) -> None:
        """Show it dimmed."""
        self._add(fragment, thinks=True)

    def finish(self) -> None:
        """Print what was still open for good."""
        rest, self._open = self._open, ''
        self._live.stop()
        self._print(rest)

    def _add(self, fragment: str, *, thinks: bool) -> None:
        if thinks != self._thinks:
            done, self._open, self._thinks = self._open, '', thinks
            self._print(done, thinks=not thinks)
        self._open += CONTROL.sub('', fragment)
        if '\n' in fragment and (end := self._end_of_what_is_finished()):
            done, self._open = self._open[:end], self._open[end:]
            self._print(done, thinks=thinks)

    def _end_of_what_is_finished(self) -> int:
        """Where the last block begins: nothing that comes can change the ones before it."""
        whole_lines = self._open[: self._open.rfind('\n') + 1]
        if self._thinks:
            return whole_lines.rfind('\n\n') + 1
        starts = [token.map[0] for token in self._parser.parse(whole_lines) if token.level == 0 and token.map]
        return sum(map(len, whole_lines.splitlines(keepends=True)[: max(starts, default=0)]))

    def _print(self, text: str, *, thinks: bool | None = None) -> None:
        lines = self._lines(text, thinks=self._thinks if thinks is None else thinks)
        if lines:
            if self._printed:
                self._console.print()
            self._console.print(_joined(lines), end='')
            self._printed = True

    def _tail(self) -> RenderableType:
        """As much of the end of what is still open as the terminal has room for."""
        lines = self._lines(self._open, thinks=self._thinks)
        room = max(self._console.height - 2, 1)
        return _joined([[], *lines][-room:] if self._printed else lines[-room:])

    def _lines(self, text: str, *, thinks: bool) -> list[list[Segment]]:
        """The text as drawn, without the empty lines that blocks of Markdown put around themselves."""
        from rich.markdown import Markdown
        from rich.text import Text

        drawn = Text(text.strip(), style='dim') if thinks else Markdown(text)
        lines = self._console.render_lines(drawn, pad=False)
        full = [number for number, line in enumerate(lines) if any(segment.text.strip() for segment in line)]
        return lines[full[0] : full[-1] + 1] if full else []


def _joined(lines: list[list[Segment]]) -> RenderableType:
    from rich.segment import Segment, Segments

    return Segments([segment for line in lines for segment in (*line, Segment.line())])


def _markdown_parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt().enable('table')
