"""`Journal`: a file of JSON lines, one for each row that is done, which survives the end of its process at any moment.

A line is added by one write, so that only the last line can be incomplete; it is removed when the file is opened again.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from pydantic_core import from_json

from ..exceptions import UserError
from .encoding import encode_json

__all__ = ('ROW', 'Journal', 'remove_incomplete_end', 'replace_file')

ROW = 'row'
"""The first field of each line: the position of the row among all rows, from 0."""

MISSING = -1


class Journal:
    """Lines by the positions of their rows, each position at most once. It keeps 8 bytes per row in memory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offsets = array('q')
        self._count = 0
        self._end = 0
        self._is_sorted = True
        self._last = -1
        self._file: int | None = None

    def __len__(self) -> int:
        """The number of rows that are done."""
        return self._count

    def __contains__(self, index: int) -> bool:
        return index < len(self._offsets) and self._offsets[index] != MISSING

    def open(self) -> Iterator[dict[str, Any]]:
        """Open the file, which may not exist yet, and yield its lines. Read all of them before anything is added.

        Raises `UserError` for a line that this class did not write.
        """
        remove_incomplete_end(self.path)
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, 'O_BINARY', 0), 0o666)
        with self.path.open('rb') as lines:
            for number, line in enumerate(lines, 1):
                record = _parse_line(line, f'{self.path}, line {number}')
                if record[ROW] in self:
                    raise UserError(f'{self.path}, line {number}: row {record[ROW]} is there twice')
                self._record_line(record[ROW], len(line))
                yield record

    def add(self, index: int, fields: Mapping[str, Any]) -> None:
        """Write the line of a row. Raises `OSError` if the disk is full, and then removes what was written of it."""
        assert self._file is not None, 'open() was called'
        line = encode_json({ROW: index, **fields}) + b'\n'
        rest = memoryview(line)
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError:
            os.ftruncate(self._file, self._end)  # another row may be added after this one
            raise
        self._record_line(index, len(line))

    def read(self, index: int) -> dict[str, Any]:
        """Return the line of a row that is done."""
        with self.path.open('rb') as lines:
            lines.seek(self._offsets[index])
            return _parse_line(lines.readline(), f'{self.path}, row {index}')

    def read_in_order(self) -> Iterator[bytes]:
        """Yield the lines in the order of their rows."""
        with self.path.open('rb') as lines:
            for offset in self._offsets:
                if offset != MISSING:
                    lines.seek(offset)
                    yield lines.readline()

    def sort(self) -> None:
        """Write the file again in the order of the rows, unless it has this order."""
        if not self._is_sorted:
            replace_file(self.path, self.read_in_order())
        self.close()

    def remove(self, is_unwanted: Callable[[dict[str, Any]], bool]) -> None:
        """Remove lines from the file, before it is opened. The new file replaces the old one when it is complete."""
        if self.path.exists():
            remove_incomplete_end(self.path)
            with self.path.open('rb') as lines:
                replace_file(self.path, (line for line in lines if not is_unwanted(_parse_line(line, str(self.path)))))

    def close(self) -> None:
        """Close the file, whose content is on disk then. An empty file is deleted."""
        if self._file is not None:
            os.fsync(self._file)
            is_empty = not os.fstat(self._file).st_size
            os.close(self._file)
            self._file = None
            if is_empty:
                self.path.unlink(missing_ok=True)

    def _record_line(self, index: int, length: int) -> None:
        if index >= len(self._offsets):
            self._offsets.extend([MISSING] * (index + 1 - len(self._offsets)))
        self._offsets[index] = self._end
        self._end += length
        self._count += 1
        self._is_sorted = self._is_sorted and index > self._last
        self._last = index


def replace_file(path: Path, pieces: Iterator[bytes]) -> None:
    """Write a file under another name, and give it this name when it is complete and on disk. A link stays."""
    path = path.resolve()
    new = path.with_name(f'.{path.name}.new')
    with new.open('wb') as file:
        file.writelines(pieces)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def _parse_line(line: bytes, name: str) -> dict[str, Any]:
    try:
        found = from_json(line)
    except ValueError as error:
        raise UserError(f'{name}: not a line of results ({error})') from None
    record = cast('dict[str, Any]', found) if isinstance(found, dict) else {}
    index = record.get(ROW)
    if not isinstance(index, int) or index < 0:
        raise UserError(f'{name}: not a line of results')
    return record


BLOCK = 1 << 16
"""The number of bytes to read at a time from the end of a file."""


def remove_incomplete_end(path: Path) -> None:
    """Remove what follows the last line break: a line that was not written completely."""
    if not path.exists():
        return
    with path.open('rb+') as file:
        end = file.seek(0, os.SEEK_END)
        while end > 0:
            start = max(end - BLOCK, 0)
            file.seek(start)
            found = file.read(end - start).rfind(b'\n')
            if found >= 0:
                end = start + found + 1
                break
            end = start
        file.truncate(end)
