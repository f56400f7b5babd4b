"""Schemas of pydantic that are built when they are first needed, since importing its schema builder takes 100 ms.

`Discriminator` and `Tag` are for annotations that Python evaluates at import; inside of a class, where annotations are
text, those of pydantic do as well. `validate_fields` is for dataclasses whose constructors validate. The other
functions are for `__get_pydantic_core_schema__`, which pydantic calls once per class and schema.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, wraps
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, cast

from pydantic_core import ArgsKwargs, CoreSchema, SchemaSerializer
from pydantic_core.core_schema import no_info_before_validator_function

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, TypeAdapter

T = TypeVar('T')


class Discriminator:
    """pydantic's `Discriminator`: the name of the field that distinguishes the types of a union, or a function."""

    def __init__(self, discriminator: str | Callable[[Any], str]) -> None:
        self.discriminator = discriminator

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        import pydantic

        return handler(Annotated[source, pydantic.Discriminator(self.discriminator)])


class Tag:
    """pydantic's `Tag`: the value for which a `Discriminator` that is a function selects this type."""

    def __init__(self, tag: str) -> None:
        self.tag = tag

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        import pydantic

        return pydantic.Tag(self.tag).__get_pydantic_core_schema__(source, handler)


def add_before_validator(schema: CoreSchema, function: Callable[[Any], Any]) -> CoreSchema:
    """Change the schema of a dataclass: the function translates what is not an instance before it is validated."""
    fields = cast('dict[str, Any]', schema)
    fields['schema'] = no_info_before_validator_function(function, fields['schema'])
    return schema


def add_older_names(schema: CoreSchema, names: Mapping[str, str]) -> CoreSchema:
    """Change the schema of a dataclass: a field is also read by an older name. `names` has it by the field's name."""
    for field in cast('Any', schema)['schema']['fields']:
        if older := names.get(field['name']):
            field['validation_alias'] = [[field['name']], [older]]
    return schema


class _Serializer:
    """The attribute by which `pydantic_core` finds the serializer of a value in `Any`: built when it is first read."""

    def __init__(self, get_adapter: Callable[[], TypeAdapter[Any]]) -> None:
        self._get_adapter = get_adapter

    def __get__(self, instance: object, owner: type) -> SchemaSerializer:
        return self._get_adapter().serializer


def validate_fields(class_: type[T]) -> type[T]:
    """Make the constructor of a dataclass validate its arguments, as that of a dataclass of pydantic does."""
    initialize: Callable[..., None] = class_.__init__

    @cache
    def get_adapter() -> TypeAdapter[T]:
        import pydantic

        return pydantic.TypeAdapter(class_)

    @wraps(initialize)
    def validate(self: T, /, *args: Any, **kwargs: Any) -> None:
        get_adapter().validator.validate_python(ArgsKwargs(args, kwargs), self_instance=self)

    attributes: dict[str, object] = {
        '__init__': validate,
        '__pydantic_config__': {},  # not that of the type which contains it
        '__pydantic_serializer__': _Serializer(get_adapter),
    }
    for name, value in attributes.items():
        setattr(class_, name, value)
    return class_
