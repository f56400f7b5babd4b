"""`OutputReader`: how an output is requested from the model, and how a response is read as one.

Read `OutputForm` (one type or function), then `OutputReader` (all of them together). `extract_json` finds the JSON in a
response. `build_output_reader` makes a reader from an `output_type`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Annotated, Any, Literal, Union, cast

from pydantic_core import ErrorDetails, ValidationError

from .._deferred_schemas import Discriminator
from .._threads import call_async
from ..exceptions import ModelRetry, UserError
from ..json_types import repair_json_text
from ..messages import BinaryContent, BinaryImage, ModelResponse, NativeToolCallPart, NativeToolReturnPart, TextPart
from ..models import ModelRequestParameters, OutputMode, OutputObjectDefinition
from ..profiles import ModelProfile
from ..tools.arguments import validate_arguments
from ..tools.context import RunContext
from ..tools.context_functions import ContextFunction
from ..tools.definition import ToolDefinition
from ..tools.shape import Shape
from ..tools.signature import Signature, make_typed_dict
from .output_types import NativeOutput, PromptedOutput, ToolOutput

__all__ = ('IncompleteOutput', 'OutputForm', 'OutputReader', 'Rejected', 'extract_json')

TOOL_NAME = 'final_result'
"""Default name of the tool that returns the output."""

TOOL_DESCRIPTION = 'Give the final answer. The conversation ends with it.'
"""Default description of an output tool."""

OUTER_KEY = 'response'
"""Key of the object that is put around an output whose schema is not an object."""

FileOutput = Literal['one', 'all', 'one image', 'all images']

_FENCE = re.compile(r'```(?:json)?\s*\n(.*?)\n?\s*```', re.DOTALL)


class IncompleteOutput(Exception):
    """The JSON received so far is too short for an output."""


@dataclass(frozen=True, slots=True)
class OutputForm:
    """One structured form of the output: a type, or the arguments of a function."""

    name: str
    type: Any
    """The type, or the type of the function's arguments."""
    shape: Shape
    """The schema for the model: of the type, or of an object around it."""
    is_wrapped: bool = False
    """True if `shape` is an object around the type."""
    signature: Signature | None = None
    options: ToolOutput[Any] | None = None

    @property
    def description(self) -> str | None:
        return (self.signature.description if self.signature else None) or self.shape.description

    def validate(self, json: str, *, allow_partial: bool = False) -> Any:
        """Validate JSON as the type. Raises pydantic's `ValidationError`, `ModelRetry`, or `IncompleteOutput`."""
        if allow_partial:
            value = _validate_json(self.shape, json, allow_partial=True)
        else:
            wrapper_key = self.signature.wrapper_key if self.signature else None
            value = validate_arguments(self.shape, repair_json_text(json), wrapper_key=wrapper_key)
        return _get_item(value, OUTER_KEY) if self.is_wrapped else value

    async def finish(self, value: Any, context: RunContext[Any]) -> Any:
        """Return the output: the validated value, or the result of calling the function with it."""
        if self.signature is None:
            return value
        positional, named = self.signature.bind(self.signature.name_values(value))
        first = [context] if self.signature.takes_ctx else []
        return await call_async(self.signature.function, *first, *positional, **named)


def _validate_json(shape: Shape, json: str, *, allow_partial: bool) -> Any:
    mode: Literal['trailing-strings', 'off'] = 'trailing-strings' if allow_partial else 'off'
    return shape.adapter.validate_json(repair_json_text(json), experimental_allow_partial=mode)


def _get_item(value: Any, key: str) -> Any:
    if key not in value:
        raise IncompleteOutput
    return value[key]


@dataclass(frozen=True)
class CombinedForm:
    """All forms in one object, for a response that is JSON text."""

    forms: list[OutputForm]
    shape: Shape

    def validate(self, json: str, *, allow_partial: bool = False) -> tuple[OutputForm, Any]:
        """Return the form that the model chose, and its validated value."""
        if len(self.forms) == 1:
            return self.forms[0], self.forms[0].validate(json, allow_partial=allow_partial)
        choice = _get_item(_validate_json(self.shape, json, allow_partial=allow_partial), 'result')
        form = next(form for form in self.forms if form.name == _get_item(choice, 'kind'))
        return form, _get_item(choice, 'data')


@dataclass
class OutputReader:
    """Describes an output in requests and reads it from responses. It is not changed after it was built."""

    mode: OutputMode = 'auto'
    """The way to request a structured output; `auto` follows the model's profile."""
    allows_text: bool = False
    """True if plain text is a valid output."""
    text_function: ContextFunction | None = None
    """The function that turns text into the output."""
    files: FileOutput | None = None
    """The generated files that are a valid output: the first one, or a list of all; of all kinds, or images alone."""
    allows_none: bool = False
    """True if a response without text, tool calls and files is the output `None`."""
    allows_deferred: bool = False
    """True if the open tool calls of a run are a valid output."""
    forms: list[OutputForm] = field(default_factory=list[OutputForm])
    options: NativeOutput[Any] | PromptedOutput[Any] | None = None

    @property
    def is_text(self) -> bool:
        """True if the output is the text of the response as it is, before output validators."""
        return self.allows_text and not self.forms and self.text_function is None

    def mode_for(self, profile: ModelProfile, *, has_native_tools: bool = False) -> OutputMode:
        """Return how to request the output from a model with this profile."""
        if not self.forms:
            return 'text'
        if self.mode != 'auto':
            return self.mode
        if not profile.supports_tools and profile.default_structured_output_mode == 'tool':
            return 'prompted'
        return 'tool' if self.allows_text else profile.choose_output_mode(has_native_tools=has_native_tools)

    def build_parameters(self, mode: OutputMode) -> ModelRequestParameters:
        """Return the request parameters that describe the output."""
        if mode in ('text', 'tool'):
            tools = [_build_definition(name, form) for name, form in self.tools.items()] if mode == 'tool' else []
            return ModelRequestParameters(
                output_mode=mode,
                output_tools=tools,
                allow_text_output=self.allows_text,
                allow_image_output=self.files is not None,
            )
        options = self.options
        return ModelRequestParameters(
            output_mode=mode,
            output_object=OutputObjectDefinition(
                self.combined.shape.json_schema,
                name=(options.name if options else None) or self.combined.shape.title,
                description=(options.description if options else None) or self.combined.shape.description,
                strict=options.strict if isinstance(options, NativeOutput) else None,
            ),
            prompted_output_template=options.template if isinstance(options, PromptedOutput) else None,
            allow_image_output=self.files is not None,
        )

    @cached_property
    def tools(self) -> dict[str, OutputForm]:
        """The forms by the names of their output tools."""
        tools: dict[str, OutputForm] = {}
        for form in self.forms:
            own = form.options.name if form.options else None
            name = own or (TOOL_NAME if len(self.forms) == 1 else f'{TOOL_NAME}_{form.name}')
            if own and own in tools:
                raise UserError(f'Two outputs have the tool name {own!r}; give one of them another name=')
            tools[_find_unused_name(name, tools)] = form
        return tools

    @cached_property
    def combined(self) -> CombinedForm:
        if len(self.forms) == 1:
            form = self.forms[0]
            return CombinedForm(self.forms, replace(form.shape, title=form.name, description=form.description))
        forms = _make_names_unique(self.forms)
        kinds = tuple(make_typed_dict(f'{f.name}Output', {'kind': Literal[f.name], 'data': f.type}) for f in forms)
        choice = cast('Any', Annotated)[cast('Any', Union)[kinds], Discriminator('kind')]
        return CombinedForm(forms, Shape.of('output_type', make_typed_dict(TOOL_NAME, {'result': choice})))

    def find_files(self, response: ModelResponse) -> BinaryContent | list[BinaryContent] | None:
        """Return the generated files if they are the output, in the form of its type, or `None`."""
        files: list[BinaryContent] = list(response.files) if self.files else []
        if self.files in ('one image', 'all images'):
            files = [BinaryImage.of(file) for file in files if file.is_image]
        if not files:
            return None
        return files if self.files in ('all', 'all images') else files[0]

    async def finish_text(self, text: str, context: RunContext[Any]) -> Any:
        """Return the output for a text: the text itself, or the result of calling the text function with it."""
        return text if self.text_function is None else await self.text_function(context, text)


def _find_unused_name(name: str, names: dict[str, OutputForm]) -> str:
    numbered = (f'{name}_{number}' for number in range(2, len(names) + 3))
    return next(candidate for candidate in (name, *numbered) if candidate not in names)


def _make_names_unique(forms: list[OutputForm]) -> list[OutputForm]:
    by_name: dict[str, OutputForm] = {}
    for form in forms:
        name = _find_unused_name(form.name, by_name)
        by_name[name] = replace(form, name=name)
    return list(by_name.values())


def _build_definition(name: str, form: OutputForm) -> ToolDefinition:
    options = form.options
    return ToolDefinition(
        name,
        form.shape.json_schema,
        (options.description if options else None) or form.description or TOOL_DESCRIPTION,
        strict=options.strict if options else None,
        outer_typed_dict_key=OUTER_KEY if form.is_wrapped else None,
        kind='output',
    )


# ----------------------------------------------------------------------------------------------- reading a response


def extract_json(response: ModelResponse, *, allow_partial: bool = False) -> str:
    """Return the JSON object in a response's text, or the text itself if it contains no object."""
    texts: list[str] = []
    for part in response.parts:
        match part:
            # Claude writes prose before a native tool call: anthropic__test_anthropic_advisor_tool_stream__0_a61f68
            case NativeToolCallPart() | NativeToolReturnPart():
                texts.clear()
            case TextPart(content=content):
                texts.append(content)
            case _:
                pass
    text = ''.join(texts).strip()
    # Gemini puts JSON into a Markdown fence even if the request has a schema: pydantic-ai#3475
    if not text.startswith('{') and (fenced := _FENCE.search(text)):
        text = fenced[1]
    start, end = text.find('{'), len(text) if allow_partial else text.rfind('}') + 1
    return text[start:end] if 0 <= start < end else text


class Rejected(Exception):
    """An output or a tool call that the model must correct."""

    content: str | list[ErrorDetails]
    """The content of the retry prompt: the error's message, or pydantic's error details."""

    def __init__(self, error: ValidationError | ModelRetry) -> None:
        if isinstance(error, ModelRetry):
            self.content = error.message
        else:
            self.content = error.errors(include_url=False, include_context=False)
        self.error = error
        super().__init__(str(error))
