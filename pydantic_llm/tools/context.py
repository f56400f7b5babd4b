"""`RunContext`: the state of a run, for the functions that the agent calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic

from typing_extensions import TypeVar

from ..messages import ModelMessage, UserContent
from ..messages._value import ShortRepr
from ..settings import ModelSettings
from ..usage import RunUsage, UsageLimits
from .controls import EnqueueContent, EnqueuePriority, RunControls

if TYPE_CHECKING:
    from ..models import Model

__all__ = ('RunContext',)

DepsT_co = TypeVar('DepsT_co', covariant=True, default=None)


@dataclass(repr=False, kw_only=True)
class RunContext(ShortRepr, Generic[DepsT_co]):
    """The state of a run, passed to tools, output validators, and functions that return prompts.

    ```python
    @agent.tool
    async def find_berth(ctx: RunContext[Harbour], ship: str) -> int:
        return ctx.deps.berths[ship]
    ```

    Attributes:
        deps: The value that was passed to the run as `deps`.
        model: The model of the run.
        messages: The conversation so far.
        prompt: The user prompt of the run.
        usage: The usage of the run so far.
        retry: The number of consecutive failures of this tool; `max_retries` do not end the run.
        tool_name: The name of the called tool, and `tool_call_id` the id of the call.
        run_id: The id of the run, and `conversation_id` that of the conversation.
    """

    deps: DepsT_co
    """The value that was passed to the run as `deps`."""

    model: Model
    """The model of the run."""

    usage: RunUsage = field(default_factory=RunUsage)
    """The usage of the run so far."""

    usage_limits: UsageLimits | None = None
    """The limits of the run's usage."""

    prompt: str | Sequence[UserContent] | None = None
    """The user prompt of the run."""

    messages: list[ModelMessage] = field(default_factory=list[ModelMessage])
    """The conversation so far, including the history that was passed to the run."""

    model_settings: ModelSettings | None = None
    """The merged settings of the requests: those of the model, the agent and the run."""

    tool_name: str | None = None
    """The name of the called tool."""

    tool_call_id: str | None = None
    """The id of the tool call."""

    tool_call_approved: bool = False
    """True if this tool call was approved."""

    tool_call_metadata: Any = None
    """What `DeferredToolResults.metadata` has for this tool call."""

    retries: dict[str, int] = field(default_factory=dict[str, int])
    """The number of consecutive failures, by tool name."""

    retry: int = 0
    """The number of consecutive failures of this tool; for an output validator, of rejected outputs."""

    max_retries: int = 0
    """The number of consecutive failures that do not end the run."""

    run_step: int = 0
    """The number of requests that this run has made."""

    partial_output: bool = False
    """True if an output validator gets an output that is still streaming."""

    run_id: str | None = None
    """The id of the run."""

    conversation_id: str | None = None
    """The id of the conversation."""

    refused_messages: Sequence[ModelMessage] = ()
    """The messages that the vendor has just refused as too long. A history processor is called again then, to return
    fewer tokens."""

    warnings: list[str] = field(default_factory=list[str])
    """Sentences that the next response gets in addition to its `warnings`."""

    emitter: Callable[[Any], None] | None = field(default=None, compare=False)
    """Receives what `emit` is given. The agent sets it for a tool call of a run whose events are read."""

    controls: RunControls = field(default_factory=RunControls, compare=False, repr=False)
    """The object that `cancel` and `enqueue` act on."""

    def emit(self, value: Any) -> None:
        """Send a value to the reader of the run's events, as a `ToolProgressEvent`. Without a reader, it is dropped.

        It can be called in any thread, by a tool that is called.
        """
        if self.emitter is not None:
            self.emitter(value)

    def cancel(self) -> None:
        """Cancel the run, from any thread: it raises `RunCancelled`.

        This function returns; the code that called it is cancelled when it awaits next.
        """
        self.controls.cancel()

    def enqueue(self, *content: EnqueueContent, priority: EnqueuePriority = 'asap') -> str | None:
        """Add content to the next request of the run: text and files of the user, parts of a request, whole messages.

        With the priority `'when_idle'` it is sent when the run would end. Returns the id of its
        `EnqueuedMessagesEvent`, or `None` without content. Raises `UserError` if the run has ended.
        """
        return self.controls.enqueue(*content, priority=priority)

    @property
    def last_attempt(self) -> bool:
        """True if another failure ends the run."""
        return self.retry >= self.max_retries
