"""The code of each step on the left, what came of it on the right; `rich` adds colour, and shows it as it comes."""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from ..messages import PartDeltaEvent, PartStartEvent, TextPart, TextPartDelta
from .steps import Step

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

__all__ = ('Board', 'Screen', 'code_of', 'text_of')

WIDTH, CODE = 100, 66
"""The columns of the screen, and of its left side with the gap beside it."""


class Screen:
    """Where the tour is shown: a terminal with colours, or plain lines. A narrow one has no sides."""

    def __init__(self) -> None:
        self.console = _console()
        """The terminal; `None` without `rich`."""
        self.width = min(WIDTH, self.console.width) if self.console else WIDTH
        """Its columns."""

    def say(self, text: str = '', *, style: str = '') -> None:
        """Write some lines."""
        if self.console is None:
            print(text)
        else:
            self.console.print(text, style=style, markup=False, highlight=False)

    def rule(self, title: str = '', beside: str = '') -> None:
        """Draw a line with a title in it, and another one over the right side."""
        left = f'── {title} ' if title else ''
        right = f' {beside} ' if beside and self.width == WIDTH else ''
        self.say(f'{left:─<{CODE - 1}}{right:─<{self.width - CODE + 1}}'[: self.width], style='bold')


class Board:
    """One step on the screen, within a `with` block."""

    def __init__(self, screen: Screen, step: Step) -> None:
        self._screen = screen
        self._code = code_of(step)
        self._results: dict[str, tuple[str, str]] = {}
        self._stack = ExitStack()
        self._refresh: Callable[[], None] = lambda: None

    def __enter__(self) -> Board:
        console = self._screen.console
        if console is not None and console.is_terminal:
            from rich.live import Live

            live = Live(console=console, get_renderable=self._drawn, auto_refresh=False)
            self._refresh = self._stack.enter_context(live).refresh
        return self

    def __exit__(self, *exception: object) -> None:
        console = self._screen.console
        self._refresh()
        self._stack.close()
        if console is None:
            print('\n'.join(self._plain()))
        elif not console.is_terminal:
            console.print(self._drawn())

    def write(self, vendor: str, text: str, facts: str = '...') -> None:
        """Show what a vendor has said so far, and what is known of it."""
        self._results[vendor] = (text, facts)
        self._refresh()

    def _drawn(self) -> RenderableType:
        from rich.console import Group
        from rich.syntax import Syntax
        from rich.table import Table
        from rich.text import Text

        results = Text()
        for vendor, (text, facts) in self._results.items():
            results.append('\n' if results else '').append(f'{vendor:10}', 'bold cyan').append(f'{facts}\n', 'dim')
            results.append('\n'.join(self._wrapped(text)))
        code = Syntax(self._code, 'python', theme='ansi_dark', background_color='default')
        if self._screen.width < WIDTH:
            return Group(code, results)
        table = Table.grid()
        table.add_column(width=CODE)
        table.add_column(width=WIDTH - CODE)
        table.add_row(code, results)
        return table

    def _plain(self) -> Iterable[str]:
        results: list[str] = []
        for vendor, (text, facts) in self._results.items():
            results += [f'{vendor:10}{facts}', *self._wrapped(text)]
        for code, result in zip_longest(self._code.splitlines(), results, fillvalue=''):
            yield f'{code:{CODE}}{result}'.rstrip()

    def _wrapped(self, text: str) -> list[str]:
        room = WIDTH - CODE if self._screen.width == WIDTH else self._screen.width
        return [line for part in text.splitlines() for line in textwrap.wrap(part, room)]


def code_of(step: Step) -> str:
    """The source of a step: the body of the function that runs it, and all of what that uses."""
    return '\n'.join(_shown(inspect.getsource(code), body_only=code is step.run) for code in step.code)


def _shown(source: str, *, body_only: bool) -> str:
    definition: Any = ast.parse(source).body[0]
    hidden: list[Any] = [node for node in ast.walk(definition) if isinstance(node, ast.Return)] if body_only else []
    if body_only or isinstance(definition, ast.ClassDef):
        hidden.append(definition.body[0])  # the docstring
    lines = source.splitlines()
    for node in hidden:
        lines[node.lineno - 1 : node.end_lineno] = [''] * (node.end_lineno - node.lineno + 1)
    first = definition.body[0].lineno if body_only else 1
    return textwrap.dedent('\n'.join(line for line in lines[first - 1 :] if line.strip()))


def text_of(shown: object) -> str:
    """What is seen of something that a step shows."""
    match shown:
        case str():
            return shown
        case PartStartEvent(part=TextPart(content=text)) | PartDeltaEvent(delta=TextPartDelta(content_delta=text)):
            return text
        case _ if hasattr(shown, 'event_kind'):
            return ''
        case _:
            return repr(shown)


def _console() -> Console | None:
    try:
        from rich.console import Console
    except ImportError:
        return None
    return Console(width=None if sys.stdout.isatty() else WIDTH)
