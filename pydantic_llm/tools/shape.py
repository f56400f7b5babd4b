"""`Shape`: a type, as pydantic validates it and as a model sees it.

The names in a schema are those that a person would write: `City`, without the module. A schema that the caller gives
(`StructuredDict`) is hidden from pydantic, which cannot follow its references, and put in its place afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Self, cast

from pydantic_core import from_json, to_json

from ..json_schemas import is_local_reference, resolve_reference, resolve_root
from ..json_types import Json

if TYPE_CHECKING:
    from pydantic import TypeAdapter

__all__ = ('Shape', 'make_given_dict')

GIVEN = '$given'
"""The keyword that holds a schema of the caller, as JSON text."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A type, as pydantic validates it and as the model sees it."""

    adapter: TypeAdapter[Any]
    json_schema: Json
    """The JSON schema without its title and description. An object type is inlined at the top, not a `$ref`."""
    title: str | None = None
    description: str | None = None

    @classmethod
    def of(cls, owner: str, type_: Any) -> Self:
        """Return the shape of a type. Raises `UserError`, naming the owner, if the type has no JSON schema."""
        from .schema_generator import generate_schema

        adapter, schema, short_names = generate_schema(owner, type_)
        schema = resolve_root(_place_given(_rename_definitions(schema, short_names)))
        return cls(adapter, schema, schema.pop('title', None), schema.pop('description', None))


# ---------------------------------------------------------------------- names


def _rename_definitions(schema: Json, short_names: dict[str, str]) -> Json:
    """Return a schema whose definitions have short names. Of two classes with one name, the second gets a number."""
    definitions: Json = schema.get('$defs', {})
    names: dict[str, str] = {}
    for name in definitions:
        qualified = max((known for known in short_names if name.startswith(known)), key=len, default=None)
        names[name] = _find_unused(short_names[qualified] if qualified else name.rstrip('_'), names.values())
    references = {f'#/$defs/{name}': f'#/$defs/{short}' for name, short in names.items()}
    if all(old == new for old, new in references.items()):
        return schema
    renamed: Json = _replace_references(schema, references)
    return {**renamed, '$defs': {names[name]: definition for name, definition in renamed['$defs'].items()}}


def _find_unused(name: str, used: Any) -> str:
    numbered = (f'{name}{number}' for number in range(2, len(used) + 3))
    return next(candidate for candidate in (name, *numbered) if candidate not in used)


def _replace_references(value: Any, references: dict[str, str]) -> Any:
    """Return a schema with other references. The mapping of a discriminator has references too."""
    if isinstance(value, dict):
        pairs = cast('Json', value).items()
        return {key: _replace_reference(key, item, references) for key, item in pairs}
    if isinstance(value, list):
        return [_replace_references(item, references) for item in cast('list[object]', value)]
    return value


def _replace_reference(key: str, value: Any, references: dict[str, str]) -> Any:
    if key == '$ref' and isinstance(value, str):
        return references.get(value, value)
    if key == 'mapping' and isinstance(value, dict):
        pairs = cast('Json', value).items()
        return {name: references.get(item, item) if isinstance(item, str) else item for name, item in pairs}
    return _replace_references(value, references)


# ---------------------------------------------------------------------- schemas that callers give


def make_given_dict(schema: Json) -> Any:
    """Return a dict type with a schema of the caller, which was checked."""
    from pydantic import WithJsonSchema

    if not any(_find_references(schema)):
        return Annotated[dict[str, Any], WithJsonSchema(schema)]
    return Annotated[dict[str, Any], WithJsonSchema({'type': 'object', GIVEN: to_json(schema).decode()})]


def _place_given(schema: Json) -> Json:
    """Return a schema with those of the caller in their places, and their definitions among its own."""
    definitions: Json = dict(schema.get('$defs', {}))

    def place(value: Any) -> Any:
        if isinstance(value, list):
            return [place(item) for item in cast('list[object]', value)]
        if not isinstance(value, dict):
            return value
        node: Json = {key: place(item) for key, item in cast('Json', value).items()}
        if not isinstance(text := node.pop(GIVEN, None), str):
            return node if text is None else {**node, GIVEN: text}
        return {**_hoist_definitions(from_json(text), definitions), **node}

    placed: Json = place({key: value for key, value in schema.items() if key != '$defs'})
    own = {name: place(definition) for name, definition in list(definitions.items()) if name in schema.get('$defs', {})}
    definitions |= own
    return {**placed, '$defs': definitions} if definitions else placed


def _hoist_definitions(given: Json, definitions: Json) -> Json:
    """Return a schema without definitions: they are added to others, under names that are not used there."""
    references: dict[str, str] = {}
    for reference in dict.fromkeys(_find_references(given)):
        written = re.sub(r'(~[01]|[^\w.-])+', '_', reference.rpartition('/')[2]) if '/' in reference else 'Root'
        name = _find_unused(written, definitions)
        definitions[name] = None
        references[reference] = f'#/$defs/{name}'
    for reference, renamed in references.items():
        target: Json = resolve_reference(given, reference) or {}
        definitions[renamed.rpartition('/')[2]] = _replace_references(_drop_definitions(target), references)
    rewritten: Json = _replace_references(_drop_definitions(given), references)
    return rewritten


def _drop_definitions(schema: Json) -> Json:
    return {key: value for key, value in schema.items() if key not in ('$defs', 'definitions')}


def _find_references(value: Any) -> Iterator[str]:
    """Yield the local references in a schema, those in its definitions included."""
    if isinstance(value, dict):
        node = cast('Json', value)
        if is_local_reference(reference := node.get('$ref')):
            yield reference
        for child in node.values():
            yield from _find_references(child)
    elif isinstance(value, list):
        for child in cast('list[object]', value):
            yield from _find_references(child)
