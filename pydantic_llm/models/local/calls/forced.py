"""An answer that must be one call: the engine holds it to the call's schema, so all of it is one JSON object."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .json_text import read_value
from .marked import call_from
from .reader import Call, Item

__all__ = ('ForcedReader',)


class ForcedReader:
    """Reads an answer that is one object; one that was cut is told as far as it goes."""

    def __init__(self, keys: tuple[str, str]) -> None:
        self._keys = keys
        self._held: list[str] = []

    def feed(self, text: str) -> Iterator[Item]:
        """Add text. Nothing is told before the end."""
        self._held.append(text)
        yield from ()

    def close(self, *, cut: bool) -> Iterator[Item]:
        """The answer is over."""
        text = ''.join(self._held).strip()
        self._held.clear()
        name_key, arguments_key = self._keys
        read = read_value(text)
        if read is not None:
            if (call := call_from(read[0], name_key=name_key, arguments_key=arguments_key)) is not None:
                yield call
            return
        pattern = rf'\{{\s*"{re.escape(name_key)}"\s*:\s*"([^"]+)"\s*,\s*"{re.escape(arguments_key)}"\s*:\s*(.*)'
        if (begun := re.match(pattern, text, re.DOTALL)) is not None:
            yield Call(begun[1], begun[2].strip())
        elif text and not cut:
            yield 'text', text
