"""Reads the arguments that a model wrote for a single object."""

from __future__ import annotations

from typing import Any, cast

from pydantic_core import ValidationError, from_json, to_json

from ..exceptions import ModelRetry
from ..json_types import Json
from .shape import Shape

__all__ = ('validate_arguments',)


def validate_arguments(shape: Shape, arguments: str, *, wrapper_key: str | None) -> Any:
    """Validate arguments that are JSON text.

    The fields of a single object are the arguments themselves. A model that wraps them in `wrapper_key`, the name of
    the parameter, is understood, and so is one that writes an array or an object as a text with its JSON. Raises
    `ModelRetry` if it wrote other keys only: a class whose fields all have defaults would lose them. Raises pydantic's
    `ValidationError` if they are invalid.
    """
    known: Json = shape.json_schema.get('properties', {})
    given = _read_object(arguments) if known else None
    inner = _unwrap(given, wrapper_key, known)
    if inner is not None:
        return _validate(shape, to_json(inner).decode(), inner, known)
    return _validate(shape, arguments, given, known)


def _validate(shape: Shape, arguments: str, given: Json | None, known: Json) -> Any:
    try:
        value = shape.adapter.validate_json(arguments)
    except ValidationError as error:
        value = _validate_decoded(shape, given, error)
    if given and given.keys().isdisjoint(known) and _is_default(value):
        names = ', '.join(map(repr, known))
        raise ModelRetry(f'None of the arguments {", ".join(map(repr, given))} exists. The arguments are {names}.')
    return value


def _validate_decoded(shape: Shape, given: Json | None, error: ValidationError) -> Any:
    """Validate the arguments again, with the refused ones that are arrays or objects as text decoded, or raise `error`.

    Models write nested arguments as text now and then: crewAIInc/crewAI#611, cecli-dev/cecli#536.
    """
    refused = {each['loc'][0] for each in error.errors(include_url=False) if each['loc']}
    texts = {name: _decode_text(value) for name, value in (given or {}).items() if name in refused}
    decoded = {**(given or {}), **texts}
    if decoded == (given or {}):
        raise error
    try:
        return shape.adapter.validate_json(to_json(decoded))
    except ValidationError:
        raise error from None


def _decode_text(value: object) -> object:
    """Return the array or object whose JSON a text is; any other value is returned unchanged."""
    if not isinstance(value, str) or not value.lstrip().startswith(('[', '{')):
        return value
    try:
        return from_json(value)
    except ValueError:
        return value


def _unwrap(given: Json | None, key: str | None, known: Json) -> Json | None:
    """Return the object that a model wrapped in the key, if it did."""
    if not given or key is None or key in known or list(given) != [key]:
        return None
    inner: object = given[key]
    return cast('Json', inner) if isinstance(inner, dict) else None


def _read_object(arguments: str) -> Json | None:
    """Return the JSON object in a text; `None` for other JSON, and for text that is not JSON."""
    try:
        value: object = from_json(arguments)
    except ValueError:
        return None
    return cast('Json', value) if isinstance(value, dict) else None


def _is_default(value: Any) -> bool:
    """Return whether a validated object got none of its fields from the model."""
    from pydantic import BaseModel

    if isinstance(value, BaseModel):
        return not value.model_fields_set and not value.model_extra
    return not value if isinstance(value, dict) else True
