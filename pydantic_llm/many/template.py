"""`PromptTemplate`: a text with the names of a row's fields in braces, such as `'Summarise {text}'`."""

from __future__ import annotations

from collections.abc import Mapping
from string import Formatter
from typing import cast

from pydantic_core import from_json

from ..exceptions import UserError
from .encoding import encode_json

__all__ = ('MissingField', 'PromptTemplate')

BRACES = 'write {{ and }} for braces that are part of the text'


class MissingField(Exception):
    """A row does not have a field of the template, or the field is null."""


class PromptTemplate:
    """A text in which `{name}` is replaced by that field of a row, and `{user.name}` by a field of a nested object.

    Doubled braces are single braces of the text. Texts are inserted as they are, other values as JSON.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._pieces = _parse_pieces(text)

    @property
    def fields(self) -> list[str]:
        """The names of the fields, each once, in the order of the text."""
        return list(dict.fromkeys(field for _, field in self._pieces if field is not None))

    def render(self, row: Mapping[str, object]) -> str:
        """Return the text with the fields of a row. Raises `MissingField` if the row has not all of them."""
        texts: list[str] = []
        for literal, field in self._pieces:
            texts.append(literal)
            if field is not None:
                texts.append(_format_value(_find_value(row, field)))
        return ''.join(texts)


def _parse_pieces(text: str) -> list[tuple[str, str | None]]:
    """Return the pieces of a template: a literal text, and the field after it."""
    try:
        parsed = list(Formatter().parse(text))
    except ValueError as error:
        raise UserError(f'prompt={text!r} is not a template ({error}): {BRACES}') from None
    pieces = [(literal, _join_name(field, spec, conversion)) for literal, field, spec, conversion in parsed]
    if any(name is not None and not name.strip() for _, name in pieces):
        raise UserError(f'prompt={text!r} has {{}}, which names no field: write a name such as {{text}}; {BRACES}')
    return pieces


def _join_name(field: str | None, spec: str | None, conversion: str | None) -> str | None:
    """Return the name as it was written. It may have a colon or an exclamation mark, as `dc:title` has."""
    if field is None:
        return None
    return f'{field}{f"!{conversion}" if conversion else ""}{f":{spec}" if spec else ""}'


def _find_value(row: Mapping[str, object], field: str) -> object:
    """Return the value of a field. A name with dots is first looked up as it is, then as a path."""
    value: object = row.get(field)
    if value is None and '.' in field and field not in row:
        value = row
        for name in field.split('.'):
            value = _get_item(value, name)
    if value is None:
        known = ', '.join(map(repr, row)) or 'no fields'
        state = 'is null' if field in row else f'is missing (there are {known})'
        raise MissingField(f'the field {field!r} of the prompt {state}')
    return value


def _get_item(value: object, name: str) -> object:
    return cast('Mapping[str, object]', value).get(name) if isinstance(value, Mapping) else None


def _format_value(value: object) -> str:
    """Return a value as text: a date or a decimal number without the quotes that it has in JSON."""
    if isinstance(value, str):
        return value
    encoded = encode_json(value)
    return from_json(encoded) if encoded.startswith(b'"') else encoded.decode()
