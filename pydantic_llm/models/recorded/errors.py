"""Writes the exceptions of this package as JSON, and makes them again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from pydantic_core import to_jsonable_python

from ... import exceptions
from ...exceptions import LLMError
from ...json_types import Json
from ...messages import ModelResponse
from .responses import decode_response, encode_response

__all__ = ('decode_error', 'encode_error')

ERRORS: dict[str, type[LLMError]] = {
    name: getattr(exceptions, name) for name in exceptions.__all__ if issubclass(getattr(exceptions, name), LLMError)
}
"""The exceptions by name."""


def encode_error(error: BaseException) -> Json:
    """Encode an exception with its fields. One of another package becomes the nearest of this one."""
    known = next((kind.__name__ for kind in type(error).__mro__ if kind.__name__ in ERRORS), LLMError.__name__)
    message = str(error.args[0]) if error.args else ''
    encoded: Json = {'type': known, 'message': message if isinstance(error, LLMError) else repr(error)}
    if isinstance(error, LLMError) and (fields := _encode_fields(error)):
        encoded['fields'] = fields
    if isinstance(error, ExceptionGroup):
        group = cast('ExceptionGroup[Exception]', error)
        encoded['exceptions'] = [encode_error(inner) for inner in group.exceptions]
    return encoded


def _encode_fields(error: LLMError) -> Json:
    shown = {'message': error.args[0] if error.args else ''}
    fields = {name: value for name, value in vars(error).items() if shown.get(name, ...) != value}
    return {name: _encode_field(value) for name, value in fields.items() if not name.startswith('_')}


def _encode_field(value: Any) -> Any:
    if isinstance(value, ModelResponse):
        return encode_response(value)
    if isinstance(value, (list, tuple)) and all(
        isinstance(item, BaseException) for item in cast('list[object]', value)
    ):
        return [encode_error(item) for item in cast('list[BaseException]', value)]
    return to_jsonable_python(value, fallback=repr, inf_nan_mode='strings')


def decode_error(encoded: Json) -> LLMError:
    """Make an exception of its JSON. A type that this version does not know becomes an `LLMError`."""
    kind, message = ERRORS.get(encoded['type'], LLMError), encoded['message']
    inner = [decode_error(each) for each in encoded.get('exceptions', ())]
    args: tuple[Any, ...] = (message, inner) if inner else (message,)
    error: LLMError = kind.__new__(kind, *args)
    error.args = args
    fields = {name: _decode_field(name, value) for name, value in encoded.get('fields', {}).items()}
    vars(error).update(fields if inner else {'message': message, **fields})
    return error


def _decode_field(name: str, value: Any) -> Any:
    if name == 'response' and value is not None:
        return decode_response(value)
    if name == 'earlier_attempts':
        return [decode_error(each) for each in cast('Sequence[Json]', value)]
    return value
