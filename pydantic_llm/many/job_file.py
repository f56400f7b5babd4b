"""`JobFile`: the options that a file of results was made with, so that no other options continue it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from os import SEEK_END
from pathlib import Path
from typing import IO, Any, cast

from pydantic_core import from_json, to_json

from ..exceptions import UserError

__all__ = ('JobFile',)

FORM = 'results-1'
"""The form of these files."""

MAX_SHOWN = 60
"""Characters of an option that an error shows."""


class JobFile:
    """The file `out.jsonl.job` for the results in `out.jsonl`. Only one process has it open at a time.

    The first line has the options, each further one an event of the job, such as the id of a batch.
    """

    def __init__(self, results: Path, options: Mapping[str, Any]) -> None:
        _check_path(results)
        self.results = results
        self.path: Path = results.with_name(f'{results.name}.job')
        self._options: dict[str, Any] = json.loads(to_json({'form': FORM, **options}, fallback=str))
        self._file: IO[bytes] | None = None
        self.events: list[dict[str, Any]] = []
        """The events of this job, also those of earlier processes."""

    def open(self) -> bool:
        """Open the file, or create it. Return whether the job was begun before.

        Raises `UserError` if the results were made with other options or without this file, or if another process
        has the file open.
        """
        file = self._file = self.path.open('ab+')
        try:
            _lock(file, self.results)
            file.seek(0)
            first, *others = [*file.read().split(b'\n')[:-1]] or [b'']  # the last line may be incomplete
            if first:
                self._compare(_parse(first, self.path))
                self.events = [_parse(line, self.path) for line in others]
                return True
            if self.results.exists() and self.results.stat().st_size:
                raise UserError(
                    f'{str(self.results)!r} exists, and {self.path.name!r} does not say how it was made: '
                    'name another file, or delete it'
                )
            file.truncate(0)
            self.add(self._options)
        except BaseException:
            self.close(delete=not file.seek(0, SEEK_END))
            raise
        return False

    def add(self, event: Mapping[str, Any]) -> None:
        """Add an event, which is on disk then."""
        assert self._file is not None, 'open() was called'
        self._file.write(to_json(event, fallback=str) + b'\n')
        self._file.flush()
        if event is not self._options:
            self.events.append(dict(event))

    def close(self, *, delete: bool = False) -> None:
        """Close the file, so that another process can open it; or delete it, if nothing depends on it."""
        if self._file is not None:
            if delete and not self.events:
                self.path.unlink(missing_ok=True)
            self._file.close()
            self._file = None

    def _compare(self, before: dict[str, Any]) -> None:
        """Raise `UserError` if the options before are not those of now."""
        if before == self._options:
            return
        names = [name for name in {**before, **self._options} if before.get(name) != self._options.get(name)]
        changes = [f'{name} was {_show(before.get(name))} and is {_show(self._options.get(name))}' for name in names]
        raise UserError(
            f'{str(self.results)!r} was made with other options: {"; ".join(changes)}. Name another file, or delete '
            f'{self.results.name!r} and {self.path.name!r} to start again'
        )


def _check_path(path: Path) -> None:
    """Raise `UserError` if no file can have this path."""
    if not path.name or path.is_dir():
        raise UserError(f'{str(path)!r} is a folder: name a file for the results')
    if not path.parent.is_dir():
        raise UserError(f'{str(path)!r} cannot be written: there is no folder {str(path.parent)!r}')


def _parse(line: bytes, path: Path) -> dict[str, Any]:
    try:
        found = from_json(line)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise UserError(f'{str(path)!r} is not the file of a job: delete it, or name another output')
    return cast('dict[str, Any]', found)


def _show(value: object) -> str:
    text = repr(value)
    return text if len(text) <= MAX_SHOWN else f'{text[:MAX_SHOWN]}...'


def _lock(file: IO[bytes], results: Path) -> None:
    """Lock the file until it is closed, or its process ends. Not on Windows."""
    try:
        import fcntl
    except ImportError:
        return
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UserError(f'{str(results)!r} is being written by another process') from None
