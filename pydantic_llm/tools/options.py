"""The options of a tool, and the types of instructions, which agents and toolsets share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypedDict

from .context import RunContext
from .docstrings import DocstringFormat
from .tool import ArgsValidatorFunc, ToolPrepareFunc

__all__ = ('Instructions', 'SharedToolOptions', 'SystemPromptFunc', 'ToolOptions')

SystemPromptFunc = (
    Callable[[RunContext[Any]], str | None]
    | Callable[[RunContext[Any]], Awaitable[str | None]]
    | Callable[[], str | None]
    | Callable[[], Awaitable[str | None]]
)
"""A function that returns a prompt, or `None` for no prompt."""

Instructions = str | SystemPromptFunc | Sequence[str | SystemPromptFunc] | None
"""A prompt as text, a function that returns one, or a sequence of these."""


class SharedToolOptions(TypedDict, total=False):
    """Options of a tool that a `FunctionToolset` can have for all functions that are added to it."""

    docstring_format: DocstringFormat
    """The style of the docstring. The default is to detect it."""

    require_parameter_descriptions: bool
    """If true, raise an error unless the docstring describes every parameter."""

    strict: bool | None
    """If true, the vendor must enforce the schema."""

    sequential: bool
    """If true, the tool does not run at the same time as others."""

    metadata: dict[str, Any] | None
    """Data for your own use. It is never sent."""

    requires_approval: bool
    """If true, a call must be approved before it is executed: the run ends with a `DeferredToolRequests`."""


class ToolOptions(SharedToolOptions, total=False):
    """Options of a tool, in addition to its function."""

    name: str | None
    """The tool's name for the model. The default is the function's name."""

    description: str | None
    """The tool's description for the model. The default comes from the docstring."""

    retries: int | None
    """Number of consecutive failures allowed. The default is the agent's `retries`."""

    prepare: ToolPrepareFunc[Any] | None
    """A function that returns the tool's definition before each request, or `None` to hide the tool."""

    args_validator: ArgsValidatorFunc[Any, ...] | None
    """A function that checks the arguments before each call, and before an approval is requested."""

    timeout: float | None
    """Seconds that a call may take. After that, the model gets a retry prompt."""
