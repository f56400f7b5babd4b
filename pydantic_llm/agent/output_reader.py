"""What an agent's `output_type` means: how the output is asked for, and how an answer becomes one.

`read_output` turns the specification into an `Output`. Its `forms` are the types and functions to choose among; `tools`
and `object` are the two ways to ask for them.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from types import UnionType
from typing import Annotated, Any, Literal, NewType, Union, cast, get_args, get_origin

from pydantic import Discriminator, ValidationError

from .._threads import call_async
from ..exceptions import ModelRetry, UserError
from ..messages import ModelResponse, NativeToolCallPart, NativeToolReturnPart, TextPart
from ..models import ModelRequestParameters, OutputMode, OutputObjectDefinition
from ..profiles import ModelProfile
from ..tools.context import RunContext
from ..tools.definition import ToolDefinition
from ..tools.signature import Shape, Signature, make_typed_dict, name_of, read_signature
from .context_functions import ContextFunction
from .output_types import NativeOutput, PromptedOutput, TextOutput, ToolOutput

__all__ = ('Form', 'Incomplete', 'Output', 'json_of', 'read_output', 'refusal')

TOOL_NAME = 'final_result'
"""The name of the tool by which a model gives its output."""

TOOL_DESCRIPTION = 'Give the final answer. The conversation ends with it.'
"""What a model is told of an output tool that has no description of its own."""

OUTER_KEY = 'response'
"""The key under which an output that is no object is wrapped into one."""

_FENCED = re.compile(r'```(?:json)?\s*\n(.*?)\n?\s*```', re.DOTALL)


class Incomplete(Exception):
    """What has arrived is not yet enough for an output."""


@dataclass(frozen=True, slots=True)
class Form:
    """One form that the output may have: a type, or the arguments of a function."""

    name: str
    """What the type or the function is called."""
    type: Any
    """The type; of a function, the type of its arguments."""
    shape: Shape
    """What the model writes: the type, or an object around it."""
    wrapped: bool = False
    """Whether there is an object around it."""
    signature: Signature | None = None
    """The function."""
    options: ToolOutput[Any] | None = None
    """What was said of it as a tool."""

    @property
    def description(self) -> str | None:
        """What the model is told of it."""
        return (self.signature.description if self.signature else None) or self.shape.description

    def validate(self, json: str, *, allow_partial: bool = False) -> Any:
        """What the model wrote, as the type. Raises pydantic's `ValidationError`, or `Incomplete`."""
        mode: Any = 'trailing-strings' if allow_partial else False
        value = self.shape.adapter.validate_json(json, experimental_allow_partial=mode)
        return _inner(value, OUTER_KEY) if self.wrapped else value

    async def finish(self, value: Any, context: RunContext[Any]) -> Any:
        """The output: the value, or what the function makes of it."""
        if self.signature is None:
            return value
        positional, named = self.signature.bind(value)
        first = [context] if self.signature.takes_ctx else []
        return await call_async(self.signature.function, *first, *positional, **named)


def _inner(value: Any, key: str) -> Any:
    if key not in value:
        raise Incomplete
    return value[key]


@dataclass(frozen=True)
class ObjectForm:
    """All forms as one object, for an answer that is JSON text."""

    forms: list[Form]
    """The forms to choose among."""
    shape: Shape
    """What the model writes."""

    def validate(self, json: str, *, allow_partial: bool = False) -> tuple[Form, Any]:
        """The form that the model chose, and what it wrote, as the type."""
        if len(self.forms) == 1:
            return self.forms[0], self.forms[0].validate(json, allow_partial=allow_partial)
        mode: Any = 'trailing-strings' if allow_partial else False
        value = self.shape.adapter.validate_json(json, experimental_allow_partial=mode)
        chosen = _inner(value, 'result')
        form = next(form for form in self.forms if form.name == _inner(chosen, 'kind'))
        return form, _inner(chosen, 'data')


@dataclass
class Output:
    """How an output is asked for, and how an answer becomes one. It is never changed."""

    mode: OutputMode = 'auto'
    """How a structured output is asked for."""
    allows_text: bool = False
    """Whether plain text is an output."""
    text_function: ContextFunction | None = None
    """What makes an output of text."""
    forms: list[Form] = field(default_factory=list[Form])
    """The structured forms that the output may have."""
    options: NativeOutput[Any] | PromptedOutput[Any] | None = None
    """What was said of them as one object."""

    def mode_for(self, profile: ModelProfile) -> OutputMode:
        """How the output is asked for from a model with this profile."""
        if not self.forms:
            return 'text'
        if self.mode != 'auto':
            return self.mode
        if not profile.supports_tools and profile.default_structured_output_mode == 'tool':
            return 'prompted'
        return 'tool' if self.allows_text else profile.default_structured_output_mode

    def parameters(self, mode: OutputMode) -> ModelRequestParameters:
        """What a request must say of the output."""
        if mode in ('text', 'tool'):
            tools = [_definition(name, form) for name, form in self.tools.items()] if mode == 'tool' else []
            return ModelRequestParameters(output_mode=mode, output_tools=tools, allow_text_output=self.allows_text)
        options = self.options
        return ModelRequestParameters(
            output_mode=mode,
            output_object=OutputObjectDefinition(
                self.object.shape.json_schema,
                name=(options.name if options else None) or self.object.shape.title,
                description=(options.description if options else None) or self.object.shape.description,
                strict=options.strict if isinstance(options, NativeOutput) else None,
            ),
            prompted_output_template=options.template if isinstance(options, PromptedOutput) else None,
        )

    @cached_property
    def tools(self) -> dict[str, Form]:
        """The forms by the names of the tools that give them."""
        found: dict[str, Form] = {}
        for form in self.forms:
            own = form.options.name if form.options else None
            name = own or (TOOL_NAME if len(self.forms) == 1 else f'{TOOL_NAME}_{form.name}')
            if own and own in found:
                raise UserError(f'Two outputs are tools of the name {own!r}')
            found[_unused(name, found)] = form
        return found

    @cached_property
    def object(self) -> ObjectForm:
        """The forms as one object."""
        if len(self.forms) == 1:
            return ObjectForm(self.forms, _titled(self.forms[0]))
        forms = _with_different_names(self.forms)
        kinds = tuple(make_typed_dict(f.name, {'kind': Literal[f.name], 'data': f.type}) for f in forms)
        choice = cast('Any', Annotated)[cast('Any', Union)[kinds], Discriminator('kind')]
        return ObjectForm(forms, Shape.of('output_type', make_typed_dict(TOOL_NAME, {'result': choice})))

    async def finish_text(self, text: str, context: RunContext[Any]) -> Any:
        """The output that a text is, where text may be one."""
        return text if self.text_function is None else await self.text_function(context, text)


def _titled(form: Form) -> Shape:
    return replace(form.shape, title=form.name, description=form.description)


def _unused(name: str, names: dict[str, Form]) -> str:
    numbered = (f'{name}_{number}' for number in range(2, len(names) + 3))
    return next(candidate for candidate in (name, *numbered) if candidate not in names)


def _with_different_names(forms: list[Form]) -> list[Form]:
    named: dict[str, Form] = {}
    for form in forms:
        name = _unused(form.name, named)
        named[name] = replace(form, name=name)
    return list(named.values())


def _definition(name: str, form: Form) -> ToolDefinition:
    options = form.options
    return ToolDefinition(
        name,
        form.shape.json_schema,
        (options.description if options else None) or form.description or TOOL_DESCRIPTION,
        strict=options.strict if options else None,
        outer_typed_dict_key=OUTER_KEY if form.wrapped else None,
        kind='output',
    )


# ------------------------------------------------------------------------------------- reading the specification


def _is(spec: object, *kinds: type) -> bool:
    return isinstance(spec, kinds)


def read_output(spec: Any) -> Output:
    """Read an `output_type`. Raises `UserError` for what cannot be one."""
    if _is(spec, NativeOutput, PromptedOutput):
        options = cast('NativeOutput[Any] | PromptedOutput[Any]', spec)
        mode: OutputMode = 'native' if _is(spec, NativeOutput) else 'prompted'
        return Output(mode, forms=[read_form(item) for item in _members(options.outputs)], options=options)
    return _read_members(list(_members(spec)))


def _read_members(members: Sequence[Any]) -> Output:
    output = Output(mode='tool' if any(_is(member, ToolOutput) for member in members) else 'auto')
    for member in members:
        if _is(member, NativeOutput, PromptedOutput):
            raise UserError(f'{type(member).__name__} cannot stand beside other outputs; put them all into it')
        if _is(member, TextOutput):
            output.text_function = ContextFunction.of(cast('TextOutput[Any]', member).output_function, arguments=1)
        if _is(member, TextOutput) or member is str:
            output.allows_text = True
        else:
            output.forms.append(read_form(member))
    if not members:
        raise UserError('output_type is an empty sequence; give at least one type')
    return output


def _members(spec: Any) -> Iterator[Any]:
    """The alternatives in a specification: the items of a sequence, the members of a union."""
    if get_origin(spec) in (Union, UnionType):
        yield from get_args(spec)
    elif isinstance(spec, (list, tuple)):
        for item in cast('Sequence[Any]', spec):
            yield from _members(item)
    else:
        yield spec


def read_form(spec: Any) -> Form:
    """Read one type or function."""
    if _is(spec, ToolOutput):
        options = cast('ToolOutput[Any]', spec)
        return replace(read_form(options.output), options=options)
    if _is_function(spec):
        signature = read_signature(spec)
        name = name_of(spec)
        return Form(name, signature.arguments, Shape.of(name, signature.arguments), signature=signature)
    owner = getattr(spec, '__name__', None) or str(spec)
    shape = Shape.of(owner, spec)
    if shape.json_schema.get('type') == 'object':
        return Form(_identifier(shape.title or _spelled(spec)), spec, shape)
    wrapped = Shape.of(owner, make_typed_dict(owner, {OUTER_KEY: spec}))
    return Form(_identifier(_spelled(spec)), spec, replace(wrapped, description=None), wrapped=True)


def _is_function(spec: Any) -> bool:
    if isinstance(spec, type) or get_origin(spec) is not None or isinstance(spec, NewType):
        return False
    return inspect.isroutine(spec) or isinstance(spec, partial) or _is_callable_object(spec)


def _is_callable_object(spec: object) -> bool:
    return callable(spec) and type(spec).__module__ not in ('typing', 'typing_extensions', 'types')


def _spelled(type_: Any) -> str:
    """A type's name with its arguments: `list_City`."""
    origin, arguments = get_origin(type_), get_args(type_)
    if origin is Annotated:
        return _spelled(arguments[0])
    if origin is None or origin is Literal:
        return getattr(origin or type_, '__name__', str(type_))
    return '_'.join([getattr(origin, '__name__', str(origin)), *map(_spelled, arguments)])


def _identifier(name: str) -> str:
    """A name that every vendor takes for a tool."""
    return re.sub(r'\W+', '_', name, flags=re.ASCII).strip('_')[:50]


# ------------------------------------------------------------------------------------- reading an answer


def json_of(response: ModelResponse, *, allow_partial: bool = False) -> str:
    """The JSON object in an answer: after the last of the vendor's own tools, without a fence or words around it."""
    texts: list[str] = []
    for part in response.parts:
        match part:
            case NativeToolCallPart() | NativeToolReturnPart():
                texts.clear()
            case TextPart(content=content):
                texts.append(content)
            case _:
                pass
    text = ''.join(texts).strip()
    if not text.startswith('{') and (fenced := _FENCED.search(text)):
        text = fenced[1]
    start, end = text.find('{'), len(text) if allow_partial else text.rfind('}') + 1
    return text[start:end] if 0 <= start < end else text


def refusal(error: ValidationError | ModelRetry) -> Any:
    """What a model is told of an error: the errors of pydantic, or the message."""
    if isinstance(error, ModelRetry):
        return error.message
    return error.errors(include_url=False, include_context=False)
