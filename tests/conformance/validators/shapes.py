"""Compares JSON values with the types of the vendors' SDKs: `TypedDict`s, pydantic models, dataclasses and unions.

The SDKs do not check what they send, and pydantic reads `Iterable` fields late and skips unknown keys; here, a key that
the type does not have is reported, as are missing keys and literals that are not listed.
"""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Annotated, Any, Literal, NotRequired, Required, Union, get_args, get_origin

from pydantic import BaseModel
from typing_extensions import TypeAliasType, get_type_hints, is_typeddict

TAGS = ('type', 'role', 'kind')
"""The keys whose literals say which member of a union is meant, in the order in which they are tried."""

SCALARS: Mapping[type, tuple[type, ...]] = {bool: (bool,), int: (int,), float: (int, float), str: (str,)}


def check(value: Any, hint: Any, path: str) -> Iterator[str]:
    """Yield each difference of `value` from the type `hint`."""
    hint = _strip(hint)
    origin = get_origin(hint)
    if hint in (Any, object):
        return
    if origin is Literal:
        if value not in get_args(hint):
            yield f'{path}: {value!r} is none of {get_args(hint)!r}'
    elif origin in (Union, types.UnionType):
        yield from _check_union(value, get_args(hint), path)
    elif hint in (None, type(None)):
        yield from () if value is None else (f'{path}: {_shorten(value)} is not null',)
    elif origin is not None and issubclass(origin, Mapping):
        yield from _check_mapping(value, get_args(hint), path)
    elif origin is not None and issubclass(origin, Iterable):
        yield from _check_list(value, get_args(hint)[0], path)
    elif (known := _find_fields(hint)) is not None:
        yield from _check_object(value, known, path, hint.__name__)
    else:
        yield from _check_scalar(value, hint, path)


def _strip(hint: Any) -> Any:
    """Return the type without its annotations, aliases and markers."""
    while True:
        if get_origin(hint) in (Annotated, Required, NotRequired):
            hint = get_args(hint)[0]
        elif isinstance(hint, TypeAliasType):
            hint = hint.__value__
        elif isinstance(get_origin(hint), TypeAliasType):
            hint = get_origin(hint).__value__[get_args(hint)]
        else:
            return hint


def _check_scalar(value: Any, hint: Any, path: str) -> Iterator[str]:
    kinds = next((kinds for base, kinds in SCALARS.items() if isinstance(hint, type) and issubclass(hint, base)), None)
    if hint in (dict, list):
        kinds = (hint,)
    if kinds is None or not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        yield f'{path}: {_shorten(value)} is not {getattr(hint, "__name__", hint)}'


def _check_mapping(value: Any, args: tuple[Any, ...], path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f'{path}: {_shorten(value)} is not an object'
        return
    for key, item in value.items():
        yield from check(item, args[1], f'{path}.{key}')


def _check_list(value: Any, hint: Any, path: str) -> Iterator[str]:
    if not isinstance(value, list):
        yield f'{path}: {_shorten(value)} is not a list'
        return
    for index, item in enumerate(value):
        yield from check(item, hint, f'{path}[{index}]')


def _check_object(value: Any, known: Mapping[str, tuple[Any, bool]], path: str, name: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f'{path}: {_shorten(value)} is not an object'
        return
    for key in value.keys() - known.keys():
        yield f'{path}: {name} has no field {key!r}'
    for key, (hint, is_required) in known.items():
        if key in value:
            yield from check(value[key], hint, f'{path}.{key}')
        elif is_required:
            yield f'{path}: {name} needs the field {key!r}'


def _check_union(value: Any, members: tuple[Any, ...], path: str) -> Iterator[str]:
    """Yield the differences from the member that the value is nearest to."""
    members = tuple(_flatten(members))
    if isinstance(value, dict):
        members = _choose_members(value, members)
    elif isinstance(value, list):
        members = tuple(member for member in members if _is_list(member)) or members
    found = [list(check(value, member, path)) for member in members]
    yield from min(found, key=len, default=[f'{path}: {_shorten(value)} has an unknown type'])


def _choose_members(value: dict[str, Any], members: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the members of a union whose tags the object has; all of them if the object has none."""
    objects = [(member, known) for member in members if (known := _find_fields(member)) is not None]
    for tag in TAGS:
        if tag in value and any(tag in known for _, known in objects):
            chosen = [
                member for member, known in objects if tag in known and not list(check(value[tag], known[tag][0], ''))
            ]
            objects = [row for row in objects if row[0] in chosen]
            if not objects:
                return ()
    return tuple(member for member, _ in objects) or members


def _is_list(hint: Any) -> bool:
    origin = get_origin(hint)
    return isinstance(origin, type) and issubclass(origin, Iterable) and not issubclass(origin, Mapping)


def _flatten(members: Iterable[Any]) -> Iterator[Any]:
    for member in map(_strip, members):
        if get_origin(member) in (Union, types.UnionType):
            yield from _flatten(get_args(member))
        else:
            yield member


@cache
def _find_fields(hint: Any) -> Mapping[str, tuple[Any, bool]] | None:
    """Return key → (type, is it required) of an object type, `None` for another type."""
    if is_typeddict(hint):
        required = _find_required_keys(hint)
        return {key: (kind, key in required) for key, kind in get_type_hints(hint, include_extras=True).items()}
    if isinstance(hint, type) and issubclass(hint, BaseModel) and hint is not BaseModel:
        return {
            _find_alias(name, field): (field.annotation, field.is_required())
            for name, field in hint.model_fields.items()
        }
    if is_dataclass(hint) and isinstance(hint, type):
        kinds = get_type_hints(hint, include_extras=True)
        return {
            field.name: (kinds[field.name], field.default is MISSING and field.default_factory is MISSING)
            for field in fields(hint)
        }
    return None


def _find_alias(name: str, field: Any) -> str:
    return field.alias or next((row.alias for row in field.metadata if hasattr(row, 'alias')), name)


def _find_required_keys(hint: Any) -> set[str]:
    """Return the required keys of a `TypedDict`, also if its module postpones annotations."""
    required: set[str] = set()
    inherited: set[str] = set()
    for base in getattr(hint, '__orig_bases__', ()):
        if is_typeddict(base):
            required |= _find_required_keys(base)
            inherited |= get_type_hints(base).keys()
    for key, kind in get_type_hints(hint, include_extras=True).items():
        origin = get_origin(kind)
        if origin is Required or (key not in inherited and hint.__total__ and origin is not NotRequired):
            required.add(key)
    return required


def _shorten(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f'{text[:77]}...'
