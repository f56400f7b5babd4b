"""`Shape`: a type, as pydantic validates it and as a model sees it.

The names in a schema are those that a person would write: `City`, without the module. A schema that the caller gives
(`StructuredDict`) is hidden from pydantic, which cannot follow its references, and put in its place afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from math import isfinite
from typing import Annotated, Any, Self, cast

from pydantic import TypeAdapter, WithJsonSchema
from pydantic.errors import PydanticUndefinedAnnotation, PydanticUserError
from pydantic.json_schema import CoreModeRef, DefsRef, GenerateJsonSchema
from pydantic_core import PydanticSerializationError, from_json, to_json

from ..exceptions import UserError
from ..json_schemas import is_local_reference, resolve_reference, resolve_root
from ..json_types import Json

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
        try:
            adapter = TypeAdapter[Any](type_)
            generator = _SchemaForModels(by_alias=True)
            schema = generator.generate(adapter.core_schema, mode='validation')
        except PydanticUndefinedAnnotation as error:
            raise UserError(f'A type of {owner!r} cannot be resolved: {error.message}') from error
        except (PydanticUserError, PydanticSerializationError, LookupError, RecursionError, TypeError) as error:
            reason = str(error).partition('\n')[0]
            raise UserError(f'{owner!r} has a type that has no JSON schema for a model: {reason}') from error
        schema = resolve_root(_place_given(_rename_definitions(schema, generator.short_names)))
        return cls(adapter, schema, schema.pop('title', None), schema.pop('description', None))


class _SchemaForModels(GenerateJsonSchema):
    """Omits the titles of properties, which repeat the names, and knows the short names of definitions."""

    ignored_warning_kinds = {'skipped-choice', 'non-serializable-default'}  # noqa: RUF012 -- as pydantic declares it

    def __init__(self, by_alias: bool) -> None:
        super().__init__(by_alias=by_alias)
        self.short_names: dict[str, str] = {}
        """The name of a class, by its name with its module."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def encode_default(self, dft: Any) -> Any:
        """Return a default as JSON. Raises pydantic's error, which leaves the default out, if JSON does not have it."""
        encoded = super().encode_default(dft)
        if isinstance(encoded, float) and not isfinite(encoded):
            raise PydanticSerializationError(f'{encoded} is not JSON')
        return encoded

    def get_defs_ref(self, core_mode_ref: CoreModeRef) -> DefsRef:
        """Return pydantic's name of a definition, and note the short one."""
        parts = [part.rsplit(':', 1)[0] for part in re.split(r'([\][,])', core_mode_ref[0])]
        short = ''.join(re.sub(r'(?:[^.[\]]+\.)+((?:[^.[\]]+))', r'\1', part) for part in parts)
        self.short_names[self.normalize_name(''.join(parts))] = re.sub(r'_+$', '', self.normalize_name(short))
        return super().get_defs_ref(core_mode_ref)


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
