"""What a function takes, as a type that pydantic validates and as a JSON schema that a model reads.

The parameters become the keys of a `TypedDict`; their descriptions come from `Field`, or else from the docstring. A key
that the model leaves out is not passed on, so that the function's own default applies.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, is_dataclass
from types import SimpleNamespace
from typing import Annotated, Any, NotRequired, Self, cast, get_args, get_origin, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import to_jsonable_python
from typing_extensions import TypedDict, is_typeddict

from ..exceptions import UserError
from .docstrings import DocstringFormat, describe

__all__ = ('Shape', 'Signature', 'make_typed_dict', 'name_of', 'read_signature')

Schema = dict[str, Any]

_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class _WithoutTitles(GenerateJsonSchema):
    """Properties have names; a title beside the name is noise that the model would read."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class Shape:
    """A type, as pydantic validates it and as a model reads it."""

    adapter: TypeAdapter[Any]
    """Validates what the model wrote."""
    json_schema: Schema
    """What the model reads: an object at the top where the type is one; its title and description stand beside it."""
    title: str | None = None
    """The title that the schema had."""
    description: str | None = None
    """The description that the schema had."""

    @classmethod
    def of(cls, owner: str, type_: Any) -> Self:
        """The shape of a type; `UserError`, naming the owner, where it has none."""
        try:
            adapter = TypeAdapter[Any](type_)
            schema = adapter.json_schema(schema_generator=_WithoutTitles)
        except (PydanticSchemaGenerationError, PydanticUserError) as error:
            reason = str(error).partition('\n')[0]
            raise UserError(f'{owner!r} has a type that has no JSON schema for a model: {reason}') from error
        if '$ref' in schema:  # a type that contains itself
            schema = {**schema['$defs'][schema['$ref'].rpartition('/')[2]], '$defs': schema['$defs']}
        return cls(adapter, schema, schema.pop('title', None), schema.pop('description', None))


def make_typed_dict(name: str, fields: dict[str, Any], *, extra_items: Any = None) -> Any:
    """A `TypedDict` type made of fields; keys that are not among them are refused, or are `extra_items`."""
    make = cast('Callable[..., Any]', TypedDict)
    made = make(name, fields, **({} if extra_items is None else {'extra_items': extra_items}))
    made.__pydantic_config__ = ConfigDict() if extra_items is not None else ConfigDict(extra='forbid')
    return made


@dataclass(frozen=True, slots=True)
class Signature:
    """A function, and what it takes beside a `RunContext`."""

    function: Callable[..., Any]
    """The function."""
    takes_ctx: bool
    """Whether its first argument is a `RunContext`."""
    description: str | None
    """What the docstring says of it."""
    arguments: Any
    """The type that the arguments are validated as."""
    parameters: tuple[inspect.Parameter, ...]
    """The parameters that the arguments are for."""
    whole: bool
    """Whether `arguments` is the type of the only parameter, and not an object with the parameters as keys."""

    def bind(self, arguments: Any) -> tuple[list[Any], dict[str, Any]]:
        """Validated arguments as the function wants to be called with them, without the `RunContext`."""
        if self.whole:
            return _placed(self.parameters, {self.parameters[0].name: arguments})
        return _placed(self.parameters, dict(arguments))


def _placed(parameters: tuple[inspect.Parameter, ...], values: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    positional: list[Any] = []
    named: dict[str, Any] = {}
    by_position = any(parameter.kind is inspect.Parameter.VAR_POSITIONAL for parameter in parameters)
    for parameter in parameters:
        match parameter.kind:
            case inspect.Parameter.VAR_POSITIONAL:
                positional += values.pop(parameter.name, [])
            case inspect.Parameter.VAR_KEYWORD:
                named |= values
            case _ if parameter.name not in values and parameter.default is parameter.empty:
                pass
            case inspect.Parameter.POSITIONAL_ONLY:
                positional.append(_value(parameter, values))
            case inspect.Parameter.POSITIONAL_OR_KEYWORD if by_position:
                positional.append(_value(parameter, values))
            case _:
                named[parameter.name] = _value(parameter, values)
    return positional, named


def _value(parameter: inspect.Parameter, values: dict[str, Any]) -> Any:
    default = parameter.default
    if parameter.name in values:
        return values.pop(parameter.name)
    return default.get_default(call_default_factory=True) if isinstance(default, FieldInfo) else default


def name_of(function: Callable[..., Any]) -> str:
    """What a function is called; a callable object has the name of its class."""
    inner = getattr(function, 'func', function)  # of a `partial`
    return str(getattr(inner, '__name__', type(inner).__name__))


def read_signature(
    function: Callable[..., Any],
    *,
    takes_ctx: bool | None = None,
    docstring_format: DocstringFormat = 'auto',
    require_parameter_descriptions: bool = False,
) -> Signature:
    """Read a function's signature and docstring.

    Raises `UserError` for an annotation that cannot be resolved or that has no JSON schema. `takes_ctx=None` tells by
    the annotation of the first parameter whether it is a `RunContext`.
    """
    name = name_of(function)
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except ValueError:
        raise UserError(f'{name!r} has no signature that Python can read; wrap it in a function of yours') from None
    takes_ctx = _takes_context(parameters) if takes_ctx is None else takes_ctx
    if takes_ctx and not parameters:
        raise UserError(f'{name!r} takes no argument, but must take a RunContext as its first one')
    parameters = parameters[1:] if takes_ctx else parameters
    described = describe(_docstring(function), docstring_format)
    if require_parameter_descriptions:
        _check_descriptions(name, parameters, described.parameters)
    hints = {parameter.name: _hint(function, name, parameter) for parameter in parameters}
    whole = len(parameters) == 1 and _is_object(hints[parameters[0].name], parameters[0])
    arguments = hints[parameters[0].name] if whole else _typed_dict(name, parameters, hints, described.parameters)
    return Signature(function, takes_ctx, described.text or None, arguments, tuple(parameters), whole)


def _docstring(function: Callable[..., Any]) -> str | None:
    if inspect.isroutine(function):
        return inspect.getdoc(function)
    return inspect.getdoc(type(function).__call__) if type(function).__doc__ is None else type(function).__doc__


def _check_descriptions(name: str, parameters: list[inspect.Parameter], described: dict[str, str]) -> None:
    missing = [parameter.name for parameter in parameters if parameter.name not in described]
    if missing:
        raise UserError(f'The docstring of {name!r} does not describe {", ".join(map(repr, missing))}')


def _takes_context(parameters: list[inspect.Parameter]) -> bool:
    """Whether the first of these parameters is a `RunContext`, also where its annotation is text."""
    from .context import RunContext

    annotation = parameters[0].annotation if parameters else None
    if isinstance(annotation, str):
        written = annotation.strip('\'" ').partition('[')[0]
        return written.rpartition('.')[2] == RunContext.__name__
    return (get_origin(annotation) or annotation) is RunContext


def _hint(function: Callable[..., Any], name: str, parameter: inspect.Parameter) -> Any:
    """The annotation of a parameter, resolved where it is written as text."""
    if parameter.annotation is parameter.empty:
        return Any
    owner = function if inspect.isroutine(function) else getattr(function, 'func', type(function).__call__)
    scope = getattr(inspect.unwrap(owner), '__globals__', {})
    written = SimpleNamespace(__annotations__={parameter.name: parameter.annotation})
    try:
        return get_type_hints(written, globalns=scope, include_extras=True)[parameter.name]
    except NameError as error:
        raise UserError(
            f'The annotation of {parameter.name!r} of {name!r} cannot be resolved: {error}. Define the type at the top '
            f'level of its module, outside of `if TYPE_CHECKING`'
        ) from error


def _is_object(hint: Any, parameter: inspect.Parameter) -> bool:
    """Whether a parameter alone is the object that a model must write."""
    if parameter.kind in _VARIADIC or parameter.default is not parameter.empty:
        return False
    bare: object = get_origin(hint) or hint
    class_ = cast('type[object]', bare) if isinstance(bare, type) else object
    return is_typeddict(class_) or issubclass(class_, BaseModel) or is_dataclass(class_)


def _typed_dict(
    name: str, parameters: list[inspect.Parameter], hints: dict[str, Any], described: dict[str, str]
) -> Any:
    fields: dict[str, Any] = {}
    extra_items: Any = None
    for parameter in parameters:
        hint, description = hints[parameter.name], described.get(parameter.name)
        match parameter.kind:
            case inspect.Parameter.VAR_KEYWORD:
                extra_items = hint
            case inspect.Parameter.VAR_POSITIONAL:
                fields[parameter.name] = NotRequired[Annotated[_list_of(hint), Field(description=description)]]
            case _:
                fields[parameter.name] = _field(parameter, hint, description)
    return make_typed_dict(name, fields, extra_items=extra_items)


def _list_of(hint: Any) -> Any:
    return list[hint]


def _field(parameter: inspect.Parameter, hint: Any, description: str | None) -> Any:
    """A key of the `TypedDict`. It can have no default; `Signature.bind` fills it in."""
    default: Any = parameter.default
    required = default is parameter.empty or (isinstance(default, FieldInfo) and default.is_required())
    extra = {} if required else dict(_shown_default(default))
    hint, *metadata = get_args(hint) if get_origin(hint) is Annotated else (hint,)
    if isinstance(default, FieldInfo):
        description = default.description or description
        own: Any = default.json_schema_extra
        extra |= own if isinstance(own, dict) else {}
        metadata += default.metadata
    # Ours first: what the caller wrote with `Field` wins.
    annotated = Annotated[(hint, Field(description=description, json_schema_extra=extra or None), *metadata)]
    return annotated if required else NotRequired[annotated]


def _shown_default(default: Any) -> Iterator[tuple[str, Any]]:
    """The default as the model reads it; nothing where it cannot be written as JSON."""
    if isinstance(default, FieldInfo):
        default = default.get_default(call_default_factory=True)
    try:
        yield 'default', to_jsonable_python(default)
    except ValueError:
        return
