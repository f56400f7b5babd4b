"""Calls that look like Python: `[get_weather(city='Paris'), add(a=1, b=2)]`, as Llama writes them when told to."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator
from typing import Any

from .json_text import end_of_value, to_args
from .reader import Call, Item

__all__ = ('PythonicReader',)

MARKS = ('<|python_start|>', '<|python_end|>', '<|python_tag|>')
"""What such a list may stand between."""

WORDS = {'true': True, 'false': False, 'null': None}


class PythonicReader:
    """Reads an answer that is a list of calls; an answer that begins with anything else is text."""

    def __init__(self, tools: Collection[str]) -> None:
        self._tools = frozenset(tools)
        self._held = ''
        self._is_text = False

    def feed(self, text: str) -> Iterator[Item]:
        """Add text, and get what is decided."""
        self._held += text
        if not self._is_text and self._could_be_calls():
            return
        self._is_text = True
        held, self._held = self._held, ''
        yield 'text', held

    def close(self, *, cut: bool) -> Iterator[Item]:
        """The answer is over."""
        held, self._held = self._held, ''
        if self._is_text or not held:
            return
        calls = self._calls(held, cut=cut)
        if calls is not None:
            yield from calls
        elif not cut:
            yield 'text', held

    def _could_be_calls(self) -> bool:
        begun = _unmarked(self._held)
        if any(mark.startswith(begun) for mark in MARKS):
            return True
        if not begun.startswith('['):
            return False
        name = re.match(r'\[\s*([\w.]*)(\s*\()?', begun)
        if name is None:
            return False
        rest = begun[name.end() :]
        if name[2]:
            return name[1] in self._tools
        return not rest.strip() and any(tool.startswith(name[1]) for tool in self._tools)

    def _calls(self, text: str, *, cut: bool) -> list[Call] | None:
        """The calls; those before the place where the answer was cut; `None` where it is none of this."""
        text = _unmarked(text)
        end = end_of_value(text)
        calls: list[Call] = []
        try:
            tree = ast.parse(text[:end].strip(), mode='eval')
        except (SyntaxError, ValueError, MemoryError, RecursionError):
            return self._before_the_cut(text) if cut else None
        if not isinstance(tree.body, ast.List):
            return None
        for node in tree.body.elts:
            call = _call(node)
            if call is None or call.name not in self._tools:
                return None
            calls.append(call)
        return calls

    def _before_the_cut(self, text: str) -> list[Call] | None:
        """The calls that were whole before the answer was cut."""
        while (at := text.rfind(')')) > 0:
            text = text[: at + 1]
            try:
                tree = ast.parse(f'{text}]', mode='eval')
            except (SyntaxError, ValueError, MemoryError, RecursionError):
                text = text[:at]
                continue
            found = [_call(node) for node in tree.body.elts] if isinstance(tree.body, ast.List) else []
            return [call for call in found if call is not None and call.name in self._tools]
        return []


def _unmarked(text: str) -> str:
    text = text.lstrip()
    for mark in MARKS:
        text = text.removeprefix(mark)
    return text.lstrip()


def _call(node: ast.expr) -> Call | None:
    if not isinstance(node, ast.Call) or node.args or any(keyword.arg is None for keyword in node.keywords):
        return None
    try:
        args = {f'{keyword.arg}': _literal(keyword.value) for keyword in node.keywords}
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
    return Call(ast.unparse(node.func), to_args(args))


def _literal(node: ast.expr) -> Any:
    if isinstance(node, ast.Name) and node.id in WORDS:
        return WORDS[node.id]
    return ast.literal_eval(node)
