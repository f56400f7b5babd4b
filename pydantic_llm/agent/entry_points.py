"""`AgentEntryPoints`: the methods of `Agent` that run it, in a file of their own.

They differ in how the caller waits and what it receives. All of them execute the run that `Agent` prepares.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any, Generic, Unpack, overload

from typing_extensions import TypeIs, TypeVar

from .._caller import ShortTracebacks
from .._threads import run_blocking
from .._type_checks import check_callable
from .agent_run import AgentRun, execute_run, open_run
from .background_run import BackgroundRun
from .nodes import AgentNode, CallToolsNode, End, ModelRequestNode, UserPromptNode
from .options import EventStreamHandler, RunArguments, RunOptions, UserPrompt, document_options
from .output_types import OutputSpec
from .result import AgentRunResult, FinalResult
from .run_state import RunState
from .stream import AgentRunEvents, StreamedRunResult, StreamedRunResultSync

__all__ = ('AgentEntryPoints',)

DepsT = TypeVar('DepsT', default=None)
OutputT = TypeVar('OutputT', default=str)
T = TypeVar('T')
D = TypeVar('D')
R = TypeVar('R')


class AgentEntryPoints(ABC, Generic[DepsT, OutputT]):
    """A mixin for `Agent` with the methods that run it.

    All of them take the prompt, an `output_type` that replaces the agent's (`result_type` is another name for it), the
    `deps`, and the options in `RunOptions`. Without a prompt, a run continues a `message_history` that ends with a
    request, or with tool calls that have no results yet.
    """

    @abstractmethod
    def _prepare_run(
        self,
        user_prompt: UserPrompt | None,
        *,
        output_type: OutputSpec[Any] | None = None,
        result_type: OutputSpec[Any] | None = None,
        deps: DepsT | None = None,
        **options: Unpack[RunOptions],
    ) -> RunState:
        """Return a new run."""

    @overload
    async def run(
        self,
        user_prompt: UserPrompt | None = None,
        *,
        output_type: None = None,
        event_stream_handler: EventStreamHandler | None = None,
        **options: Unpack[RunArguments[DepsT]],
    ) -> AgentRunResult[OutputT]: ...
    @overload
    async def run(
        self,
        user_prompt: UserPrompt | None = None,
        *,
        output_type: OutputSpec[T] | None = None,
        result_type: OutputSpec[T] | None = None,
        event_stream_handler: EventStreamHandler | None = None,
        **options: Unpack[RunArguments[DepsT]],
    ) -> AgentRunResult[T]: ...
    @document_options
    async def run(
        self,
        user_prompt: UserPrompt | None = None,
        *,
        output_type: OutputSpec[Any] | None = None,
        result_type: OutputSpec[Any] | None = None,
        deps: DepsT | None = None,
        event_stream_handler: EventStreamHandler | None = None,
        **options: Unpack[RunOptions],
    ) -> AgentRunResult[Any]:
        """Run to the end and return the result. With an `event_stream_handler`, stream all events to it.

        Raises `UserError` if the request is invalid, `UnexpectedModelBehavior` if the model fails too often or its
        response cannot be used, `UsageLimitExceeded`, the errors of the model's `request`, and the errors of tools.
        """
        with ShortTracebacks():
            check_callable(event_stream_handler, parameter='event_stream_handler')
            run = self._prepare_run(user_prompt, output_type=output_type, result_type=result_type, deps=deps, **options)
            if event_stream_handler is None:
                return await execute_run(run)
            async with BackgroundRun(run, partial(execute_run, run)) as background:
                await event_stream_handler(run.context, background.events())
                return await background.finish()

    @overload
    def run_sync(
        self,
        user_prompt: UserPrompt | None = None,
        *,
        output_type: None = None,
        event_stream_handler: EventStreamHandler | None = None,
        **options: Unpack[RunArguments[DepsT]],
    ) -> AgentRunResult[OutputT]: ...
    @overload
    def run_sync(
        self,
        user_prompt: UserPrompt | None = None,
        *,
        output_type: OutputSpec[T] | None = None,
        result_type: OutputSpec[T] | None = None,
        event_stream_handler: EventStreamHandler | None = None,
        **options: Unpack[RunArguments[DepsT]],
    ) -> AgentRunResult[T]: ...
    @document_options
    def run_sync(self, user_prompt: UserPrompt | None = None, **options: Any) -> AgentRunResult[Any]:
        """Do the same as `run`, for callers that do not await.

        The run is executed in the event loop of a background thread. So this also works inside a running event loop, as
        in a notebook, but blocks it.
        """
        return run_blocking(self.run(user_prompt, **options))

    @overload
    def run_stream(
        self,
        user_prompt: UserPrompt | None = None,
        *,
        output_type: None = None,
        event_stream_handler: EventStreamHandler | None = None,
        **options: Unpack[RunArguments[DepsT]],
    ) -> AbstractAsyncContextManager[StreamedRunResult[DepsT, OutputT]]: ...
    @overload
    def run_stream(
        self,
        user_prompt: UserPrompt | None = None,
        *,
        output_type: OutputSpec[T] | None = None,
        result_type: OutputSpec[T] | None = None,
        event_stream_handler: EventStreamHandler | None = None,
        **options: Unpack[RunArguments[DepsT]],
    ) -> AbstractAsyncContextManager[StreamedRunResult[DepsT, T]]: ...
    @document_options
    @asynccontextmanager
    async def run_stream(
        self,
        user_prompt: UserPrompt | None = None,
        *,
        output_type: OutputSpec[Any] | None = None,
        result_type: OutputSpec[Any] | None = None,
        deps: DepsT | None = None,
        event_stream_handler: EventStreamHandler | None = None,
        **options: Unpack[RunOptions],
    ) -> AsyncGenerator[StreamedRunResult[DepsT, Any]]:
        """Run with a streamed output. Entering the block waits until the model starts to write a possible output.

        The `event_stream_handler` receives the events before that, also those of tool calls. Leaving the block cancels
        the run. Raises the errors of `run`, on entering or while reading.
        """
        with ShortTracebacks():
            check_callable(event_stream_handler, parameter='event_stream_handler')
            run = self._prepare_run(user_prompt, output_type=output_type, result_type=result_type, deps=deps, **options)
            async with BackgroundRun(run, partial(execute_run, run)) as background:
                result: StreamedRunResult[DepsT, Any] = StreamedRunResult(background)
                if event_stream_handler is not None:
                    await event_stream_handler(run.context, result.events_before_output())
                await result.wait_for_output_start()
                yield result

    @overload
    def run_stream_sync(
        self,
        user_prompt: UserPrompt | None = None,
        *,
        output_type: None = None,
        event_stream_handler: EventStreamHandler | None = None,
        **options: Unpack[RunArguments[DepsT]],
    ) -> StreamedRunResultSync[DepsT, OutputT]: ...
    @overload
    def run_stream_sync(
        self,
        user_prompt: UserPrompt | None = None,
        *,
        output_type: OutputSpec[T] | None = None,
        result_type: OutputSpec[T] | None = None,
        event_stream_handler: EventStreamHandler | None = None,
        **options: Unpack[RunArguments[DepsT]],
    ) -> StreamedRunResultSync[DepsT, T]: ...
    @document_options
    def run_stream_sync(
        self, user_prompt: UserPrompt | None = None, **options: Any
    ) -> StreamedRunResultSync[DepsT, Any]:
        """Do the same as `run_stream`, for callers that do not await.

        Use the result in a `with` block, or read it to its end.
        """
        return StreamedRunResultSync(self.run_stream(user_prompt, **options))

    @overload
    def run_stream_events(
        self, user_prompt: UserPrompt | None = None, *, output_type: None = None, **options: Unpack[RunArguments[DepsT]]
    ) -> AgentRunEvents[OutputT]: ...
    @overload
    def run_stream_events(
        self,
        user_prompt: UserPrompt | None = None,
        *,
        output_type: OutputSpec[T] | None = None,
        result_type: OutputSpec[T] | None = None,
        **options: Unpack[RunArguments[DepsT]],
    ) -> AgentRunEvents[T]: ...
    @document_options
    def run_stream_events(
        self,
        user_prompt: UserPrompt | None = None,
        *,
        output_type: OutputSpec[Any] | None = None,
        result_type: OutputSpec[Any] | None = None,
        deps: DepsT | None = None,
        **options: Unpack[RunOptions],
    ) -> AgentRunEvents[Any]:
        """Run with all events streamed. The last one is an `AgentRunResultEvent`.

        A `FinalResultEvent` means that the following content can be the output. If it is text, the model may still call
        tools afterwards; then there is another `FinalResultEvent`. Raises the errors of `run`, while reading.
        """
        with ShortTracebacks():
            run = self._prepare_run(user_prompt, output_type=output_type, result_type=result_type, deps=deps, **options)
            return AgentRunEvents(BackgroundRun(run, partial(execute_run, run)))

    @overload
    def iter(
        self, user_prompt: UserPrompt | None = None, *, output_type: None = None, **options: Unpack[RunArguments[DepsT]]
    ) -> AbstractAsyncContextManager[AgentRun[DepsT, OutputT]]: ...
    @overload
    def iter(
        self,
        user_prompt: UserPrompt | None = None,
        *,
        output_type: OutputSpec[T] | None = None,
        result_type: OutputSpec[T] | None = None,
        **options: Unpack[RunArguments[DepsT]],
    ) -> AbstractAsyncContextManager[AgentRun[DepsT, T]]: ...
    @document_options
    @asynccontextmanager
    async def iter(
        self,
        user_prompt: UserPrompt | None = None,
        *,
        output_type: OutputSpec[Any] | None = None,
        result_type: OutputSpec[Any] | None = None,
        deps: DepsT | None = None,
        **options: Unpack[RunOptions],
    ) -> AsyncGenerator[AgentRun[DepsT, Any]]:
        """Run step by step: the block iterates over the nodes of the run, and can stream, change and repeat steps.

        Leaving the block ends the run. Raises the errors of `run`, and `RunCancelled` on leaving if `AgentRun.cancel`
        was called.
        """
        with ShortTracebacks():
            run = self._prepare_run(user_prompt, output_type=output_type, result_type=result_type, deps=deps, **options)
            async with open_run(run) as agent_run:
                yield agent_run

    @staticmethod
    def is_user_prompt_node(node: AgentNode[D, R]) -> TypeIs[UserPromptNode[D, R]]:
        """Return whether the step of this node builds the first request."""
        return isinstance(node, UserPromptNode)

    @staticmethod
    def is_model_request_node(node: AgentNode[D, R]) -> TypeIs[ModelRequestNode[D, R]]:
        """Return whether the step of this node sends a request."""
        return isinstance(node, ModelRequestNode)

    @staticmethod
    def is_call_tools_node(node: AgentNode[D, R]) -> TypeIs[CallToolsNode[D, R]]:
        """Return whether the step of this node executes the tool calls of a response, or reads its output."""
        return isinstance(node, CallToolsNode)

    @staticmethod
    def is_end_node(node: AgentNode[D, R]) -> TypeIs[End[FinalResult[R]]]:
        """Return whether this is the last node of a run."""
        return isinstance(node, End)
