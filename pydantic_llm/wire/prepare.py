"""Resolves settings, profile and parameters once, for every room and engine.

`prepare` takes what the caller gave and returns a `PreparedRequest`. A room's `encode` reads that and decides nothing
about models. `PreparingModel` is the base class of the models that use it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from json import dumps
from typing import Any, ClassVar, Literal, TypeVar, cast

from .._setting_checks import check_settings, own_checks
from .._suggestions import suggest
from ..exceptions import UserError
from ..json_types import Json
from ..messages import (
    CompactionPart,
    FilePart,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    NativeToolCallPart,
    NativeToolReturnPart,
    ThinkingPart,
)
from ..messages.request import is_tool_result
from ..models import Model, ModelRequestParameters
from ..profiles import ModelProfile
from ..profiles.caching import AUTOMATIC_CACHES
from ..profiles.history import HistoryRules
from ..settings import TRANSPORT_SETTINGS, ModelSettings
from .foreign_settings import describe_drop, register_setting_names, suggest_foreign_name
from .history import check_tool_names, fit_history, keep_texts
from .known import EncodingTarget, KnownHistory
from .parameters import (
    FittedParameters,
    check_parameters,
    fit_schemas,
    resolve_output,
    take_snapshot_of_parameters,
)
from .repaired_history import RepairedHistory, repair_history
from .snapshot import Kept, take_snapshot
from .texts import REPLACED_CHARACTERS
from .turns import HistoryTarget

T = TypeVar('T')

ResolvedToolChoice = Literal['auto', 'none', 'required'] | tuple[str, ...]
"""`auto`, `none`, `required`, or the names of the only tools that may be called (one of them must be called)."""

MAX_TARGETS = 4
"""The number of targets that a model remembers. It has several if settings that decide about messages change."""

MAX_KEPT = 8
"""The number of settings, and of sets of tools, that a model keeps the results of its checks for."""

_CORE_SETTINGS = frozenset({'tool_choice', 'max_tokens'})


@dataclass(slots=True)
class PreparedRequest:
    """A request that was checked and resolved: what a room encodes."""

    model_name: str
    system: str
    """The provider's name. Parts of past responses of this provider are sent with their ids and signatures."""
    messages: Sequence[ModelMessage]
    """The history, repaired: every tool call has its result, and every result its tool call."""
    instructions: list[str]
    """The instructions of the last request, and those of a prompted output."""
    settings: ModelSettings
    """The settings that the API and the model support. Those of other vendors are dropped."""
    parameters: ModelRequestParameters
    """Tools and output, with schemas that the vendor accepts; `output_mode` is never `'auto'`."""
    tool_choice: ResolvedToolChoice
    """The tools that the model may call or must call."""
    profile: ModelProfile
    stream: bool
    """`True` if a stream is requested."""
    warnings: list[str]
    """One sentence for each change or omission."""
    base_url: str | None = None
    """The base URL that the request is sent to."""
    known_history: KnownHistory | None = None
    """What is known about `messages` if they needed no repair. Read it by `get_known`."""
    wanted_stops: Sequence[str] = ()
    """The stop sequences of the caller."""
    writes_items: bool = False
    """True if `encode` may return `JsonItems` in the body."""

    _noted: set[str] = field(init=False, repr=False, compare=False)
    """The warnings, and the sentences that were not added to them."""

    def __post_init__(self) -> None:
        self._noted = set(self.warnings)

    def get_known(self) -> KnownHistory | None:
        """Return what is known about the messages, unless they were replaced since they were prepared."""
        known = self.known_history
        return known if known is not None and known.messages is self.messages else None

    def get_written(self) -> KnownHistory | None:
        """Return the messages whose JSON is known, if `encode` may return it."""
        return self.get_known() if self.writes_items else None

    def encode_alone(self, encode: Callable[[], T]) -> tuple[T, list[str]]:
        """Return the result of `encode` and the warnings about it, which the request does not get."""
        before = self.warnings, self._noted
        self.warnings, self._noted = [], set()
        try:
            return encode(), self.warnings
        finally:
            self.warnings, self._noted = before

    def add_warnings(self, sentences: Iterable[str]) -> None:
        """Add warnings that were collected before, each once."""
        self.warnings += [sentence for sentence in sentences if self._is_new(sentence)]

    def is_same_server(self, message: ModelResponse) -> bool:
        """Return whether the response came from the server that this request is sent to, as far as both are known."""
        if message.provider_url is None or self.base_url is None:
            return True
        return message.provider_url.rstrip('/') == self.base_url.rstrip('/')

    @property
    def refused_stops(self) -> Sequence[str]:
        """The stop sequences that the model refuses: the text of the response is truncated at them here."""
        return () if 'stop_sequences' in self.settings else self.wanted_stops

    @property
    def options(self) -> Mapping[str, Any]:
        """The settings as a plain mapping, for keys that `ModelSettings` does not declare: the room's own."""
        return self.settings

    def drop_setting(self, setting: str, reason: str) -> None:
        """Drop a setting, with a warning (or what `unsupported_settings` asks for) that gives the reason."""
        if setting in self.settings:
            settings = dict(self.settings)
            del settings[setting]
            self.settings = cast('ModelSettings', settings)
            _report(self, describe_drop(setting, reason))

    def note(self, sentence: str) -> None:
        """Add a warning once, or do what `unsupported_settings` asks for: raise `UserError`, or nothing."""
        if self._is_new(sentence):
            _report(self, sentence)

    def note_change(self, sentence: str) -> None:
        """Add a warning once for a change of the history that loses nothing that the caller asked for.

        Unlike `note`, it never raises: a history that was sent once can always be sent again.
        """
        if self._is_new(sentence) and self.settings.get('unsupported_settings') != 'drop':
            self.warnings.append(sentence)

    def _is_new(self, sentence: str) -> bool:
        is_new = sentence not in self._noted
        self._noted.add(sentence)
        return is_new

    def drop_part(
        self, part: ThinkingPart | NativeToolCallPart | NativeToolReturnPart | FilePart | CompactionPart
    ) -> None:
        """Add a warning for a part of a past response that the API cannot represent."""
        maker = repr(part.provider_name) if part.provider_name else 'another model'
        match part:
            case ThinkingPart(content='', signature=None | ''):
                return
            case ThinkingPart():
                what = f'thinking of {maker}'
            case FilePart():
                what = f'a file that {maker} made'
            case CompactionPart():
                what = f'a summary that {maker} made'
            case NativeToolCallPart(tool_name=name) | NativeToolReturnPart(tool_name=name):
                what = f'what {name!r}, a tool of {maker} itself, did'
        self.note(f'dropped, since the API of {self.system!r} cannot represent it in a past response: {what}')

    @property
    def caches_automatically(self) -> bool:
        """True if the vendor caches every prompt by itself."""
        return self.profile.caches_automatically or self.system in AUTOMATIC_CACHES

    def drop_cache_point(self) -> None:
        """Add a warning for a `CachePoint` in the messages, unless the vendor caches by itself."""
        if not self.caches_automatically:
            self.note(f'CachePoint() was not sent: {self.system!r} cannot mark what {self.model_name!r} caches')

    def strict_schema(self, schema: Json, owner: str) -> Json:
        """Return a schema in the form that the API enforces, with a warning for each constraint that this form loses.

        For APIs that enforce every schema. `owner` names the schema in warnings: `"output 'final_result'"`. Raises
        `UserError` if a part of the schema would become useless.
        """
        if (transform := self.profile.json_schema_transformer) is None:
            return schema
        transformed = transform(schema, True)  # noqa: FBT003 -- `strict`, which has no keyword
        if transformed.obstacles:
            raise UserError(
                f'The schema of {owner} cannot be enforced by {self.model_name!r}, since {transformed.obstacles[0]}: '
                f"use output_mode 'tool' or 'prompted' (ToolOutput or PromptedOutput on an agent), or name the fields"
            )
        for loss in transformed.losses:
            self.note(f'the schema of {owner} can no longer enforce {loss}')
        return transformed.json_schema

    def find_obstacle(self, schema: Json) -> str | None:
        """Return the first reason why the API cannot enforce a schema, if there is one."""
        transform = self.profile.json_schema_transformer
        obstacles = transform(schema, True).obstacles if transform else ()  # noqa: FBT003 -- `strict`
        return obstacles[0] if obstacles else None

    def note_thinking_as_text(self, part: ThinkingPart) -> None:
        """Add a warning that another vendor's thinking is sent as text."""
        maker = repr(part.provider_name) if part.provider_name else 'another model'
        self.note(f'thinking of {maker} was sent as text between tags')


@dataclass(frozen=True, slots=True)
class RequestPreview:
    """What a request would send."""

    content: object
    """The content of the request, in the form in which the model gets it. Equal contents are the same request."""
    warnings: Sequence[str]
    """The warnings that its response would have."""


@dataclass(slots=True)
class SettledSettings:
    """The settings of a request after all checks that depend on nothing else."""

    merged: ModelSettings
    """The settings of the model and of the request."""
    target: EncodingTarget
    accepted: ModelSettings | None = None
    """Those that the API and the model support; `None` before they were checked."""
    warnings: Sequence[str] = ()
    """A sentence for each other one."""


class PreparingModel(Model):
    """A model that checks and resolves its requests before it sends or runs them."""

    supported_settings: ClassVar[frozenset[str]]
    """The shared settings that the API or the engine has."""
    settings_prefix: ClassVar[str]
    """The prefix of the vendor's own settings: `'openai_'`."""
    history_rules: ClassVar[HistoryRules] = HistoryRules()
    """What the API accepts in past messages. The profile's `history_rules` override them for one model."""
    settings_type: ClassVar[type | None] = None
    """The `TypedDict` of the vendor's own settings, whose annotations their values are checked by."""
    own_settings: ClassVar[Collection[str] | None] = None
    """The names of the vendor's own settings: those of `settings_type`; `None` accepts every name with the prefix."""
    response_fields: ClassVar[Sequence[str]] = ()
    """The fields of a past response, other than its parts, that decide how it is encoded."""
    message_settings: ClassVar[Sequence[str]] = ()
    """The settings that decide how past messages are encoded."""

    keeps_checks: ClassVar[bool] = False
    """True if requests with the same settings or tools as an earlier one are not checked again. Nothing may change the
    settings and parameters of a `PreparedRequest` in place, and `merged_settings` must depend on its argument alone."""

    _targets: tuple[tuple[object, EncodingTarget], ...] = ()
    _kept_settings: Kept[SettledSettings] | None = None
    _kept_parameters: Kept[FittedParameters] | None = None

    @property
    def setting_prefixes(self) -> tuple[str, ...]:
        """The prefixes of the settings that this model has in addition to the shared ones."""
        return (self.settings_prefix,)

    @property
    def setting_names(self) -> Collection[str] | None:
        """The names of these settings; `None` accepts every name with one of the prefixes."""
        return self.own_settings

    @property
    def setting_types(self) -> tuple[type, ...]:
        """The types of these settings, as `TypedDict`s."""
        return () if self.settings_type is None else (self.settings_type,)

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if 'own_settings' not in vars(cls) and (settings_type := vars(cls).get('settings_type')) is not None:
            cls.own_settings = frozenset(settings_type.__annotations__.keys() - ModelSettings.__annotations__.keys())
        if prefix := getattr(cls, 'settings_prefix', None):
            register_setting_names(prefix, cls.own_settings)

    def prepare(
        self,
        messages: Sequence[ModelMessage],
        settings: ModelSettings | None = None,
        parameters: ModelRequestParameters | None = None,
        *,
        stream: bool = False,
    ) -> PreparedRequest:
        """Resolve a request: what `encode` reads. Raises `UserError` for what cannot be sent."""
        settled = self._settle(settings)
        return prepare(
            messages,
            settled.merged,
            parameters,
            model_name=self.model_name,
            system=self.system,
            profile=self.profile,
            supported=self.supported_settings,
            prefix=self.setting_prefixes,
            own=self.setting_names,
            target=settled.target,
            stream=stream,
            base_url=settled.target.base_url,
            settled=settled,
            kept=self._kept_parameters if self.keeps_checks else None,
        )

    def preview(
        self,
        messages: Sequence[ModelMessage],
        settings: ModelSettings | None = None,
        parameters: ModelRequestParameters | None = None,
    ) -> RequestPreview:
        """Prepare and encode a request, without sending it. Raises `UserError` for what cannot be sent.

        By default, the content is the list of messages. Subclasses that encode them return what they encode.
        """
        request = self.prepare(messages, settings, parameters)
        return RequestPreview(list(messages), request.warnings)

    def _settle(self, settings: ModelSettings | None) -> SettledSettings:
        """Merge and check the settings of a request, or return what is kept for the same ones."""
        snapshot = take_snapshot((self.settings, settings, self.base_url)) if self.keeps_checks else None
        if self._kept_settings is None:
            self._kept_settings, self._kept_parameters = Kept(MAX_KEPT), Kept(MAX_KEPT)
        if (settled := self._kept_settings.get(snapshot)) is not None:
            return settled
        merged = self.merged_settings(settings)
        for settings_type in self.setting_types:
            check_settings(merged, own_checks(settings_type))
        if snapshot is not None:
            merged = deepcopy(merged)  # a copy, since the application may change its own
        settled = SettledSettings(merged, self._choose_target(merged))
        self._kept_settings.put(snapshot, settled)
        return settled

    def _choose_target(self, settings: ModelSettings) -> EncodingTarget:
        """Return the target of the requests with these settings, the same one each time."""
        profile, values = self.profile, cast('Mapping[str, Any]', settings)
        own = [values.get(name) for name in ('unsupported_settings', *self.message_settings)]
        facts = (profile, self.system, self.base_url, own)
        for known, target in self._targets:
            if known == facts:
                return target
        target = EncodingTarget.of(
            self.get_history_rules(),
            supports_tools=profile.supports_tools,
            response_fields=self.response_fields,
            base_url=self.base_url,
        )
        self._targets = ((facts, target), *self._targets[: MAX_TARGETS - 1])
        return target

    def get_history_rules(self) -> HistoryRules:
        """Return what the API accepts in past messages for this model. It depends on the profile and the provider."""
        return self.history_rules.merge(self.profile.history_rules)


def prepare(
    messages: Sequence[ModelMessage],
    settings: ModelSettings,
    parameters: ModelRequestParameters | None,
    *,
    model_name: str,
    system: str,
    profile: ModelProfile,
    supported: Iterable[str],
    prefix: str | tuple[str, ...],
    own: Collection[str] | None = None,
    target: EncodingTarget | None = None,
    stream: bool,
    base_url: str | None = None,
    settled: SettledSettings | None = None,
    kept: Kept[FittedParameters] | None = None,
) -> PreparedRequest:
    """Resolve a request. Raises `UserError` for what cannot be sent.

    `supported` are the shared settings of the room, `own` those with its `prefix` (`'openai_'`). Without `own`, every
    setting with the prefix is accepted. `target` has the rules for past messages. `settled` and `kept` are results of
    earlier requests, and get those of this one.
    """
    target = target or EncodingTarget.of(HistoryRules(), supports_tools=profile.supports_tools)
    settled = settled or SettledSettings(settings, target)
    history = repair_history(messages, target, system)
    given = check_parameters(parameters)
    snapshot, fitted = _recall_parameters(given, settings, kept)
    request = PreparedRequest(
        model_name=model_name,
        system=system,
        messages=history.messages,
        instructions=find_instructions(messages),
        settings=settings,
        parameters=fitted.parameters if fitted else resolve_output(given, profile, model_name),
        tool_choice='auto',
        profile=profile,
        stream=stream,
        warnings=[],
        base_url=base_url,
        known_history=history.known,
        wanted_stops=settings.get('stop_sequences', ()),
    )
    _note_repairs(request, history)
    _accept_settings(request, settled, supported, prefix, own)
    _choose_tools(request)
    _fit_parameters(request, fitted, snapshot, kept)
    _add_output_prompt(request)
    _fit_history(request, target.rules)
    return request


def _note_repairs(request: PreparedRequest, history: RepairedHistory) -> None:
    for note in history.notes:
        _report(request, note)
    if history.has_new_texts:
        request.note_change(REPLACED_CHARACTERS)


def _recall_parameters(
    parameters: ModelRequestParameters, settings: ModelSettings, kept: Kept[FittedParameters] | None
) -> tuple[bytes | None, FittedParameters | None]:
    """Return the snapshot of the parameters, and the fitted ones of an earlier request with the same snapshot."""
    if kept is None or settings.get('tool_choice') == 'none':  # which drops tools that are not fitted then
        return None, None
    snapshot = take_snapshot_of_parameters(parameters)
    return snapshot, kept.get(snapshot)


def _fit_parameters(
    request: PreparedRequest,
    fitted: FittedParameters | None,
    snapshot: bytes | None,
    kept: Kept[FittedParameters] | None,
) -> None:
    if fitted is None:
        fitted = fit_schemas(request.parameters, request.profile, request.model_name)
        if kept is not None:
            kept.put(snapshot, fitted)
    request.parameters = fitted.parameters
    for note in fitted.notes:
        request.note(note)


def _fit_history(request: PreparedRequest, rules: HistoryRules) -> None:
    """Replace the messages and the instructions by those that the API accepts."""
    tools = frozenset([tool.name for tool in request.parameters.tools])
    check_tool_names(tools, request.system, rules)
    if request.known_history is not None:
        request.instructions = keep_texts(request.instructions, request.note_change)
        return
    target = HistoryTarget(
        system=request.system,
        model_name=request.model_name,
        rules=rules,
        tools=tools,
        supports_tools=request.profile.supports_tools,
        instructions=request.instructions,
        note=request.note_change,
    )
    request.messages = fit_history(request.messages, target)
    request.instructions = target.instructions


def find_instructions(messages: Sequence[ModelMessage]) -> list[str]:
    """Return the instructions of the newest request. Tool results continue the request that led to them."""
    for message in reversed(messages):
        if not isinstance(message, ModelRequest):
            continue
        if message.instructions is not None:
            return [message.instructions] if message.instructions else []
        if not (message.parts and all(map(is_tool_result, message.parts))):
            return []
    return []


def _report(request: PreparedRequest, sentence: str) -> None:
    match cast('str', request.settings.get('unsupported_settings', 'warn')):
        case 'warn':
            request.warnings.append(sentence)
        case 'error':
            problem = sentence.removesuffix('?')
            raise UserError(f"{problem}. Set unsupported_settings='warn' to send the request without it")
        case 'drop':
            pass
        case value:
            raise UserError(f"unsupported_settings is 'warn', 'error' or 'drop', not {value!r}")


# ---------------------------------------------------------------------- settings


def _accept_settings(
    request: PreparedRequest,
    settled: SettledSettings,
    supported: Iterable[str],
    prefix: str | tuple[str, ...],
    own: Collection[str] | None,
) -> None:
    """Keep the settings that the room and the model support; report the others."""
    if settled.accepted is None:
        count = len(request.warnings)
        _check_settings(request, supported, prefix, own)
        settled.warnings = request.warnings[count:]
        settled.accepted = request.settings  # last, for requests in other threads
    else:
        request.settings = settled.accepted
        request.warnings += settled.warnings


def _check_settings(
    request: PreparedRequest, supported: Iterable[str], prefix: str | tuple[str, ...], own: Collection[str] | None
) -> None:
    known = _CORE_SETTINGS | TRANSPORT_SETTINGS | frozenset(supported)
    for name in list(request.settings):
        is_own = name.startswith(prefix)
        is_known = name in known or (is_own and (own is None or name in own))
        if is_known and name not in request.profile.unsupported_settings:
            continue
        if is_own and not is_known:
            request.drop_setting(name, f'this API has no such setting{suggest(name, own or ())}')
        elif is_known:
            request.drop_setting(name, f'{request.model_name!r} does not take it')
        elif name == 'cache' and (request.caches_automatically or not request.settings.get('cache')):
            request.settings = cast('ModelSettings', {k: v for k, v in request.settings.items() if k != name})
        elif name in ModelSettings.__annotations__:
            request.drop_setting(name, f'the API of {request.system!r} does not support it')
        elif (meant := suggest_foreign_name(name)) is None:
            request.settings = cast('ModelSettings', {k: v for k, v in request.settings.items() if k != name})
        else:
            meant = meant or suggest(name, ModelSettings.__annotations__)
            request.drop_setting(name, f'there is no such setting{meant}')
    first, *others = [name for name in request.profile.exclusive_settings if name in request.settings] or ['']
    for name in others:
        request.drop_setting(name, f'{request.model_name!r} does not take it together with {first!r}')


# ---------------------------------------------------------------------- outputs and tools


def _choose_tools(request: PreparedRequest) -> None:
    """Resolve `tool_choice` from the settings and from whether a text is an acceptable output."""
    parameters, wanted = request.parameters, request.settings.get('tool_choice')
    accepts_text = parameters.allow_text_output or parameters.allow_image_output or not parameters.output_tools
    match wanted:
        case None | 'auto':
            request.tool_choice = 'auto' if accepts_text else 'required'
        case 'required' if parameters.tools or parameters.native_tools:
            request.tool_choice = 'required'
        case 'required':
            request.drop_setting('tool_choice', 'the request has no tools')
        case 'none' if accepts_text and not parameters.output_tools:
            request.tool_choice = 'none'
        case 'none':
            request.parameters = replace(parameters, function_tools=())
            names = tuple(tool.name for tool in parameters.output_tools)
            request.tool_choice = 'auto' if accepts_text else names
        case str():
            raise UserError(f"tool_choice is 'auto', 'none', 'required' or a list of tool names, not {wanted!r}")
        case names:
            request.tool_choice = _resolve_tool_names(parameters, tuple(names))


def _resolve_tool_names(parameters: ModelRequestParameters, names: tuple[str, ...]) -> ResolvedToolChoice:
    known = dict.fromkeys(tool.name for tool in parameters.tools)
    if not names:
        raise UserError("tool_choice is an empty list; use 'none' to forbid tools")
    if unknown := [name for name in names if name not in known]:
        raise UserError(f'tool_choice names {unknown[0]!r}, which is not among the tools {[*known]!r}')
    return 'required' if known.keys() == set(names) and len(known) > 1 else names


def _add_output_prompt(request: PreparedRequest) -> None:
    if request.parameters.output_mode == 'prompted' and (prompt := _render_output_prompt(request)):
        request.instructions.append(prompt)


def _render_output_prompt(request: PreparedRequest) -> str:
    output = request.parameters.output_object
    assert output is not None, 'resolved before'
    template = request.parameters.prompted_output_template
    if template is None:
        template = request.profile.prompted_output_template
    if not template:
        return ''
    named = {'title': output.name, 'description': output.description}
    text = dumps({**output.json_schema, **{key: value for key, value in named.items() if value}})
    return template.replace('{schema}', text) if '{schema}' in template else f'{template}\n\n{text}'
