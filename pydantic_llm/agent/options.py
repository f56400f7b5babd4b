"""The options that several methods of an agent share, by keyword."""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable, Sequence
from typing import Any, TypedDict

from ..messages import ModelMessage
from ..models import Model
from ..settings import ModelSettings
from ..tools.context import RunContext
from ..tools.definition import ToolDefinition
from ..tools.docstrings import DocstringFormat
from ..usage import RunUsage, UsageLimits
from .result import AgentStreamEvent

__all__ = ('EventStreamHandler', 'Instructions', 'RunOptions', 'ToolOptions')

InstructionsFunction = (
    Callable[[RunContext[Any]], str | None]
    | Callable[[RunContext[Any]], Awaitable[str | None]]
    | Callable[[], str | None]
    | Callable[[], Awaitable[str | None]]
)
"""A function that makes a prompt, or `None` for nothing."""

Instructions = str | InstructionsFunction | Sequence[str | InstructionsFunction] | None
"""A prompt as text, a function that makes one, or several of these."""

EventStreamHandler = Callable[[RunContext[Any], AsyncIterable[AgentStreamEvent]], Awaitable[None]]
"""Takes everything that happens in a run. What it leaves unread is thrown away."""


class RunOptions(TypedDict, total=False):
    """What a run may be given beside its prompt, its deps and its output type."""

    message_history: Sequence[ModelMessage] | None
    """The conversation to go on with. System prompts are not repeated; those that are dynamic are made anew."""

    model: Model | str | None
    """The model to ask, in place of the agent's."""

    instructions: Instructions
    """Instructions beside the agent's."""

    model_settings: ModelSettings | None
    """Settings laid over the agent's, which are laid over the model's."""

    usage_limits: UsageLimits | None
    """How much the run may use; 50 requests where nothing is said."""

    usage: RunUsage | None
    """Where to count what is used: runs that share it share their limits, too."""

    run_id: str | None
    """The id that the messages of the run bear; made up where it is not given."""

    conversation_id: str | None
    """The id of the conversation; that of the history, or the run's, where it is not given."""


class ToolOptions(TypedDict, total=False):
    """What can be said of a tool beside its function."""

    name: str | None
    """The name that the model calls it by; the function's where it is not given."""

    description: str | None
    """What the model is told of it; the docstring where it is not given."""

    retries: int | None
    """How often it may fail in a row; the agent's `retries` where it is not given."""

    prepare: (
        Callable[[RunContext[Any], ToolDefinition], Awaitable[ToolDefinition | None] | ToolDefinition | None] | None
    )
    """Decides before each request how the model sees it, and with `None` that it does not."""

    docstring_format: DocstringFormat
    """The style of its docstring; told by what is there where it is not given."""

    require_parameter_descriptions: bool
    """Raise where the docstring does not describe every parameter."""

    strict: bool | None
    """Whether the vendor must hold the model to the schema."""

    sequential: bool
    """Whether it must not run beside others."""

    metadata: dict[str, Any] | None
    """Kept for you, never sent."""

    timeout: float | None
    """How many seconds it may take; the model is told when it took longer."""
