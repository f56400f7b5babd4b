"""`BatchOptions`: where a server keeps the batches of its clients, for how long, and how it runs them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..._checks import LONGEST, check_number
from ..._type_checks import check_type
from ...exceptions import UserError

__all__ = ('BatchOptions',)

DAY = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOptions:
    """The batches of a server. Raises `UserError` for an invalid value."""

    folder: str | Path | None = None
    """The folder for files and batches. A server that is started again goes on with the batches in it.

    `None` keeps them in a temporary folder, until the server stops. Two servers cannot share a folder."""
    concurrency: int = 8
    """The number of requests of all batches that run at the same time."""
    expire_after: float = DAY
    """Seconds after which the requests of a batch that did not run are expired."""
    keep_for: float = 2 * DAY
    """Seconds after which a file, and a batch that has ended, is deleted."""
    max_file_bytes: int = 200_000_000
    """The size of the largest file."""
    max_stored_bytes: int = 2_000_000_000
    """The size of all files together."""

    def __post_init__(self) -> None:
        check_type(self.folder, (str, Path, type(None)), parameter='folder', expected='a path')
        for name in ('concurrency', 'max_file_bytes', 'max_stored_bytes'):
            check_number(name, getattr(self, name), least=1, whole=True, required=True)
        for name in ('expire_after', 'keep_for'):
            check_number(name, getattr(self, name), above=0, required=True)
            if getattr(self, name) > LONGEST:
                raise UserError(f'{name} is {getattr(self, name)!r}: give at most {LONGEST:g} seconds')
