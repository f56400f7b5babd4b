"""Writes results as a table: comma-separated values, or Parquet with typed columns."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from .._extras import import_extra
from .columns import Kind, iter_values
from .files import DELIMITERS, import_parquet
from .journal import replace_file

__all__ = ('write_table',)

BATCH = 1000
"""The number of rows that are written at a time."""


def write_table(path: Path, format: str, kinds: Mapping[str, Kind], lines: Iterable[bytes]) -> None:
    """Write lines of JSON as a table. The file appears when it is complete. `kinds` are those of the columns."""
    records = map(from_json, lines)
    if format == 'parquet':
        _write_parquet(path, kinds, records)
    else:
        replace_file(path, _encode_csv(kinds, records, DELIMITERS[format]))


def _encode_csv(kinds: Mapping[str, Kind], records: Iterator[dict[str, Any]], delimiter: str) -> Iterator[bytes]:
    buffer = io.StringIO(newline='')
    writer = csv.writer(buffer, delimiter=delimiter, lineterminator='\n')  # as tools of the shell expect it
    writer.writerow(kinds)
    while rows := [[*map(_format_bool, iter_values(record, kinds))] for record in islice(records, BATCH)]:
        writer.writerows(rows)
        yield _drain(buffer)
    yield _drain(buffer)


def _format_bool(value: object) -> object:
    """Return true and false as JSON writes them, and any other value unchanged."""
    return json.dumps(value) if isinstance(value, bool) else value


def _drain(buffer: io.StringIO) -> bytes:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text.encode('utf-8', errors='surrogatepass')


def _write_parquet(path: Path, kinds: Mapping[str, Kind], records: Iterator[dict[str, Any]]) -> None:
    parquet: Any = import_parquet()
    arrow: Any = import_extra('pyarrow', extra='parquet', what='Parquet')
    types: dict[Kind, Any] = {
        'text': arrow.string(),
        'empty': arrow.string(),
        'json': arrow.string(),
        'integer': arrow.int64(),
        'number': arrow.float64(),
        'boolean': arrow.bool_(),
    }
    schema = arrow.schema([(name, types[kind]) for name, kind in kinds.items()])
    path = path.resolve()  # a link stays
    new = path.with_name(f'.{path.name}.new')
    with parquet.ParquetWriter(new, schema) as writer:
        while rows := [[*iter_values(record, kinds)] for record in islice(records, BATCH)]:
            arrays = [
                arrow.array([_cast_value(value, kind) for value in values], type=types[kind])
                for values, kind in zip(zip(*rows, strict=True), kinds.values(), strict=True)
            ]
            writer.write_table(arrow.Table.from_arrays(arrays, schema=schema))
    new.replace(path)


def _cast_value(value: Any, kind: Kind) -> Any:
    """Return the value as its column needs it. A vendor may write `3.0` for an integer, or `3` for a number."""
    if value is None or kind not in ('integer', 'number'):
        return value
    return int(value) if kind == 'integer' else float(value)
