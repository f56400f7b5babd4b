"""Shows the code of each step on the left and its result on the right. With `rich`, in colour and while it arrives."""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from .steps import Step

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

__all__ = ('Board', 'Screen', 'source_of', 'text_of')

WIDTH = 100
"""The width of the screen, in columns."""

CODE_WIDTH = 66
"""The width of its left side, in columns, including the gap on its right."""


class Screen:
    """The output of the tour: a terminal with colours, or plain lines. A narrow terminal has only one side."""

    def __init__(self) -> None:
        self.console: Console | None = _open_console()
        """`None` if the output is no terminal, or if `rich` is not installed."""
        self.width: int = min(WIDTH, self.console.width) if self.console else WIDTH

    def print(self, text: str = '', *, style: str = '') -> None:
        if self.console is None:
            print(text)
        else:
            self.console.print(text, style=style, markup=False, highlight=False)

    def rule(self, title: str = '', right_title: str = '') -> None:
        """Print a horizontal line with a title, and another title above the right side."""
        left = f'── {title} ' if title else ''
        right = f' {right_title} ' if right_title and self.width == WIDTH else ''
        self.print(f'{left:─<{CODE_WIDTH - 1}}{right:─<{self.width - CODE_WIDTH + 1}}'[: self.width], style='bold')


class Board:
    """Shows one step on the screen, within a `with` block."""

    def __init__(self, screen: Screen, step: Step) -> None:
        self._screen = screen
        self._code = source_of(step)
        self._results: dict[str, tuple[str, str]] = {}
        self._stack = ExitStack()
        self._refresh: Callable[[], None] = lambda: None

    def __enter__(self) -> Board:
        console = self._screen.console
        if console is not None:
            from rich.live import Live

            live = Live(console=console, get_renderable=self._render, auto_refresh=False)
            self._refresh = self._stack.enter_context(live).refresh
        return self

    def __exit__(self, *exception: object) -> None:
        console = self._screen.console
        self._refresh()
        self._stack.close()
        if console is None:
            print('\n'.join(self._plain_lines()))

    def write(self, vendor: str, text: str, facts: str = '...') -> None:
        """Show the text of a vendor's result so far, with facts on it in the line above."""
        self._results[vendor] = (text, facts)
        self._refresh()

    def _render(self) -> RenderableType:
        from rich.console import Group
        from rich.syntax import Syntax
        from rich.table import Table
        from rich.text import Text

        results = Text()
        for vendor, (text, facts) in self._results.items():
            results.append('\n' if results else '').append(f'{vendor:10}', 'bold cyan').append(f'{facts}\n', 'dim')
            results.append('\n'.join(self._wrap(text)))
        code = Syntax(self._code, 'python', theme='ansi_dark', background_color='default')
        if self._screen.width < WIDTH:
            return Group(code, results)
        table = Table.grid()
        table.add_column(width=CODE_WIDTH)
        table.add_column(width=WIDTH - CODE_WIDTH)
        table.add_row(code, results)
        return table

    def _plain_lines(self) -> Iterable[str]:
        results: list[str] = []
        for vendor, (text, facts) in self._results.items():
            results += [f'{vendor:10}{facts}', *self._wrap(text)]
        for code, result in zip_longest(self._code.splitlines(), results, fillvalue=''):
            yield f'{code:{CODE_WIDTH}}{result}'.rstrip()

    def _wrap(self, text: str) -> list[str]:
        room = WIDTH - CODE_WIDTH if self._screen.width == WIDTH else self._screen.width
        return [line for part in text.splitlines() for line in textwrap.wrap(part, room)]


def source_of(step: Step) -> str:
    """Return the source to show: the body of the function that runs the step, and the definitions that it uses."""
    sources = [_trim_source(inspect.getsource(code), body_only=code is step.run) for code in step.code]
    return '\n'.join(filter(None, (step.imports, *sources))).replace('show(', 'print(')


def _trim_source(source: str, *, body_only: bool) -> str:
    """Remove the docstring of a class, or the signature, docstring and `return` of a function if `body_only`."""
    definition: Any = ast.parse(source).body[0]
    removed: list[Any] = [node for node in ast.walk(definition) if isinstance(node, ast.Return)] if body_only else []
    if body_only or isinstance(definition, ast.ClassDef):
        removed.append(definition.body[0])  # the docstring
    lines = source.splitlines()
    for node in removed:
        lines[node.lineno - 1 : node.end_lineno] = [''] * (node.end_lineno - node.lineno + 1)
    first = definition.body[0].lineno if body_only else 1
    return textwrap.dedent('\n'.join(line for line in lines[first - 1 :] if line.strip()))


def text_of(shown: object) -> str:
    """Return the text of an object that a step shows."""
    return shown if isinstance(shown, str) else repr(shown)


def _open_console() -> Console | None:
    if not sys.stdout.isatty():
        return None
    try:
        from rich.console import Console
    except ImportError:
        return None
    return Console()
