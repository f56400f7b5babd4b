"""Reads rows, one at a time, from a file of JSON lines, of comma-separated values or in Parquet."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from .._extras import import_extra
from ..exceptions import UserError
from ..json_types import repair_json_text

__all__ = ('FILE_FORMATS', 'find_format', 'import_parquet', 'read_rows')

FILE_FORMATS = {
    '.jsonl': 'jsonl',
    '.ndjson': 'jsonl',
    '.csv': 'csv',
    '.tsv': 'tsv',
    '.parquet': 'parquet',
}
"""The endings of file names, and the formats for them."""

DELIMITERS = {'csv': ',', 'tsv': '\t'}

MAX_FIELD = 2**31 - 1
"""The largest number of characters in a field of a CSV file; Python's own limit is 131,072."""

NamedRow = tuple[str, dict[str, Any]]
"""The name of a row in errors, such as `'rows.jsonl, line 3'`, and its fields."""


def find_format(path: Path, *, option: str) -> str:
    """Return the format of a file by the ending of its name. Raises `UserError`, naming the option, for another one."""
    found = FILE_FORMATS.get(path.suffix.lower())
    if found is None:
        raise UserError(f'{option} {str(path)!r} has an unknown ending: use {", ".join(FILE_FORMATS)}')
    return found


def read_rows(path: Path) -> Iterator[NamedRow]:
    """Yield the rows of a file with their names. Raises `UserError` for a row that cannot be read."""
    found = find_format(path, option='the input')
    if found in DELIMITERS:
        return _read_csv(path, DELIMITERS[found])
    return _read_parquet(path) if found == 'parquet' else _read_json_lines(path)


def _read_json_lines(path: Path) -> Iterator[NamedRow]:
    with path.open('rb') as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            name = f'{path}, line {number}'
            try:
                text = line.decode('utf-8-sig' if number == 1 else 'utf-8')
                row: object = json.loads(repair_json_text(text))
            except (ValueError, RecursionError) as error:  # the latter for thousands of brackets in each other
                raise UserError(f'{name}: not JSON ({error})') from None
            if not isinstance(row, dict):
                raise UserError(f'{name}: not an object of fields, such as {{"text": "..."}}')
            yield name, cast('dict[str, Any]', row)


def _read_csv(path: Path, delimiter: str) -> Iterator[NamedRow]:
    csv.field_size_limit(MAX_FIELD)
    with path.open(encoding='utf-8-sig', newline='') as file:
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        try:
            header = next(reader, list[str]())
            _check_header(header, path)
            for values in reader:
                if not values:
                    continue
                name = f'{path}, line {reader.line_num}'
                if len(values) != len(header):
                    raise UserError(f'{name}: it has {len(values)} values, and the first line {len(header)} names')
                yield name, dict(zip(header, values, strict=True))
        except UnicodeDecodeError as error:
            raise UserError(f'{path}: not text in UTF-8 ({error.reason} after line {reader.line_num})') from None
        except csv.Error as error:
            raise UserError(f'{path}, line {reader.line_num}: {error}') from None


def _check_header(header: list[str], path: Path) -> None:
    if twice := next((name for name in header if header.count(name) > 1), None):
        raise UserError(f'{path}, line 1: there are two columns {twice!r}')


def _read_parquet(path: Path) -> Iterator[NamedRow]:
    parquet: Any = import_parquet()
    path.open('rb').close()  # a missing file is an `OSError` as for every other format
    number = 0
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=1000):
                for row in _cast_nanoseconds(batch).to_pylist():
                    yield f'{path}, row {number}', row
                    number += 1
    except _load_errors() as error:
        raise UserError(f'{path}: not a Parquet file that can be read ({" ".join(str(error).split())})') from None


def _cast_nanoseconds(batch: Any) -> Any:
    """Return a batch with text for the times in nanoseconds, as pandas writes them: Python's have microseconds."""
    arrow: Any = import_extra('pyarrow', extra='parquet', what='Parquet')
    kinds = (arrow.types.is_timestamp, arrow.types.is_time)
    for position, column in enumerate(batch.columns):
        if any(is_kind(column.type) for is_kind in kinds) and column.type.unit == 'ns':
            name = batch.schema.field(position).name
            batch = batch.set_column(position, name, column.cast(arrow.string()))
    return batch


def _load_errors() -> tuple[type[Exception], ...]:
    arrow: Any = import_extra('pyarrow', extra='parquet', what='Parquet')
    return (arrow.ArrowException, ValueError)  # the latter for nanoseconds inside of lists


def import_parquet() -> Any:
    """Return the module `pyarrow.parquet`. Raises `UserError` if it is not installed."""
    return import_extra('pyarrow.parquet', extra='parquet', what='Parquet')
