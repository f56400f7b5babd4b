"""The agent: a model, what it is told, what it may call, and what it shall give."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager, AsyncExitStack
from difflib import get_close_matches
from types import NoneType, TracebackType
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, Self, Unpack, overload
from uuid import uuid4

from typing_extensions import TypeVar

from ..exceptions import UserError
from ..messages import ModelMessage
from ..models import Model, infer_model
from ..native_tools import NativeTool
from ..settings import ModelSettings, merge_model_settings
from ..tools.context import RunContext
from ..tools.tool import Tool
from ..usage import RunUsage, UsageLimits
from .capture import messages_of_a_new_run
from .context_functions import ContextFunction, Prompt, as_prompts
from .entry_points import AgentRuns, Go, UserPrompt
from .loop import drive
from .options import Instructions, InstructionsFunction, RunOptions, ToolOptions
from .output_reader import Output, read_output
from .output_types import EndStrategy, OutputSpec
from .overrides import UNSET, Unset, overridden, overrides_of
from .result import AgentRunResult, Conversation
from .run_state import Run, Task, opening

if TYPE_CHECKING:
    from ..models.known_names import KnownModelName

__all__ = ('Agent',)

DepsT = TypeVar('DepsT', default=None)
OutputT = TypeVar('OutputT', default=str)
P = ParamSpec('P')
D = TypeVar('D')
R = TypeVar('R')
PromptFunction = TypeVar('PromptFunction', bound=InstructionsFunction)

ContextTool = Callable[Concatenate[RunContext[D], P], R]
"""A function that takes a `RunContext` first."""

_Checks = Callable[[RunContext[D], R], R]
_ChecksLater = Callable[[RunContext[D], R], Awaitable[R]]
_ChecksPlain = Callable[[R], R]
_ChecksPlainLater = Callable[[R], Awaitable[R]]


class Agent(AgentRuns[DepsT, OutputT], Generic[DepsT, OutputT]):
    """Asks a model until it has given the output, and carries out what it calls on the way.

    An agent holds what it was told and nothing of its runs: one object serves any number of them at once.

    Args:
        model: The model, or its name such as `'openai:gpt-4o'`. Without one, each run must name it.
        output_type: What a run shall give: a type, a function, or several of these; `str` where it is not given.
        result_type: The same as `output_type`.
        instructions: What the model is told with every request.
        system_prompt: What the model is told at the beginning of a conversation, and keeps in its history.
        deps_type: The type of `deps`, for type checkers alone.
        name: The agent's name.
        tools: What the model may call: functions, or `Tool`s of them.
        native_tools: Tools of the vendor's that the model may use.
        model_settings: Settings laid over the model's.
        retries: How often a tool may fail in a row, where it does not say so itself.
        output_retries: How often the output may be refused; as often as `retries` where it is not given.
        end_strategy: What happens to the other calls in an answer that holds the output.
        defer_model_check: Look the name of the model up, and its key, in the first run and not here.
    """

    def __init__(
        self,
        model: Model | KnownModelName | str | None = None,
        *,
        output_type: OutputSpec[OutputT] | None = None,
        result_type: OutputSpec[OutputT] | None = None,
        instructions: Instructions = None,
        system_prompt: str | Sequence[str] = (),
        deps_type: type[DepsT] = NoneType,  # type: ignore[assignment]  # the type variable's own default
        name: str | None = None,
        tools: Sequence[Tool[DepsT] | Callable[..., Any]] = (),
        native_tools: Sequence[NativeTool] = (),
        model_settings: ModelSettings | None = None,
        retries: int = 1,
        output_retries: int | None = None,
        end_strategy: EndStrategy = 'early',
        defer_model_check: bool = False,
    ) -> None:
        self.model = model if defer_model_check or model is None else infer_model(model)
        """The model; its name, where the check is deferred."""
        self.name = name
        """The agent's name."""
        self.model_settings = model_settings
        """Settings laid over the model's."""
        wanted: Any = _one_of(output_type, result_type)
        self.output_type: OutputSpec[Any] = str if wanted is None else wanted
        """What a run gives."""
        self.deps_type = deps_type
        """The type of `deps`."""
        self.end_strategy: EndStrategy = end_strategy
        """What happens to the other calls in an answer that holds the output."""
        self._output = read_output(self.output_type)
        self._retries = retries
        self._output_retries = retries if output_retries is None else output_retries
        self._instructions = as_prompts('instructions', instructions)
        self._system_prompts: list[Prompt] = as_prompts('system_prompt', system_prompt)
        self._dynamic_prompts: list[ContextFunction] = []
        self._validators: list[ContextFunction] = []
        self._native_tools = native_tools
        self._tools: dict[str, Tool[Any]] = {}
        for tool in tools:
            self._add(_as_tool(tool))

    # ----------------------------------------------------------------------------------- what the model may call

    @overload
    def tool(self, function: ContextTool[DepsT, P, R], /) -> ContextTool[DepsT, P, R]: ...
    @overload
    def tool(
        self, /, **options: Unpack[ToolOptions]
    ) -> Callable[[ContextTool[DepsT, P, R]], ContextTool[DepsT, P, R]]: ...
    def tool(self, function: Any = None, /, **options: Unpack[ToolOptions]) -> Any:
        """Decorate a function that takes a `RunContext` first: the model may call it. The options are `ToolOptions`."""
        return self._decorate(function, options, takes_ctx=True)

    @overload
    def tool_plain(self, function: Callable[P, R], /) -> Callable[P, R]: ...
    @overload
    def tool_plain(self, /, **options: Unpack[ToolOptions]) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
    def tool_plain(self, function: Any = None, /, **options: Unpack[ToolOptions]) -> Any:
        """Decorate a function that takes no `RunContext`: the model may call it. The options are `ToolOptions`."""
        return self._decorate(function, options, takes_ctx=False)

    def _decorate(self, function: Any, options: ToolOptions, *, takes_ctx: bool) -> Any:
        named: dict[str, Any] = {**options}
        max_retries = named.pop('retries', None)

        def add(decorated: Callable[..., Any]) -> Callable[..., Any]:
            self._add(Tool(decorated, takes_ctx=takes_ctx, max_retries=max_retries, **named))
            return decorated

        return add if function is None else add(function)

    def _add(self, tool: Tool[Any]) -> None:
        if tool.name in self._tools:
            raise UserError(f'The agent has a tool of the name {tool.name!r} already; give another name=')
        self._tools[tool.name] = tool

    # ------------------------------------------------------------------------- what it is told, and what it must pass

    @overload
    def output_validator(self, function: _Checks[DepsT, OutputT], /) -> _Checks[DepsT, OutputT]: ...
    @overload
    def output_validator(self, function: _ChecksLater[DepsT, OutputT], /) -> _ChecksLater[DepsT, OutputT]: ...
    @overload
    def output_validator(self, function: _ChecksPlain[OutputT], /) -> _ChecksPlain[OutputT]: ...
    @overload
    def output_validator(self, function: _ChecksPlainLater[OutputT], /) -> _ChecksPlainLater[OutputT]: ...
    def output_validator(self, function: Callable[..., Any], /) -> Callable[..., Any]:
        """Decorate a function that takes an output, after a `RunContext` if it wants one, and returns it or another.

        It raises `ModelRetry` to refuse the output. While an output is streamed it also sees the unfinished ones, with
        `RunContext.partial_output` set.
        """
        self._validators.append(ContextFunction.of(function, arguments=1))
        return function

    @overload
    def instructions(self, function: PromptFunction, /) -> PromptFunction: ...
    @overload
    def instructions(self, /) -> Callable[[PromptFunction], PromptFunction]: ...
    def instructions(self, function: Any = None, /) -> Any:
        """Decorate a function that gives instructions; it is called for every request."""

        def add(decorated: Any) -> Any:
            self._instructions.append(ContextFunction.of(decorated))
            return decorated

        return add if function is None else add(function)

    @overload
    def system_prompt(self, function: PromptFunction, /) -> PromptFunction: ...
    @overload
    def system_prompt(self, /, *, dynamic: bool = False) -> Callable[[PromptFunction], PromptFunction]: ...
    def system_prompt(self, function: Any = None, /, *, dynamic: bool = False) -> Any:
        """Decorate a function that gives a system prompt.

        It is called when a conversation begins; with `dynamic` also when one goes on, to put the prompt that it then
        gives in the place of the one in the history.
        """

        def add(decorated: Any) -> Any:
            prompt = ContextFunction.of(decorated)
            self._system_prompts.append(prompt)
            self._dynamic_prompts += [prompt] if dynamic else []
            return decorated

        return add if function is None else add(function)

    # ------------------------------------------------------------------------------------------------ how it runs

    def override(
        self,
        *,
        model: Model | KnownModelName | str | Unset = UNSET,
        deps: DepsT | Unset = UNSET,
        tools: Sequence[Tool[DepsT] | Callable[..., Any]] | Unset = UNSET,
        native_tools: Sequence[NativeTool] | Unset = UNSET,
        instructions: Instructions | Unset = UNSET,
    ) -> AbstractContextManager[None]:
        """Run with these inside the `with` block, whatever else is said; for tests.

        It holds for the code of the block and the tasks that begin in it, and for no other.
        """
        return overridden(
            self, model=model, deps=deps, tools=tools, native_tools=native_tools, instructions=instructions
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(self.model, Model):
            await self.model.aclose()

    def _start(
        self, user_prompt: UserPrompt | None, output_type: Any, result_type: Any, deps: Any, options: RunOptions
    ) -> tuple[Run[Any], Go]:
        _check_names(options)
        overrides = overrides_of(self)
        model, is_own = self._model(overrides.get('model', options.get('model')))
        task = self._task(model, _one_of(output_type, result_type), options, overrides)
        history = options.get('message_history') or ()
        conversation = _conversation(history, options)
        context: RunContext[Any] = RunContext(
            deps=overrides.get('deps', deps),
            model=model,
            usage=conversation.usage,
            usage_limits=task.limits,
            prompt=user_prompt,
            messages=conversation.messages,
            model_settings=model.merged_settings(task.settings),
            run_id=conversation.run_id,
            conversation_id=conversation.conversation_id,
        )
        run = Run(task=task, conversation=conversation, context=context)

        async def go() -> AgentRunResult[Any]:
            async with AsyncExitStack() as stack:
                if is_own:
                    await stack.enter_async_context(model)
                final = await drive(run, await opening(run, user_prompt, history))
                return AgentRunResult(final.output, conversation)

        return run, go

    def _task(self, model: Model, output_type: Any, options: RunOptions, overrides: Mapping[str, Any]) -> Task[Any]:
        instructions = [*self._instructions, *as_prompts('instructions', options.get('instructions'))]
        if 'instructions' in overrides:
            instructions = as_prompts('instructions', overrides['instructions'])
        tools = [_as_tool(tool) for tool in overrides.get('tools', self._tools.values())]
        output = self._output_of(output_type)
        task = Task(
            model=model,
            output=output,
            validators=list(self._validators),
            tools=tools,
            native_tools=overrides.get('native_tools', self._native_tools),
            instructions=instructions,
            system_prompts=list(self._system_prompts),
            dynamic_prompts=list(self._dynamic_prompts),
            settings=merge_model_settings(self.model_settings, options.get('model_settings')),
            limits=options.get('usage_limits') or UsageLimits(),
            retries=self._retries,
            output_retries=self._output_retries,
            end_strategy=self.end_strategy,
        )
        clashes = [tool.name for tool in tools if task.mode == 'tool' and tool.name in output.tools]
        if clashes:
            raise UserError(f'A tool and an output have the same name {clashes[0]!r}; give one of them another name=')
        return task

    def _model(self, model: Model | str | None) -> tuple[Model, bool]:
        """The model of a run, and whether the run made it and must close it."""
        if model is not None:
            return infer_model(model), not isinstance(model, Model)
        if self.model is None:
            raise UserError('The agent has no model: give model= to Agent(), to run() or to agent.override()')
        self.model = infer_model(self.model)
        return self.model, False

    def _output_of(self, output_type: Any) -> Output:
        if output_type is None:
            return self._output
        if self._validators:
            raise UserError(
                'output_type cannot be given to a run of an agent with output validators, which check its own'
            )
        return read_output(output_type)

    def __repr__(self) -> str:
        return f'Agent(model={self.model!r}, name={self.name!r}, output_type={self.output_type!r})'


def _as_tool(tool: Tool[Any] | Callable[..., Any]) -> Tool[Any]:
    return tool if isinstance(tool, Tool) else Tool(tool)  # pyright: ignore[reportUnknownVariableType] -- of any deps


def _one_of(output_type: Any, result_type: Any) -> Any:
    """What was given, as one or the other."""
    if result_type is None:
        return output_type
    if output_type is not None:
        raise UserError('output_type and result_type are the same; give one of them')
    return result_type


def _check_names(options: RunOptions) -> None:
    known = RunOptions.__annotations__
    for name in options:
        if name not in known:
            meant = get_close_matches(name, known, 1)
            raise TypeError(f'A run has no option {name!r}' + (f'; did you mean {meant[0]!r}?' if meant else ''))


def _conversation(history: Sequence[ModelMessage], options: RunOptions) -> Conversation:
    run_id = options.get('run_id') or str(uuid4())
    known = (message.conversation_id for message in reversed(history) if message.conversation_id)
    return Conversation(
        messages=messages_of_a_new_run(),
        usage=options.get('usage') or RunUsage(),
        run_id=run_id,
        conversation_id=options.get('conversation_id') or next(known, run_id),
    )
