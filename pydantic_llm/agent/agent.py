"""`Agent`: a model with its instructions, tools and output type.

`decorators` has the methods that register functions, `entry_points` those that run the agent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from inspect import signature
from types import NoneType, TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self, Unpack, cast, get_args
from uuid import uuid4

from typing_extensions import TypeVar

from .. import models
from .._checks import check_number
from .._instrument import is_instrumented
from .._type_checks import check_choice, check_prompt, check_type
from ..exceptions import UserError
from ..messages import ModelMessage
from ..models import Model, check_allow_model_requests, infer_model
from ..native_tools import NativeTool
from ..settings import ModelSettings
from ..tools.context import RunContext
from ..tools.context_functions import ContextFunction, parse_prompts
from ..tools.options import Instructions
from ..tools.tool import Tool
from ..toolsets import AbstractToolset, CombinedToolset, FunctionToolset
from ..toolsets.dynamic import ToolsetFunc, to_toolsets
from ..usage import RunUsage, UsageLimits
from .build_output_reader import build_output_reader
from .capture import new_message_list
from .decorators import AgentDecorators
from .dynamic_options import (
    ModelFunction,
    SettingsFunction,
    UnchosenModel,
    check_model_option,
    check_settings_option,
    is_function,
    merge_fixed_settings,
    parse_settings,
)
from .entry_points import AgentEntryPoints
from .history_processors import HistoryProcessor, parse_processors
from .options import (
    AgentRetries,
    RunOptions,
    UserPrompt,
    check_options,
    choose_native_tools,
    parse_retries,
    suggest_option,
)
from .output_reader import OutputReader
from .output_types import EndStrategy, OutputSpec, select_output_type
from .overrides import UNSET, Unset, get_overrides, override_parameters
from .result import Conversation
from .run_spec import RunSpec, Tracer
from .run_state import RunState

if TYPE_CHECKING:
    from ..models.instrumented import InstrumentationSettings
    from ..models.known_names import KnownModelName

__all__ = ('Agent',)

DepsT = TypeVar('DepsT', default=None)
OutputT = TypeVar('OutputT', default=str)


class Agent(AgentDecorators[DepsT, OutputT], AgentEntryPoints[DepsT, OutputT], Generic[DepsT, OutputT]):
    """Sends requests to a model and executes its tool calls until there is an output.

    An agent keeps no state of its runs: one object serves any number of concurrent runs.

    Args:
        model: The model, its name such as `'openai:gpt-5.4-mini'`, or a function of the `RunContext` that returns one
            of these; it is called when a run begins and before each request. Without a model, each run must name one.
        output_type: The type of the output: a type, a function, or several of these. The default is `str`.
        result_type: Another name for `output_type`.
        instructions: Text for the model, sent with every request.
        system_prompt: Text for the model at the beginning of a conversation, kept in its history.
        deps_type: The type of `deps`, for type checkers only.
        name: The agent's name.
        tools: Functions that the model may call, as functions or `Tool` objects.
        native_tools: The vendor's own tools that the model may use.
        builtin_tools: Another name for `native_tools`.
        toolsets: Further tools, as toolsets or functions that return one.
        history_processors: Functions that choose the messages of each request; see `pydantic_llm.history`.
        model_settings: Settings, merged over the model's, or a function of the `RunContext` that returns them; it is
            called before each request.
        retries: Number of consecutive failures allowed for a tool that sets no number itself; or an `AgentRetries`,
            such as `{'tools': 2, 'output': 3}`.
        output_retries: Number of rejected outputs allowed. The default is `retries`.
        end_strategy: Handling of the other tool calls in a response that contains the output.
        tool_timeout: Seconds that a call may take of a tool of the agent itself that sets no time.
        defer_model_check: If true, look up the model's name in the first run, not here. A missing API key is always an
            error of the first run, so that tests can replace the model.
        instrument: Record the runs by OpenTelemetry: true, or the settings for that. `None` follows
            `Agent.instrument_all`, false does not.
    """

    if not TYPE_CHECKING:  # which reports unknown keywords itself

        def __new__(cls, *_: Any, **keywords: Any) -> Self:
            """Raise `TypeError` for an unknown keyword, with what to write in its place."""
            known = ('model', *Agent.__init__.__kwdefaults__)
            unknown = next((name for name in keywords if name not in known), None)
            if unknown is not None and cls.__init__ is Agent.__init__:
                hint = suggest_option(unknown, known)
                raise TypeError(f'{cls.__name__}() got an unexpected keyword argument {unknown!r}{hint}')
            return super().__new__(cls)

    def __init__(
        self,
        model: Model | KnownModelName | str | ModelFunction | None = None,
        *,
        output_type: OutputSpec[OutputT] | None = None,
        result_type: OutputSpec[OutputT] | None = None,
        instructions: Instructions = None,
        system_prompt: str | Sequence[str] = (),
        deps_type: type[DepsT] = NoneType,  # type: ignore[assignment]  # the type variable's own default
        name: str | None = None,
        tools: Sequence[Tool[DepsT] | Callable[..., Any]] = (),
        native_tools: Sequence[NativeTool] | None = None,
        builtin_tools: Sequence[NativeTool] | None = None,
        toolsets: Sequence[AbstractToolset[DepsT] | ToolsetFunc[DepsT]] = (),
        history_processors: Sequence[HistoryProcessor] = (),
        model_settings: ModelSettings | SettingsFunction | None = None,
        retries: int | AgentRetries = 1,
        output_retries: int | None = None,
        end_strategy: EndStrategy = 'early',
        tool_timeout: float | None = None,
        defer_model_check: bool = False,
        instrument: InstrumentationSettings | bool | None = None,
    ) -> None:
        _check_constructor(model, model_settings, name, end_strategy, instrument)
        check_number('tool_timeout', tool_timeout, above=0)
        self._init_functions(tools, toolsets, instructions, system_prompt, tool_timeout)
        self.model: Model | str | ModelFunction | None = model if defer_model_check else _infer_or_defer(model)
        """The model, a function that chooses it, or its name if the check is deferred."""
        self.name = name
        self.instrument = instrument
        self.model_settings = model_settings
        selected = select_output_type(output_type, result_type)
        self.output_type: OutputSpec[Any] = str if selected is None else selected
        self.deps_type = deps_type
        self.end_strategy: EndStrategy = end_strategy
        self._output_reader = build_output_reader(self.output_type)
        self._retries = parse_retries(retries, default=(1, 1), output=output_retries)
        self._native_tools = choose_native_tools(native_tools, builtin_tools) or ()
        self._history_processors = parse_processors(history_processors)
        self._entered: list[CombinedToolset[DepsT]] = []

    @staticmethod
    def instrument_all(instrument: InstrumentationSettings | bool = True) -> None:
        """Record the runs of all agents that do not set `instrument` themselves. See `pydantic_llm.instrument_all`."""
        from ..models.instrumented.switch import instrument_all

        instrument_all(instrument)

    # --------------------------------------------------------------------------------------------------------- runs

    def override(
        self,
        *,
        model: Model | KnownModelName | str | ModelFunction | Unset = UNSET,
        deps: DepsT | Unset = UNSET,
        tools: Sequence[Tool[DepsT] | Callable[..., Any]] | Unset = UNSET,
        native_tools: Sequence[NativeTool] | Unset = UNSET,
        builtin_tools: Sequence[NativeTool] | Unset = UNSET,
        toolsets: Sequence[AbstractToolset[DepsT] | ToolsetFunc[DepsT]] | Unset = UNSET,
        instructions: Instructions | Unset = UNSET,
        model_settings: ModelSettings | SettingsFunction | Unset | None = UNSET,
        retries: int | AgentRetries | Unset = UNSET,
        name: str | Unset = UNSET,
    ) -> AbstractContextManager[None]:
        """Replace parameters of the agent and of its runs inside the `with` block, for example in tests.

        This applies to the code of the block and to the tasks started in it, and to no other code.
        """
        native_tools = builtin_tools if isinstance(native_tools, Unset) else native_tools
        return override_parameters(
            self,
            model=model,
            deps=deps,
            tools=tools,
            native_tools=native_tools,
            toolsets=toolsets,
            instructions=instructions,
            model_settings=model_settings,
            retries=retries,
            name=name,
        )

    async def __aenter__(self) -> Self:
        """Open the toolsets for all runs inside the block."""
        toolset = CombinedToolset([*self._toolsets])
        await toolset.__aenter__()
        self._entered.append(toolset)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            await self._entered.pop().__aexit__(kind, error, traceback)
        finally:
            if isinstance(self.model, Model):
                await self.model.aclose()

    def _prepare_run(
        self,
        user_prompt: UserPrompt | None,
        *,
        output_type: OutputSpec[Any] | None = None,
        result_type: OutputSpec[Any] | None = None,
        deps: DepsT | None = None,
        **options: Unpack[RunOptions],
    ) -> RunState:
        check_options(options)
        if user_prompt is not None:
            check_prompt(user_prompt)
        overrides = get_overrides(self)
        spec = self._build_spec(select_output_type(output_type, result_type), options, overrides)
        settings = merge_fixed_settings(spec.settings_layers)
        conversation = _new_conversation(spec.history, options)
        context: RunContext[Any] = RunContext(
            deps=overrides.get('deps', deps),
            model=spec.model,
            usage=conversation.usage,
            usage_limits=spec.limits,
            prompt=user_prompt,
            messages=conversation.messages,
            model_settings=spec.model.merged_settings(settings),
            max_retries=spec.retries,
            run_id=conversation.run_id,
            conversation_id=conversation.conversation_id,
        )
        return RunState(spec=spec, conversation=conversation, context=context, settings=settings)

    def _build_spec(
        self, output_type: OutputSpec[Any] | None, options: RunOptions, overrides: Mapping[str, Any]
    ) -> RunSpec:
        """Merge the agent, the options and the overrides."""
        model, choose_model, closes_model = self._resolve_model(overrides.get('model', options.get('model')))
        tracer = self._make_tracer(overrides.get('name', self.name))
        retries, output_retries = parse_retries(options.get('retries'), default=self._retries)
        retries, output_retries = parse_retries(overrides.get('retries'), default=(retries, output_retries))
        settings = [self.model_settings, options.get('model_settings')]
        settings = [overrides['model_settings']] if 'model_settings' in overrides else settings
        instructions = [*self._instructions, *parse_prompts('instructions', options.get('instructions'))]
        if 'instructions' in overrides:
            instructions = parse_prompts('instructions', overrides['instructions'])
        return RunSpec(
            model=model if tracer is None else tracer.instrument(model),
            choose_model=choose_model,
            closes_model=closes_model,
            history=options.get('message_history') or (),
            cancellation_token=options.get('cancellation_token'),
            toolset=self._choose_toolset(options, overrides),
            output=self._select_output_reader(output_type),
            output_validators=list(self._output_validators),
            history_processors=[*self._history_processors, *parse_processors(options.get('history_processors'))],
            native_tools=overrides.get('native_tools', [*self._native_tools, *_list_native_tools(options)]),
            deferred_results=options.get('deferred_tool_results'),
            instructions=instructions,
            system_prompts=list(self._system_prompts),
            dynamic_prompts=list(self._dynamic_prompts),
            settings_layers=parse_settings(*settings),
            limits=options.get('usage_limits') or UsageLimits(),
            retries=retries,
            output_retries=output_retries,
            end_strategy=self.end_strategy,
            tracer=tracer,
        )

    def _make_tracer(self, name: str | None) -> Tracer | None:
        """Return what records a run, or `None` if it is not instrumented."""
        if not is_instrumented(self.instrument):
            return None
        from .tracing import RunTracer

        return RunTracer(self.instrument, name)

    def _choose_toolset(self, options: RunOptions, overrides: Mapping[str, Any]) -> CombinedToolset[Any]:
        """Return all tools of a run."""
        functions = (
            self._functions if 'tools' not in overrides else FunctionToolset(overrides['tools'], id='<override>')
        )
        others = overrides.get('toolsets')
        if others is not None:
            return CombinedToolset([functions, *to_toolsets(others)])
        tools = [FunctionToolset(tools, id='<run>')] if (tools := options.get('tools')) else []
        return CombinedToolset([functions, *self._toolsets, *tools, *to_toolsets(options.get('toolsets') or ())])

    def _resolve_model(self, model: Model | str | ModelFunction | None) -> tuple[Model, ContextFunction | None, bool]:
        """Return the model of a run, the function that chooses it, and whether the run must close the model."""
        given = self.model if model is None else model
        if given is None:
            raise UserError('The agent has no model: give model= to Agent(), to run() or to agent.override()')
        if is_function(given):
            return UnchosenModel(), ContextFunction.of(given), False
        if isinstance(given, Model):
            return given, None, False
        if model is not None:
            return infer_model(cast('str', given)), None, True
        self.model = found = _infer_allowed(cast('str', given))
        return found, None, False

    def _select_output_reader(self, output_type: OutputSpec[Any] | None) -> OutputReader:
        if output_type is None:
            return self._output_reader
        if self._output_validators:
            raise UserError(
                'output_type cannot be given to a run of an agent with output validators, which check its own'
            )
        return build_output_reader(output_type)

    def __repr__(self) -> str:
        return f'Agent(model={self.model!r}, name={self.name!r}, output_type={self.output_type!r})'


cast('Any', Agent.__new__).__signature__ = signature(Agent.__init__)  # for `help()` and notebooks, which show `__new__`


def _list_native_tools(options: RunOptions) -> Sequence[NativeTool]:
    return choose_native_tools(options.get('native_tools'), options.get('builtin_tools')) or ()


def _check_constructor(
    model: object,
    model_settings: object,
    name: str | None,
    end_strategy: EndStrategy,
    instrument: InstrumentationSettings | bool | None,
) -> None:
    """Raise `UserError` for an argument of `Agent` of a wrong type."""
    if instrument is not None and instrument is not False:
        from ..models.instrumented.switch import find_settings

        find_settings(instrument)
    if model is not None:
        check_model_option(model)
    check_settings_option(model_settings)
    check_type(name, str, parameter='name')
    check_choice(end_strategy, get_args(EndStrategy), parameter='end_strategy')


def _new_conversation(history: Sequence[ModelMessage], options: RunOptions) -> Conversation:
    """Return an empty conversation with the ids of the run."""
    run_id = options.get('run_id') or str(uuid4())
    known = (message.conversation_id for message in reversed(history) if message.conversation_id)
    given = options.get('conversation_id') or next(known, run_id)
    return Conversation(
        messages=new_message_list(),
        usage=options.get('usage') or RunUsage(),
        run_id=run_id,
        conversation_id=str(uuid4()) if given == 'new' else given,
    )


def _infer_or_defer(model: Model | str | ModelFunction | None) -> Model | str | ModelFunction | None:
    """Return the model of a name. One without its key stays a name, so that another model can replace it in tests.

    While requests are forbidden, this applies to any name.
    """
    if not isinstance(model, str):
        return model
    try:
        return infer_model(model)
    except UserError as error:
        if models.ALLOW_MODEL_REQUESTS and not _is_deferred(error):
            raise
        return model


def _is_deferred(error: UserError) -> bool:
    from ..providers.credentials import MissingVariableError

    return isinstance(error, MissingVariableError)


def _infer_allowed(model: str) -> Model:
    """Return the model of a name. Where it cannot be built while requests are forbidden, the error is about that."""
    try:
        return infer_model(model)
    except UserError:
        check_allow_model_requests()
        raise
