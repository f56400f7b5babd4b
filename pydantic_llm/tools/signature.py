"""Reads the signature of a function: a type that pydantic validates, and a JSON schema for the model.

The parameters become the keys of a `TypedDict`. Their descriptions come from `Field`, or else from the docstring. A key
that the model leaves out is not passed to the function, so the default of the function applies.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, is_dataclass
from types import SimpleNamespace
from typing import Annotated, Any, NotRequired, TypeVar, cast, get_args, get_origin, get_type_hints

from pydantic_core import from_json, to_json
from typing_extensions import TypedDict, is_typeddict

from .._type_checks import is_callable
from ..exceptions import UserError
from .docstrings import DocstringFormat, parse_docstring

__all__ = ('Signature', 'make_typed_dict', 'name_of', 'read_parameters', 'read_signature', 'takes_context')

Schema = dict[str, Any]

NOT_JSON = re.compile(rb'(?<![\w"])-?(NaN|Infinity)\b')
"""Numbers that JSON does not have."""

_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def make_typed_dict(name: str, fields: dict[str, Any], *, extra_items: Any = None) -> Any:
    """Return a `TypedDict` type with these fields. Other keys are invalid, or have the type `extra_items` if given."""
    make = cast('Callable[..., Any]', TypedDict)
    made = make(name, fields, **({} if extra_items is None else {'extra_items': extra_items}))
    made.__pydantic_config__ = {} if extra_items is not None else {'extra': 'forbid'}
    return made


@dataclass(frozen=True, slots=True)
class Signature:
    """A function and its parameters, without the `RunContext`."""

    function: Callable[..., Any]
    takes_ctx: bool
    """True if the first parameter is a `RunContext`."""
    description: str | None
    arguments: Any
    """The type that validates the arguments."""
    parameters: tuple[inspect.Parameter, ...]
    is_single_object: bool
    """True if `arguments` is the type of the only parameter, instead of a `TypedDict` with a key per parameter."""

    @property
    def wrapper_key(self) -> str | None:
        """The name of the parameter that models wrap its fields in, although the schema has no such key."""
        return self.parameters[0].name if self.is_single_object else None

    def name_values(self, value: Any) -> dict[str, Any]:
        """Return a validated value of `arguments` as values by the names of the parameters."""
        return dict(value) if self.wrapper_key is None else {self.wrapper_key: value}

    def bind(self, arguments: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """Return arguments by name as positional and keyword arguments, without the `RunContext`."""
        values = dict(arguments)
        positional: list[Any] = []
        named: dict[str, Any] = {}
        # Python takes `*args` only after positional arguments.
        by_position = any(parameter.kind is inspect.Parameter.VAR_POSITIONAL for parameter in self.parameters)
        for parameter in self.parameters:
            match parameter.kind:
                case inspect.Parameter.VAR_POSITIONAL:
                    positional += values.pop(parameter.name, [])
                case inspect.Parameter.VAR_KEYWORD:
                    named |= values
                case _ if parameter.name not in values and parameter.default is parameter.empty:
                    pass
                case inspect.Parameter.POSITIONAL_ONLY:
                    positional.append(_pop_value(parameter, values))
                case inspect.Parameter.POSITIONAL_OR_KEYWORD if by_position:
                    positional.append(_pop_value(parameter, values))
                case _:
                    named[parameter.name] = _pop_value(parameter, values)
        return positional, named


def _pop_value(parameter: inspect.Parameter, values: dict[str, Any]) -> Any:
    """Remove and return the value of a parameter, or return its default."""
    return values.pop(parameter.name) if parameter.name in values else _read_default(parameter.default)


def _read_default(default: Any) -> Any:
    """Return the default of a parameter, which may be a `Field` of pydantic."""
    from pydantic.fields import FieldInfo

    return default.get_default(call_default_factory=True) if isinstance(default, FieldInfo) else default


def name_of(function: Callable[..., Any]) -> str:
    """Return the name of a function, of the function in a `partial`, or of the class of a callable object."""
    inner = getattr(function, 'func', function)
    return str(getattr(inner, '__name__', type(inner).__name__))


def read_parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    """Return the parameters of a function. Raises `UserError` if it is not one, or if Python cannot read them."""
    if not is_callable(function):
        raise UserError(f'A function is expected, not {function!r}')
    try:
        return list(inspect.signature(function).parameters.values())
    except ValueError:
        name = name_of(function)
        raise UserError(f'{name!r} has no signature that Python can read; wrap it in a function of yours') from None


def read_signature(
    function: Callable[..., Any],
    *,
    takes_ctx: bool | None = None,
    docstring_format: DocstringFormat = 'auto',
    require_parameter_descriptions: bool = False,
) -> Signature:
    """Read the signature and the docstring of a function.

    `takes_ctx=None` detects a `RunContext` by the annotation of the first parameter. Raises `UserError` if an
    annotation cannot be resolved, or if a required description is missing.
    """
    parameters = read_parameters(function)
    name = name_of(function)
    takes_ctx = _check_context(name, function, parameters, takes_ctx)
    parameters = parameters[1:] if takes_ctx else parameters
    parsed = parse_docstring(_find_docstring(function), docstring_format)
    if require_parameter_descriptions:
        _check_descriptions(name, parameters, parsed.parameters)
    hints = {parameter.name: _resolve_annotation(function, name, parameter) for parameter in parameters}
    single = len(parameters) == 1 and _is_object(hints[parameters[0].name], parameters[0])
    arguments = (
        hints[parameters[0].name] if single else _make_arguments_type(name, parameters, hints, parsed.parameters)
    )
    return Signature(function, takes_ctx, parsed.text or None, arguments, tuple(parameters), single)


def _find_docstring(function: Callable[..., Any]) -> str | None:
    """Return the docstring of a function; for a callable object, that of its class or of `__call__`."""
    if inspect.isroutine(function):
        return inspect.getdoc(function)
    return inspect.getdoc(type(function).__call__) if type(function).__doc__ is None else type(function).__doc__


def _check_descriptions(name: str, parameters: list[inspect.Parameter], described: dict[str, str]) -> None:
    missing = [parameter.name for parameter in parameters if parameter.name not in described]
    if missing:
        raise UserError(f'The docstring of {name!r} does not describe {", ".join(map(repr, missing))}')


def _check_context(
    name: str, function: Callable[..., Any], parameters: list[inspect.Parameter], takes_ctx: bool | None
) -> bool:
    """Return whether the first parameter is a `RunContext`. Raises `UserError` if that is not as requested."""
    found = [takes_context(function, parameter) for parameter in parameters]
    if any(found[1:]):
        raise UserError(f'{name!r} takes a RunContext, but not as its first parameter')
    if takes_ctx is None:
        return bool(found) and found[0] is True
    if takes_ctx and (not found or found[0] is False):
        raise UserError(
            f'{name!r} takes no RunContext, and must take one as its first parameter: annotate it, or register the '
            f'function with @agent.tool_plain (takes_ctx=False)'
        )
    if not takes_ctx and any(found):
        raise UserError(
            f'{name!r} takes a RunContext as its first parameter: register it with @agent.tool (takes_ctx=True)'
        )
    return takes_ctx


def takes_context(function: Callable[..., Any], parameter: inspect.Parameter) -> bool | None:
    """Return whether a parameter is annotated as a `RunContext`; `None` if the annotation can be one."""
    from .context import RunContext

    annotation = parameter.annotation
    if annotation is parameter.empty:
        return None
    if isinstance(annotation, str):
        written = annotation.strip('\'" ').partition('[')[0]
        if written.rpartition('.')[2] == RunContext.__name__:
            return True
        try:
            annotation = _resolve_hint(function, parameter)
        except Exception:  # noqa: BLE001 -- names that only type checkers see, or no type at all
            return None
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    annotation = getattr(annotation, '__value__', annotation)  # of an alias made with `type`
    if any(_is_context(item) for item in (annotation, *get_args(annotation))):
        return True
    return None if annotation in (Any, object) or isinstance(annotation, TypeVar) else False


def _is_context(annotation: Any) -> bool:
    """Return whether a type is `RunContext`, with or without the type of its dependencies, or a class made of it."""
    from .context import RunContext

    origin: Any = get_origin(annotation) or annotation
    return isinstance(origin, type) and issubclass(origin, RunContext)


def _resolve_annotation(function: Callable[..., Any], name: str, parameter: inspect.Parameter) -> Any:
    """Return the type of a parameter; `Any` without an annotation. Raises `UserError` if a name is not defined."""
    if parameter.annotation is parameter.empty:
        return Any
    try:
        hint = _resolve_hint(function, parameter)
    except Exception as error:
        raise UserError(
            f'The annotation of {parameter.name!r} of {name!r} cannot be resolved: {error}. Define the type at the top '
            f'level of its module, outside of `if TYPE_CHECKING`'
        ) from error
    if not hasattr(hint, '__module__'):  # which every type and special form has; `city: 3` is no error for Python
        raise UserError(f'The annotation of {parameter.name!r} of {name!r} is {hint!r}, which is not a type')
    return hint


def _resolve_hint(function: Callable[..., Any], parameter: inspect.Parameter) -> Any:
    owner = function if inspect.isroutine(function) else getattr(function, 'func', type(function).__call__)
    scope = getattr(inspect.unwrap(owner), '__globals__', {})
    holder = SimpleNamespace(__annotations__={parameter.name: parameter.annotation})
    return get_type_hints(holder, globalns=scope, include_extras=True)[parameter.name]


def _is_object(hint: Any, parameter: inspect.Parameter) -> bool:
    """Return whether a required parameter has an object type: a model, a dataclass, or a `TypedDict`."""
    from pydantic import BaseModel

    if parameter.kind in _VARIADIC or parameter.default is not parameter.empty:
        return False
    bare: object = get_origin(hint) or hint
    class_ = cast('type[object]', bare) if isinstance(bare, type) else object
    return is_typeddict(class_) or issubclass(class_, BaseModel) or is_dataclass(class_)


def _make_arguments_type(
    name: str, parameters: list[inspect.Parameter], hints: dict[str, Any], described: dict[str, str]
) -> Any:
    """Return a `TypedDict` with a key per parameter. `*args` is a list, `**kwargs` is the type of all other keys."""
    from pydantic import Field

    fields: dict[str, Any] = {}
    extra_items: Any = None
    for parameter in parameters:
        hint, description = hints[parameter.name], described.get(parameter.name)
        match parameter.kind:
            case inspect.Parameter.VAR_KEYWORD:
                extra_items = hint
            case inspect.Parameter.VAR_POSITIONAL:
                fields[parameter.name] = NotRequired[Annotated[_make_list_type(hint), Field(description=description)]]
            case _:
                fields[parameter.name] = _make_field(parameter, hint, description)
    return make_typed_dict(name, fields, extra_items=extra_items)


def _make_list_type(hint: Any) -> Any:
    return list[hint]


def _make_field(parameter: inspect.Parameter, hint: Any, description: str | None) -> Any:
    """Return the type of a key. A `TypedDict` has no defaults, so `Signature.bind` fills them in."""
    from pydantic import Field
    from pydantic.fields import FieldInfo

    default: Any = parameter.default
    required = default is parameter.empty or (isinstance(default, FieldInfo) and default.is_required())
    extra = {} if required else _encode_default(default)
    hint, *metadata = get_args(hint) if get_origin(hint) is Annotated else (hint,)
    if isinstance(default, FieldInfo):
        description = default.description or description
        own: Any = default.json_schema_extra
        extra |= own if isinstance(own, dict) else {}
        metadata += default.metadata
    # The later metadata wins in pydantic, so that of the caller comes after ours.
    annotated = Annotated[(hint, Field(description=description, json_schema_extra=extra or None), *metadata)]
    return annotated if required else NotRequired[annotated]


def _encode_default(default: Any) -> Schema:
    """Return the schema keyword `default`; nothing if the value cannot be written as JSON."""
    try:
        encoded = to_json(_read_default(default), inf_nan_mode='constants')
    except ValueError:
        return {}
    return {} if NOT_JSON.search(encoded) else {'default': from_json(encoded)}
