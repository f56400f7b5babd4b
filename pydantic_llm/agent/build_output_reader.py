"""`build_output_reader` makes the `OutputReader` of an `output_type`."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NewType, TypeGuard, Union, cast, get_args, get_origin

from .._type_checks import is_callable, raise_wrong_type
from ..exceptions import UserError
from ..messages import BinaryContent, BinaryImage
from ..models import OutputMode
from ..tools.context_functions import ContextFunction
from ..tools.deferred import DeferredToolRequests
from ..tools.shape import Shape
from ..tools.signature import make_typed_dict, name_of, read_signature
from .output_reader import OUTER_KEY, FileOutput, OutputForm, OutputReader
from .output_types import NativeOutput, PromptedOutput, TextOutput, ToolOutput

__all__ = ('build_output_reader',)

MAX_FORM_NAME_LENGTH = 48
"""Characters of a form's name; a tool's name has 13 before it, and a number of up to 3 after it if two are the same.

Vendors refuse tool names over 64 characters (mcp-use#90)."""

FILE_TYPES: tuple[tuple[object, FileOutput], ...] = (
    (BinaryContent, 'one'),
    (list[BinaryContent], 'all'),
    (BinaryImage, 'one image'),
    (list[BinaryImage], 'all images'),
)
"""The types of an output that is what the model generates: its first file or image, or all of them."""

NO_OUTPUT_DESCRIPTION = 'End the conversation without an answer.'
"""Description of the output tool for `None`."""

TYPING_MODULES = ('typing', 'typing_extensions', 'types', 'annotationlib')
"""The modules whose objects are types, although they are not classes: `Any`, `Literal`, `NewType`, aliases."""


def _is_instance(spec: object, *types: type) -> bool:
    """Return `isinstance(spec, types)`, without narrowing to a class with unknown type arguments."""
    return isinstance(spec, types)


def build_output_reader(spec: object) -> OutputReader:
    """Return the reader for an `output_type`. Raises `UserError` if it is not a valid one."""
    members = list(_iter_members(spec))
    others = [member for member in members if member is not DeferredToolRequests]
    if len(others) == len(members):
        return _build_reader(spec)
    if not others:
        raise UserError('output_type has DeferredToolRequests only; give another type too')
    return replace(_build_reader(others[0] if len(others) == 1 else others), allows_deferred=True)


def _build_reader(spec: object) -> OutputReader:
    if _is_instance(spec, NativeOutput, PromptedOutput):
        options = cast('NativeOutput[Any] | PromptedOutput[Any]', spec)
        mode: OutputMode = 'native' if _is_instance(spec, NativeOutput) else 'prompted'
        return OutputReader(mode, forms=[_build_form(item) for item in _iter_members(options.outputs)], options=options)
    return _combine_members(list(_iter_members(spec)))


def _combine_members(members: Sequence[object]) -> OutputReader:
    reader = OutputReader(mode='tool' if any(_is_instance(member, ToolOutput) for member in members) else 'auto')
    for member in members:
        if member is NoneType:
            reader.allows_none = True
            continue
        if _is_instance(member, NativeOutput, PromptedOutput):
            raise UserError(f'{type(member).__name__} cannot be combined with other outputs; put them all into it')
        if _is_instance(member, TextOutput):
            reader.text_function = ContextFunction.of(cast('TextOutput[Any]', member).output_function, arguments=1)
        if _is_instance(member, TextOutput) or member is str:
            reader.allows_text = True
        elif _find_file_output(member) is not None:
            reader.files = _find_file_output(member)
        else:
            reader.forms.append(_build_form(member))
    if not members:
        raise UserError('output_type is an empty sequence; give at least one type')
    if reader.allows_none and not (reader.allows_text or reader.files or reader.forms):
        raise UserError('output_type has None only; give another type too')
    if reader.allows_none and reader.forms:
        reader.forms.append(_build_form(NoneType))
    return reader


def _find_file_output(member: object) -> FileOutput | None:
    for type_, files in FILE_TYPES:
        if member == type_:
            return files
    return None


def _iter_members(spec: object) -> Iterator[object]:
    """Yield the alternatives of an `output_type`: the items of a sequence, the members of a union."""
    if get_origin(spec) in (Union, UnionType):
        yield from get_args(spec)
    elif isinstance(spec, (list, tuple)):
        for item in cast('Sequence[object]', spec):
            yield from _iter_members(item)
    else:
        yield NoneType if spec is None else spec


def _build_form(spec: object) -> OutputForm:
    """Return the form of one type or function."""
    if _is_instance(spec, ToolOutput):
        options = cast('ToolOutput[Any]', spec)
        return replace(_build_form(options.output), options=options)
    if _is_function(spec):
        signature = read_signature(spec)
        name = _to_identifier(name_of(spec))
        return OutputForm(name, signature.arguments, Shape.of(name, signature.arguments), signature=signature)
    _check_type_form(spec)
    owner = getattr(spec, '__name__', None) or str(spec)
    shape = Shape.of(owner, spec)
    if shape.json_schema.get('type') == 'object':
        return OutputForm(_to_identifier(shape.title or _spell_type(spec)), spec, shape)
    wrapped = Shape.of(owner, make_typed_dict(owner, {OUTER_KEY: spec}))
    description = NO_OUTPUT_DESCRIPTION if spec is NoneType else None
    return OutputForm(
        _to_identifier(_spell_type(spec)), spec, replace(wrapped, description=description), is_wrapped=True
    )


def _is_function(spec: object) -> TypeGuard[Callable[..., object]]:
    if isinstance(spec, type) or get_origin(spec) is not None or isinstance(spec, NewType):
        return False
    return inspect.isroutine(spec) or isinstance(spec, partial) or _is_callable_object(spec)


def _is_callable_object(spec: object) -> bool:
    return is_callable(spec) and type(spec).__module__ not in TYPING_MODULES


def _check_type_form(spec: object) -> None:
    """Raise `UserError` for a value where a type is expected."""
    if spec is None or isinstance(spec, type) or get_origin(spec) or type(spec).__module__ in TYPING_MODULES:
        return
    hint = 'a JSON schema goes into StructuredDict(...)' if isinstance(spec, Mapping) else None
    raise_wrong_type('output_type', 'types and functions', cast('object', spec), hint)  # type: ignore[redundant-cast]  # pyright needs it


def _spell_type(type_: object) -> str:
    """Return a type's name with its arguments: `list_City`."""
    origin, arguments = get_origin(type_), get_args(type_)
    if origin is Annotated:
        return _spell_type(arguments[0])
    if origin is None or origin is Literal:
        return getattr(origin or type_, '__name__', str(type_))
    return '_'.join([getattr(origin, '__name__', str(origin)), *map(_spell_type, arguments)])


def _to_identifier(name: str) -> str:
    # Vendors refuse tool names with dots or blanks: pydantic-ai#4585
    return re.sub(r'\W+', '_', name, flags=re.ASCII).strip('_')[:MAX_FORM_NAME_LENGTH]
