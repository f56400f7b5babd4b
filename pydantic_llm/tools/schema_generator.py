"""Generates the JSON schema of a type, as a model gets it. `shape` imports it when there is a type: it takes long."""

from __future__ import annotations

import re
from math import isfinite
from typing import Any

from pydantic import TypeAdapter
from pydantic.errors import PydanticUndefinedAnnotation, PydanticUserError
from pydantic.json_schema import CoreModeRef, DefsRef, GenerateJsonSchema
from pydantic_core import PydanticSerializationError

from ..exceptions import UserError
from ..json_types import Json

__all__ = ('generate_schema',)


def generate_schema(owner: str, type_: Any) -> tuple[TypeAdapter[Any], Json, dict[str, str]]:
    """Return the adapter and the schema of a type, and the names of classes by their names with modules.

    Raises `UserError`, naming the owner, if the type has no JSON schema.
    """
    try:
        adapter = TypeAdapter[Any](type_)
        generator = _SchemaForModels(by_alias=True)
        return adapter, generator.generate(adapter.core_schema, mode='validation'), generator.short_names
    except PydanticUndefinedAnnotation as error:
        raise UserError(f'A type of {owner!r} cannot be resolved: {error.message}') from error
    except (PydanticUserError, PydanticSerializationError, LookupError, RecursionError, TypeError) as error:
        reason = str(error).partition('\n')[0]
        raise UserError(f'{owner!r} has a type that has no JSON schema for a model: {reason}') from error


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
