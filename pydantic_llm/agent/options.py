"""Keyword options that several methods of an agent share, and the types of their values."""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping, Sequence
from inspect import Parameter, Signature, cleandoc, signature
from typing import Any, Generic, TypedDict

from typing_extensions import TypeVar

from .._checks import check_number
from .._suggestions import suggest
from .._type_checks import check_messages, check_native_tools, check_type
from ..exceptions import UserError
from ..messages import ModelMessage, UserContent
from ..models import Model
from ..native_tools import NativeTool
from ..settings import ModelSettings
from ..tools.context import RunContext
from ..tools.controls import CancellationToken
from ..tools.deferred import DeferredToolResults
from ..tools.options import Instructions
from ..tools.tool import Tool
from ..toolsets import AbstractToolset
from ..toolsets.dynamic import ToolsetFunc
from ..usage import RunUsage, UsageLimits
from .dynamic_options import ModelFunction, SettingsFunction, check_model_option, check_settings_option
from .history_processors import HistoryProcessor, parse_processors
from .result import AgentStreamEvent

__all__ = (
    'AgentRetries',
    'EventStreamHandler',
    'RunArguments',
    'RunOptions',
    'UserPrompt',
    'check_options',
    'choose_native_tools',
    'document_options',
    'parse_retries',
)

DepsT = TypeVar('DepsT', default=None)

UserPrompt = str | Sequence[UserContent]
"""The user's message: text, or a sequence of texts and files."""

EventStreamHandler = Callable[[RunContext[Any], AsyncIterable[AgentStreamEvent]], Awaitable[None]]
"""A function that receives all events of a run. Events that it does not read are dropped."""


class AgentRetries(TypedDict, total=False):
    """The retries of an agent, one number for each kind of failure. The default of both is 1."""

    tools: int
    """Number of consecutive failures allowed for a tool that sets no number itself."""

    output: int
    """Number of rejected outputs allowed."""


def parse_retries(
    retries: int | AgentRetries | None, default: tuple[int, int], *, output: int | None = None
) -> tuple[int, int]:
    """Return the retries of tools and of outputs; those that are not given are the default.

    `output` wins over `retries`. Raises `UserError` for invalid numbers and unknown kinds.
    """
    check_number('output_retries', output, least=0, whole=True)
    if retries is None:
        found = default
    elif isinstance(retries, Mapping):
        if unknown := sorted(retries.keys() - AgentRetries.__annotations__.keys()):
            raise UserError(f"retries has the key {unknown[0]!r}; known are 'tools' and 'output'")
        for kind, number in retries.items():
            check_number(f'retries[{kind!r}]', number, least=0, whole=True, required=True)
        found = retries.get('tools', default[0]), retries.get('output', default[1])
    else:
        check_number('retries', retries, least=0, whole=True)
        found = retries, retries
    return found[0], found[1] if output is None else output


class RunOptions(TypedDict, total=False):
    """Options of a run, in addition to its prompt, `deps` and output type."""

    message_history: Sequence[ModelMessage] | None
    """The conversation to continue. Its system prompts are kept; only dynamic ones are evaluated again."""

    model: Model | str | ModelFunction | None
    """The model to use instead of the agent's, or a function of the `RunContext` that chooses it for each request."""

    tools: Sequence[Tool[Any] | Callable[..., Any]] | None
    """Tools in addition to the agent's, as functions or `Tool` objects."""

    toolsets: Sequence[AbstractToolset[Any] | ToolsetFunc[Any]] | None
    """Toolsets in addition to the agent's."""

    native_tools: Sequence[NativeTool] | None
    """The vendor's own tools in addition to the agent's."""

    builtin_tools: Sequence[NativeTool] | None
    """Another name of `native_tools`."""

    deferred_tool_results: DeferredToolResults | None
    """The results of the tool calls that the history left open, and the decisions about them."""

    history_processors: Sequence[HistoryProcessor] | None
    """Functions that choose the messages of each request, called after the agent's."""

    instructions: Instructions
    """Instructions in addition to the agent's."""

    model_settings: ModelSettings | SettingsFunction | None
    """Settings, or a function of the `RunContext` that returns them for each request. They are merged over
    the agent's, which are merged over the model's."""

    retries: int | AgentRetries | None
    """The retries of tools and outputs in place of the agent's."""

    usage_limits: UsageLimits | None
    """Limits of the run. The default is 50 requests."""

    usage: RunUsage | None
    """The object that counts the usage. Runs that share it also share their limits."""

    cancellation_token: CancellationToken | None
    """Cancels the run from any task or thread; the run raises `RunCancelled`."""

    run_id: str | None
    """The id of the run, set on its messages. The default is a new one."""

    conversation_id: str | None
    """The id of the conversation. The default is that of the history, or else the run's id; `'new'` is a new id."""


OPTION_TYPES: dict[str, type] = {
    'usage_limits': UsageLimits,
    'usage': RunUsage,
    'deferred_tool_results': DeferredToolResults,
    'cancellation_token': CancellationToken,
    'run_id': str,
    'conversation_id': str,
}
"""The options of a run that are objects of one class."""


def choose_native_tools(
    native_tools: Sequence[NativeTool] | None, builtin_tools: Sequence[NativeTool] | None
) -> Sequence[NativeTool] | None:
    """Return the one that is given, checked. Raises `UserError` if both are."""
    if native_tools is not None and builtin_tools is not None:
        raise UserError('native_tools and builtin_tools are two names of one option: give one of them')
    chosen = builtin_tools if native_tools is None else native_tools
    if chosen is not None:
        check_native_tools(chosen)
    return chosen


def suggest_option(name: str, known: Iterable[str]) -> str:
    """Return the end of a message about an unknown option: what to write in its place; nothing if that is unknown."""
    if name in ModelSettings.__annotations__:
        return f'; as a setting: model_settings={{{name!r}: ...}}'
    return suggest(name, known)


def check_options(options: RunOptions) -> None:
    """Raise `TypeError` for an unknown option, with the most similar one, `UserError` for a value of a wrong type."""
    known = RunOptions.__annotations__
    for name in options:
        if name not in known:
            raise TypeError(f'A run has no option {name!r}{suggest_option(name, known)}')
    for name, type_ in OPTION_TYPES.items():
        check_type(options.get(name), type_, parameter=name)
    if (model := options.get('model')) is not None:
        check_model_option(model)
    if (history := options.get('message_history')) is not None:
        check_messages(history, parameter='message_history')
    choose_native_tools(options.get('native_tools'), options.get('builtin_tools'))
    check_settings_option(options.get('model_settings'))
    parse_retries(options.get('retries'), default=(1, 1))
    parse_processors(options.get('history_processors'))


OPTIONS_HELP = """

Options:
    output_type: The type of the output, in place of the agent's; `result_type` is another name.
    deps: The value of `RunContext.deps`.
    message_history: The conversation to continue: `result.all_messages()` of an earlier run.
    model: The model in place of the agent's, its name, or a function of the `RunContext`.
    model_settings: Settings such as `{'temperature': 0.2}`, merged over the agent's.
    instructions: Text for the model, in addition to the agent's.
    tools, toolsets: Tools in addition to the agent's.
    native_tools: The vendor's own tools (`builtin_tools` is another name).
    retries: The retries of tools and outputs, a number or `{'tools': 2, 'output': 3}`.
    usage_limits: Limits of the run, `UsageLimits(request_limit=50)`.
    usage: A `RunUsage` that several runs add to, and whose limits they share.
    history_processors: Functions that choose the messages of each request.
    deferred_tool_results: The results of the tool calls that the history left open.
    cancellation_token: Cancels the run from any task or thread.
    run_id, conversation_id: Ids that are set on the messages.
"""
"""The options of a run, for `help()`."""

F = TypeVar('F', bound=Callable[..., Any])


def document_options(function: F) -> F:
    """Show the options of a run in the signature and the documentation of a method, for `help()` and notebooks."""
    own = [each for each in signature(function).parameters.values() if each.kind is not Parameter.VAR_KEYWORD]
    names = {each.name for each in own}
    options = {'output_type': 'OutputSpec | None', 'deps': 'Any', **RunOptions.__annotations__}
    others = [
        Parameter(
            name, Parameter.KEYWORD_ONLY, default=None, annotation=getattr(annotation, '__forward_arg__', annotation)
        )
        for name, annotation in options.items()
        if name not in names
    ]
    documented: Any = function
    documented.__signature__ = Signature([*own, *others], return_annotation=signature(function).return_annotation)
    documented.__doc__ = f'{cleandoc(function.__doc__ or "")}{OPTIONS_HELP}'
    return function


class RunArguments(RunOptions, Generic[DepsT], total=False):
    """The keyword arguments of a run, without its output type."""

    deps: DepsT
    """The value of `RunContext.deps`."""
