"""JSON as models write it: with Python's quotes and words, a brace too many, a comma at the end, or cut short."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from json import JSONDecodeError, JSONDecoder, dumps
from typing import Any, cast

__all__ = ('end_of_value', 'read_value', 'to_args')

CLOSING = {'{': '}', '[': ']'}

_decoder = JSONDecoder(strict=False)


def end_of_value(text: str, start: int = 0) -> int | None:
    """Where the object or list ends that begins at `start`; `None` where it is not whole. Strings are stepped over."""
    depth = 0
    position = start
    while position < len(text):
        character = text[position]
        if character in '"\'' and depth:
            end = _end_of_string(text, position)
            if end is None:
                return None
            position = end
            continue
        if character in '{[':
            depth += 1
        elif character in '}]':
            depth -= 1
            if depth <= 0:
                return position + 1
        position += 1
    return None


def _end_of_string(text: str, start: int) -> int | None:
    quote = text[start]
    position = start + 1
    while position < len(text):
        if text[position] == '\\':
            position += 1
        elif text[position] == quote:
            return position + 1
        position += 1
    return None


def read_value(text: str) -> tuple[Any, int] | None:
    """The JSON or Python value that the text begins with, and where it ends; `None` where there is none."""
    begun = len(text) - len(text.lstrip())
    if not text[begun:]:
        return None
    try:
        return _decoder.raw_decode(text, begun)
    except (JSONDecodeError, RecursionError):
        pass
    end = end_of_value(text, begun) if text[begun] in CLOSING else None
    return None if end is None else _read_python(text[begun:end], end)


def _read_python(text: str, end: int) -> tuple[Any, int] | None:
    """A value as Python writes it, maybe with JSON's words in it."""
    for candidate in (text, _with_python_words(text)):
        try:
            return ast.literal_eval(candidate), end
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
    return None


def _with_python_words(text: str) -> str:
    """The text with `true`, `false` and `null` outside strings as Python writes them."""
    words = {'true': 'True', 'false': 'False', 'null': 'None'}
    found: list[str] = []
    position = 0
    while position < len(text):
        if text[position] in '"\'':
            end = _end_of_string(text, position) or len(text)
            found.append(text[position:end])
            position = end
            continue
        word = next((word for word in words if text.startswith(word, position)), None)
        found.append(words[word] if word else text[position])
        position += len(word) if word else 1
    return ''.join(found)


def to_args(value: Any) -> str:
    """Arguments as JSON text. Text that holds JSON is taken as it is; `None` is no arguments."""
    if value is None:
        return '{}'
    if isinstance(value, str):
        return value or '{}'
    return dumps(_plain(value), ensure_ascii=False)


def _plain(value: Any) -> Any:
    """A value with nothing in it that JSON does not have."""
    match value:
        case Mapping():
            return {str(name): _plain(item) for name, item in cast('Mapping[object, object]', value).items()}
        case list() | tuple() | set():
            return [_plain(item) for item in cast('list[object]', value)]
        case str() | int() | float() | None:
            return value
        case _:
            return str(value)
