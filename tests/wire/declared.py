"""Where we differ from what the recordings say is right, and why. A row that no case needs any more fails a test.

The rows stand beside the vendors that they speak of, in `vendors`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatch
from typing import NamedTuple


class Difference(NamedTuple):
    """A difference that was decided on. `vendor` and `case` are globs, `path` is a regular expression."""

    what: str
    vendor: str
    case: str
    path: str
    reason: str

    def speaks_of(self, what: str, vendor: str, case: str) -> bool:
        """Whether it can occur in this case."""
        return what == self.what and fnmatch(vendor, self.vendor) and fnmatch(case, self.case)


class Declared:
    """Takes what was decided on out of the differences that a comparison found, and remembers which rows it needed."""

    def __init__(self, rows: Sequence[Difference]) -> None:
        self.rows = rows
        self.used: set[Difference] = set()

    def filter(self, what: str, vendor: str, case: str, found: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """The differences, as (path, what was wanted), that nobody decided on."""
        left: list[tuple[str, str]] = []
        for path, message in found:
            row = next((r for r in self.rows if r.speaks_of(what, vendor, case) and re.fullmatch(r.path, path)), None)
            if row is None:
                left.append((path, message))
            else:
                self.used.add(row)
        return left
