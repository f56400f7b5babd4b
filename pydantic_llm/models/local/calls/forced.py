"""Read a response that must be one tool call: a constraint holds it to one JSON object."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .json_text import parse_value
from .marked import decode_call
from .reader import Item, ToolCall

__all__ = ('ForcedReader',)


class ForcedReader:
    """Reads a response that is one JSON object."""

    def __init__(self, keys: tuple[str, str]) -> None:
        self._keys = keys
        self._texts: list[str] = []

    def feed(self, text: str) -> Iterator[Item]:
        self._texts.append(text)
        yield from ()

    def close(self, *, truncated: bool) -> Iterator[Item]:
        text = ''.join(self._texts).strip()
        self._texts.clear()
        name_key, arguments_key = self._keys
        parsed = parse_value(text)
        if parsed is not None:
            if (call := decode_call(parsed[0], name_key=name_key, arguments_key=arguments_key)) is not None:
                yield call
            return
        pattern = rf'\{{\s*"{re.escape(name_key)}"\s*:\s*"([^"]+)"\s*,\s*"{re.escape(arguments_key)}"\s*:\s*(.*)'
        if (partial := re.match(pattern, text, re.DOTALL)) is not None:
            yield ToolCall(partial[1], partial[2].strip())
        elif text and not truncated:
            yield 'text', text
