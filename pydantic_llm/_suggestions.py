"""The end of an error for an unknown name: the known names that are similar to it."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ('suggest', 'suggest_or_list')


def suggest(name: object, known: Iterable[str], *, most: int = 1) -> str:
    """Return `"; did you mean 'a'?"`, with at most this number of similar names, or an empty text."""
    near = get_close_matches(str(name), [*known], most)
    return f'; did you mean {" or ".join(map(repr, near))}?' if near else ''


def suggest_or_list(name: object, known: Iterable[str], *, most: int = 1) -> str:
    """Return the text of `suggest`, or if it is empty, `"; known are a, b"` with all names."""
    names = [*known]
    return suggest(name, names, most=most) or f'; known are {", ".join(names)}'
