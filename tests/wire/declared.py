"""Declared differences between the package and the expectations of the recordings, with their reasons.

The rows are in the modules of `vendors`. A row that no case needs any more fails a test.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatch
from typing import NamedTuple


class Difference(NamedTuple):
    """A declared difference. `vendor` and `case` are globs, `path` is a regular expression."""

    what: str
    vendor: str
    case: str
    path: str
    reason: str

    def applies_to(self, what: str, vendor: str, case: str) -> bool:
        """Return whether it can occur in this case."""
        return what == self.what and fnmatch(vendor, self.vendor) and fnmatch(case, self.case)


class Declared:
    """Filters declared differences out of the result of a comparison, and records which rows it used."""

    def __init__(self, rows: Sequence[Difference]) -> None:
        self.rows = rows
        self.used: set[Difference] = set()

    def filter(self, what: str, vendor: str, case: str, found: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """Return the differences, as (path, message), that are not declared."""
        undeclared: list[tuple[str, str]] = []
        for path, message in found:
            row = next((r for r in self.rows if r.applies_to(what, vendor, case) and re.fullmatch(r.path, path)), None)
            if row is None:
                undeclared.append((path, message))
            else:
                self.used.add(row)
        return undeclared
