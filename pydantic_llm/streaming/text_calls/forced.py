"""Read a response that must be one tool call: a constraint holds it to one JSON object."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .json_text import parse_value
from .marked import decode_call
from .reader import CallKeys, Item, ToolCall

__all__ = ('ForcedReader',)


class ForcedReader:
    """Reads a response that is one JSON object."""

    def __init__(self, keys: CallKeys) -> None:
        self._keys = keys
        self._texts: list[str] = []

    def feed(self, text: str) -> Iterator[Item]:
        self._texts.append(text)
        yield from ()

    def close(self, *, truncated: bool) -> Iterator[Item]:
        text = ''.join(self._texts).strip()
        self._texts.clear()
        parsed = parse_value(text)
        if parsed is not None:
            if (call := decode_call(parsed[0], self._keys)) is not None:
                yield call
            return
        name_key, arguments_key = map(re.escape, self._keys)
        pattern = rf'\{{\s*"{name_key}"\s*:\s*"([^"]+)"\s*,\s*"{arguments_key}"\s*:\s*(.*)'
        if (partial := re.match(pattern, text, re.DOTALL)) is not None:
            yield ToolCall(partial[1], partial[2].strip())
        elif text and not truncated:
            yield 'text', text
