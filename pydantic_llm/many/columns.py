"""`Columns`: the columns of a file of results, with the kinds of their values.

They are the columns of the input, the output (one column, or one for each field of a structured output), and those of
`OUTCOME`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any, Literal, cast

from pydantic_core import to_jsonable_python

from ..agent.build_output_reader import build_output_reader
from ..exceptions import UserError
from ..json_schemas import resolve_reference
from .results import MapResult

__all__ = ('Columns', 'Kind', 'kind_of_value', 'list_output_columns', 'merge_kinds', 'read_outcome')

Kind = Literal['empty', 'text', 'integer', 'number', 'boolean', 'json']
"""The kind of the values of a column. `empty`: all are null. `json`: lists and objects, or several kinds."""

OUTPUT = 'output'
"""The column of an output that is not an object."""

OUTCOME: dict[str, Kind] = {
    'finish_reason': 'text',
    'model': 'text',
    'input_tokens': 'integer',
    'output_tokens': 'integer',
    'cost': 'number',
    'error': 'text',
    'error_message': 'text',
    'retryable': 'boolean',
}
"""The columns with what became of a row."""

JSON_KINDS: dict[str, Kind] = {
    'null': 'empty',
    'string': 'text',
    'integer': 'integer',
    'number': 'number',
    'boolean': 'boolean',
}
"""JSON schema types -> kinds."""

PYTHON_KINDS: tuple[tuple[type | tuple[type, ...], Kind], ...] = (
    (bool, 'boolean'),
    (int, 'integer'),
    (float, 'number'),
    ((str, bytes, Decimal, date, time, timedelta), 'text'),
    (type(None), 'empty'),
)
"""Types of values -> kinds, the first that fits."""


@dataclass(frozen=True)
class Columns:
    """The columns of a file of results, in their order after the number of the row."""

    copied: Mapping[str, Kind]
    """The columns of the input that the results have too."""
    output: Mapping[str, Kind]
    """The columns of the output."""

    def __post_init__(self) -> None:
        added = [*self.output, *OUTCOME, 'row']
        if twice := next((name for name in self.copied if name in added), None):
            raise UserError(
                f'The input has a column {twice!r}, which the output adds: rename it, or choose the columns to copy '
                'with --columns'
            )
        if twice := next((name for name in self.output if name in (*OUTCOME, 'row')), None):
            raise UserError(f'The schema has a field {twice!r}, which is a column of the output: rename it')

    @property
    def kinds(self) -> dict[str, Kind]:
        """All columns, but that of the number of the row."""
        return {**self.copied, **self.output, **OUTCOME}

    def make_record(self, result: MapResult[Any]) -> dict[str, Any]:
        """Return the values of a result."""
        row = cast('Mapping[str, Any]', result.row)
        return {**{name: row.get(name) for name in self.copied}, **self._split(result), **_describe_outcome(result)}

    def _split(self, result: MapResult[Any]) -> dict[str, Any]:
        if result.error is not None:
            return dict.fromkeys(self.output)
        value = to_jsonable_python(result.output, fallback=str, inf_nan_mode='null')
        return {OUTPUT: value} if OUTPUT in self.output else {name: value.get(name) for name in self.output}


def _describe_outcome(result: MapResult[Any]) -> dict[str, Any]:
    response, usage, error = result.response, result.usage, result.error
    price = result.find_price()
    return {
        'finish_reason': response.finish_reason if response else None,
        'model': response.model_name if response else None,
        'input_tokens': usage.input_tokens if response else None,
        'output_tokens': usage.output_tokens if response else None,
        'cost': None if price is None else float(price),
        'error': error.type if error else None,
        'error_message': error.message if error else None,
        'retryable': error.retryable if error else None,
    }


def list_output_columns(output_type: Any) -> dict[str, Kind]:
    """Return the columns of an output: one for each field of an object, else one for all of it."""
    if output_type is str:
        return {OUTPUT: 'text'}
    forms = build_output_reader(output_type).forms
    schema = forms[0].shape.json_schema if len(forms) == 1 and not forms[0].is_wrapped else {}
    fields: dict[str, Any] = schema.get('properties') or {}
    if not fields or schema.get('additionalProperties'):
        return {OUTPUT: 'json'}
    return {name: _find_kind(field, schema) for name, field in fields.items()}


def _find_kind(field: object, root: dict[str, Any]) -> Kind:
    """Return the kind of values with a JSON schema. Null is a value of every kind."""
    if not isinstance(field, dict):
        return 'json'
    schema = cast('dict[str, Any]', field)
    if '$ref' in schema:
        schema = resolve_reference(root, str(schema['$ref'])) or {}
    if 'enum' in schema or 'const' in schema:
        return merge_kinds(map(kind_of_value, schema.get('enum') or [schema.get('const')]))
    members: list[Any] = schema.get('anyOf') or schema.get('oneOf') or []
    if members:
        return merge_kinds(_find_kind(each, root) for each in members)
    types: Any = schema.get('type')
    if isinstance(types, list):
        return merge_kinds(JSON_KINDS.get(str(name), 'json') for name in cast('list[object]', types))
    return JSON_KINDS.get(str(types), 'json')


def kind_of_value(value: object) -> Kind:
    """Return the kind of one value. An integer of more than 64 bits is text in a table."""
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return 'json'
    for types, kind in PYTHON_KINDS:
        if isinstance(value, types):
            return kind
    return 'json'


def merge_kinds(kinds: Iterable[Kind]) -> Kind:
    """Return the kind of a column whose values have these kinds."""
    found: set[Kind] = {kind for kind in kinds if kind != 'empty'}
    if found == {'integer', 'number'}:
        return 'number'
    if len(found) > 1:
        return 'json'
    return found.pop() if found else 'empty'


def read_outcome(record: Mapping[str, Any]) -> tuple[str | None, int, int, float]:
    """Return of a stored row the class of its error, its tokens in and out, and its cost."""
    return (
        record.get('error'),
        record.get('input_tokens') or 0,
        record.get('output_tokens') or 0,
        record.get('cost') or 0.0,
    )


def iter_values(record: Mapping[str, Any], kinds: Mapping[str, Kind]) -> Iterator[Any]:
    """Yield the values of a row for a table: lists, objects and mixed values as JSON text."""
    for name, kind in kinds.items():
        value = record.get(name)
        is_text = value is None or kind not in ('json', 'empty')
        yield value if is_text else json.dumps(value, ensure_ascii=False)
