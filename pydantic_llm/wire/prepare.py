"""Settings × profile × parameters, resolved once, for every room.

`prepare` takes what the caller said and gives a `PreparedRequest`, which says what shall be on the wire: a room's
`encode` reads it and decides nothing about models.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from json import dumps
from typing import Any, ClassVar, Literal, cast

from ..exceptions import UserError
from ..messages import FilePart, ModelMessage, ModelRequest, NativeToolCallPart, NativeToolReturnPart, ThinkingPart
from ..messages.history import repair
from ..models import Model, ModelRequestParameters, OutputMode, OutputObjectDefinition
from ..profiles import ModelProfile
from ..settings import TRANSPORT_SETTINGS, ModelSettings
from ..tools.definition import ToolDefinition

ResolvedToolChoice = Literal['auto', 'none', 'required'] | tuple[str, ...]
"""`auto`, `none`, `required`, or the names of the only tools that may be called (one of them must be)."""

OUTPUT_NAME = 'final_result'
"""The name of an output that has none."""

_CORE_SETTINGS = frozenset({'tool_choice', 'max_tokens'})


@dataclass(slots=True)
class PreparedRequest:
    """A request as it shall be sent, before any room has seen it."""

    model_name: str
    """The model to ask."""
    system: str
    """The vendor's name; parts made under this name get their ids and signatures back."""
    messages: Sequence[ModelMessage]
    """The history, repaired: every call is answered, and every answer has its call."""
    instructions: list[str]
    """The newest request's instructions, and what a prompted output adds to them."""
    settings: ModelSettings
    """The settings that this model takes. Vendor-prefixed keys of other vendors are gone."""
    parameters: ModelRequestParameters
    """What the request may use, with schemas as the vendor takes them; `output_mode` is never `'auto'`."""
    tool_choice: ResolvedToolChoice
    """Whether tools must be called."""
    profile: ModelProfile
    """What the model can do."""
    stream: bool
    """Whether the answer shall be streamed."""
    warnings: list[str]
    """What was left out, a sentence each."""

    @property
    def options(self) -> Mapping[str, Any]:
        """The settings as a plain mapping, for keys that `ModelSettings` does not declare: the room's own."""
        return self.settings

    def leave_out(self, setting: str, reason: str) -> None:
        """Take a setting out of the request, and say so in the way that the caller asked for."""
        if setting in self.settings:
            settings = dict(self.settings)
            del settings[setting]
            self.settings = cast('ModelSettings', settings)
            _complain(self, f'{setting!r} was not sent: {reason}')

    def note(self, sentence: str) -> None:
        """Say that something is sent in another way than it was said, once, in the way that the caller asked for."""
        if sentence not in self.warnings:
            _complain(self, sentence)

    def leave_out_part(self, part: ThinkingPart | NativeToolCallPart | NativeToolReturnPart | FilePart) -> None:
        """Say that a part of a past answer is not sent, for which the room has no place."""
        maker = repr(part.provider_name) if part.provider_name else 'another model'
        match part:
            case ThinkingPart(content='', signature=None | ''):
                return
            case ThinkingPart():
                what = f'thoughts of {maker}'
            case FilePart():
                what = f'a file that {maker} made'
            case NativeToolCallPart(tool_name=name) | NativeToolReturnPart(tool_name=name):
                what = f'what {name!r}, a tool of {maker} itself, did'
        self.note(f'left out, since the API of {self.system!r} has no place for it in a past answer: {what}')

    def tell_as_text(self, part: ThinkingPart) -> None:
        """Say that thoughts are sent as text, since their maker's form of them means nothing here."""
        maker = repr(part.provider_name) if part.provider_name else 'another model'
        self.note(f'thoughts of {maker} were sent as text between tags')


class PreparingModel(Model):
    """A model that checks and resolves its requests before it sends or runs them."""

    supported_settings: ClassVar[frozenset[str]]
    """The shared settings that the API or the engine has."""
    settings_prefix: ClassVar[str]
    """The prefix of the vendor's own settings: `'openai_'`."""
    own_settings: ClassVar[Collection[str] | None] = None
    """The names of the vendor's own settings; `None` accepts every name with the prefix."""

    def prepare(
        self,
        messages: Sequence[ModelMessage],
        settings: ModelSettings | None = None,
        parameters: ModelRequestParameters | None = None,
        *,
        stream: bool = False,
    ) -> PreparedRequest:
        """Resolve a request: what `encode` reads. Raises `UserError` for what cannot be sent."""
        return prepare(
            messages,
            self.merged_settings(settings),
            parameters,
            model_name=self.model_name,
            system=self.system,
            profile=self.profile,
            supported=self.supported_settings,
            prefix=self.settings_prefix,
            own=self.own_settings,
            stream=stream,
        )


def prepare(
    messages: Sequence[ModelMessage],
    settings: ModelSettings,
    parameters: ModelRequestParameters | None,
    *,
    model_name: str,
    system: str,
    profile: ModelProfile,
    supported: Iterable[str],
    prefix: str,
    own: Collection[str] | None = None,
    stream: bool,
) -> PreparedRequest:
    """Resolve a request, or raise a `UserError` that says what cannot be sent.

    `supported` names the room's shared settings, `own` those with its `prefix` (`'openai_'`); where `own` is not given,
    all with the prefix are.
    """
    repaired, notes = repair(messages)
    resolved = _resolve_output(parameters or ModelRequestParameters(), profile, model_name)
    request = PreparedRequest(
        model_name=model_name,
        system=system,
        messages=repaired,
        instructions=_instructions(messages),
        settings=settings,
        parameters=resolved,
        tool_choice='auto',
        profile=profile,
        stream=stream,
        warnings=[],
    )
    for note in notes:
        _complain(request, note)
    _check_settings(request, frozenset(supported), prefix, own)
    _choose_tools(request)
    _transform_schemas(request)
    if resolved.output_mode == 'prompted' and (said := _prompted_instructions(request)):
        request.instructions.append(said)
    return request


def _instructions(messages: Sequence[ModelMessage]) -> list[str]:
    newest = next((message for message in reversed(messages) if isinstance(message, ModelRequest)), None)
    return [newest.instructions] if newest and newest.instructions else []


def _complain(request: PreparedRequest, sentence: str) -> None:
    match cast('str', request.settings.get('unsupported_settings', 'warn')):
        case 'warn':
            request.warnings.append(sentence)
        case 'error':
            said = sentence.removesuffix('?')
            raise UserError(f"{said}. Set unsupported_settings='warn' to send the request without it")
        case 'drop':
            pass
        case wish:
            raise UserError(f"unsupported_settings is 'warn', 'error' or 'drop', not {wish!r}")


# ---------------------------------------------------------------------- settings


def _check_settings(
    request: PreparedRequest, supported: frozenset[str], prefix: str, own: Collection[str] | None
) -> None:
    """Keep the settings that the room has and the model takes; complain about the others."""
    room = supported | _CORE_SETTINGS | TRANSPORT_SETTINGS
    for name in list(request.settings):
        is_own = name.startswith(prefix)
        if (is_own and (own is None or name in own)) or (
            name in room and name not in request.profile.unsupported_settings
        ):
            continue
        if is_own:
            request.leave_out(name, f'this API has no such setting{_nearest(name, own or ())}')
        elif name in room:
            request.leave_out(name, f'{request.model_name!r} does not take it')
        elif name in ModelSettings.__annotations__:
            request.leave_out(name, f'the API of {request.system!r} has nothing like it')
        elif _is_other_vendors(name):
            request.settings = cast('ModelSettings', {k: v for k, v in request.settings.items() if k != name})
        else:
            request.leave_out(name, f'there is no such setting{_nearest(name, ModelSettings.__annotations__)}')


def _nearest(name: str, known: Collection[str]) -> str:
    meant = get_close_matches(name, known, 1)
    return f'; did you mean {meant[0]!r}?' if meant else ''


def _is_other_vendors(name: str) -> bool:
    from ..models.names import SETTING_PREFIXES

    return name.startswith(SETTING_PREFIXES)


# ---------------------------------------------------------------------- outputs and tools


def _resolve_output(
    parameters: ModelRequestParameters, profile: ModelProfile, model_name: str
) -> ModelRequestParameters:
    mode: OutputMode = parameters.output_mode
    if mode == 'auto':
        mode = profile.default_structured_output_mode
    if mode in ('native', 'prompted') and parameters.output_object is None:
        raise UserError(f'output_mode={mode!r} needs an output_object in ModelRequestParameters')
    if mode == 'native' and not profile.supports_json_schema_output:
        raise UserError(
            f"{model_name!r} cannot be held to a JSON schema by its API (output_mode='native'); use output_mode "
            "'tool' or 'prompted' (ToolOutput or PromptedOutput on an agent)"
        )
    output_tools = parameters.output_tools if mode in ('tool', 'text') else ()
    output_object = parameters.output_object if mode in ('native', 'prompted') else None
    resolved = replace(parameters, output_mode=mode, output_tools=output_tools, output_object=output_object)
    names = [tool.name for tool in resolved.tools]
    if names and not profile.supports_tools:
        raise UserError(f'{model_name!r} cannot call tools, and was given {", ".join(map(repr, names))}')
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UserError(f'Two tools are called {twice!r}: give one of them another name')
    return resolved


def _choose_tools(request: PreparedRequest) -> None:
    """Bring together what the settings say of tools and whether text is an acceptable answer."""
    parameters, wanted = request.parameters, request.settings.get('tool_choice')
    text_is_enough = parameters.allow_text_output or not parameters.output_tools
    match wanted:
        case None | 'auto':
            request.tool_choice = 'auto' if text_is_enough else 'required'
        case 'required' if parameters.tools or parameters.native_tools:
            request.tool_choice = 'required'
        case 'required':
            request.leave_out('tool_choice', 'the request has no tools')
        case 'none' if text_is_enough and not parameters.output_tools:
            request.tool_choice = 'none'
        case 'none':
            request.parameters = replace(parameters, function_tools=())
            names = tuple(tool.name for tool in parameters.output_tools)
            request.tool_choice = 'auto' if text_is_enough else names
        case str():
            raise UserError(f"tool_choice is 'auto', 'none', 'required' or a list of tool names, not {wanted!r}")
        case names:
            request.tool_choice = _named_tools(parameters, tuple(names))


def _named_tools(parameters: ModelRequestParameters, names: tuple[str, ...]) -> ResolvedToolChoice:
    known = [tool.name for tool in parameters.tools]
    if not names:
        raise UserError("tool_choice is an empty list; use 'none' to forbid tools")
    if unknown := [name for name in names if name not in known]:
        raise UserError(f'tool_choice names {unknown[0]!r}, which is not among the tools {known!r}')
    return 'required' if set(names) == set(known) and len(known) > 1 else names


def _transform_schemas(request: PreparedRequest) -> None:
    transform = request.profile.json_schema_transformer
    if transform is None:
        return
    losses: list[str] = []

    def fit(schema: dict[str, object], strict: bool | None, owner: str) -> tuple[dict[str, object], bool]:
        done = transform(schema, strict)
        losses.extend(f'the schema of {owner} can no longer enforce {loss}' for loss in done.losses)
        return done.json_schema, done.strict

    parameters = request.parameters
    request.parameters = replace(
        parameters,
        function_tools=_fit_tools(parameters.function_tools, fit),
        output_tools=_fit_tools(parameters.output_tools, fit),
        output_object=_fit_output(parameters.output_object, fit),
    )
    for loss in losses:
        _complain(request, loss)


Fit = Callable[[dict[str, object], bool | None, str], tuple[dict[str, object], bool]]


def _fit_tools(tools: Sequence[ToolDefinition], fit: Fit) -> list[ToolDefinition]:
    fitted: list[ToolDefinition] = []
    for tool in tools:
        schema, strict = fit(tool.parameters_json_schema, tool.strict, f'tool {tool.name!r}')
        fitted.append(replace(tool, parameters_json_schema=schema, strict=strict))
    return fitted


def _fit_output(output: OutputObjectDefinition | None, fit: Fit) -> OutputObjectDefinition | None:
    if output is None:
        return None
    schema, strict = fit(output.json_schema, output.strict, f'output {output.name or OUTPUT_NAME!r}')
    return replace(output, json_schema=schema, strict=strict)


def _prompted_instructions(request: PreparedRequest) -> str:
    output = request.parameters.output_object
    assert output is not None, 'resolved before'
    template = request.parameters.prompted_output_template
    if template is None:
        template = request.profile.prompted_output_template
    if not template:
        return ''
    schema = dict(output.json_schema)
    if output.name:
        schema['title'] = output.name
    if output.description:
        schema['description'] = output.description
    text = dumps(schema)
    return template.replace('{schema}', text) if '{schema}' in template else f'{template}\n\n{text}'
