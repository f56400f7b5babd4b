"""The ways to run an agent. They differ in who waits and in who sees what happens, and share everything else."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Generic, Unpack, overload

from typing_extensions import TypeVar

from .._threads import run_blocking
from ..messages import UserContent
from .background_run import LiveRun
from .options import EventStreamHandler, RunOptions
from .output_types import OutputSpec
from .result import AgentRunResult
from .run_state import Run
from .stream import AgentRunEvents, StreamedRunResult, StreamedRunResultSync

__all__ = ('AgentRuns', 'UserPrompt')

DepsT = TypeVar('DepsT', default=None)
OutputT = TypeVar('OutputT', default=str)
T = TypeVar('T')

UserPrompt = str | Sequence[UserContent]
"""What a run is asked: text, or texts and files."""

Go = Callable[[], Awaitable[AgentRunResult[Any]]]
"""Goes through a run."""


class AgentRuns(ABC, Generic[DepsT, OutputT]):
    """The ways to run an agent.

    All of them take the prompt; an `output_type` in place of the agent's (`result_type` is the same); the `deps`; and
    what `RunOptions` lists. Without a prompt, a run goes on with a `message_history` that ends with a request, or with
    calls that nobody has answered yet.
    """

    @abstractmethod
    def _start(
        self, user_prompt: UserPrompt | None, output_type: Any, result_type: Any, deps: Any, options: RunOptions
    ) -> tuple[Run[Any], Go]:
        """A new run, and what goes through it."""

    @overload
    async def run(
        self,
        user_prompt: UserPrompt | None = None,
        *,
        output_type: None = None,
        deps: DepsT = ...,
        event_stream_handler: EventStreamHandler | None = None,
        **options: Unpack[RunOptions],
    ) -> AgentRunResult[OutputT]: ...
    @overload
    async def run(
        self,
        user_prompt: UserPrompt | None = None,
        *,
        output_type: OutputSpec[T],
        deps: DepsT = ...,
        event_stream_handler: EventStreamHandler | None = None,
        **options: Unpack[RunOptions],
    ) -> AgentRunResult[T]: ...
    @overload
    async def run(
        self,
        user_prompt: UserPrompt | None = None,
        *,
        result_type: OutputSpec[T],
        deps: DepsT = ...,
        event_stream_handler: EventStreamHandler | None = None,
        **options: Unpack[RunOptions],
    ) -> AgentRunResult[T]: ...
    async def run(
        self,
        user_prompt: UserPrompt | None = None,
        *,
        output_type: Any = None,
        result_type: Any = None,
        deps: Any = None,
        event_stream_handler: EventStreamHandler | None = None,
        **options: Unpack[RunOptions],
    ) -> AgentRunResult[Any]:
        """Run to the end. With an `event_stream_handler`, answers are streamed and it is told everything that happens.

        Raises `UserError` for what cannot be sent; `UnexpectedModelBehavior` where the model fails too often, or where
        nothing can be made of its answer; `UsageLimitExceeded`; what a model's `request` raises; what a tool raises.
        """
        run, go = self._start(user_prompt, output_type, result_type, deps, options)
        if event_stream_handler is None:
            return await go()
        async with LiveRun(run, go) as live:
            await event_stream_handler(run.context, live.events())
            return await live.finish()

    @overload
    def run_sync(
        self,
        user_prompt: UserPrompt | None = None,
        *,
        output_type: None = None,
        deps: DepsT = ...,
        event_stream_handler: EventStreamHandler | None = None,
        **options: Unpack[RunOptions],
    ) -> AgentRunResult[OutputT]: ...
    @overload
    def run_sync(
        self,
        user_prompt: UserPrompt | None = None,
        *,
        output_type: OutputSpec[T],
        deps: DepsT = ...,
        event_stream_handler: EventStreamHandler | None = None,
        **options: Unpack[RunOptions],
    ) -> AgentRunResult[T]: ...
    @overload
    def run_sync(
        self,
        user_prompt: UserPrompt | None = None,
        *,
        result_type: OutputSpec[T],
        deps: DepsT = ...,
        event_stream_handler: EventStreamHandler | None = None,
        **options: Unpack[RunOptions],
    ) -> AgentRunResult[T]: ...
    def run_sync(self, user_prompt: UserPrompt | None = None, **options: Any) -> AgentRunResult[Any]:
        """`run` for callers that do not await.

        It goes on in the event loop of a background thread, so that it also works where a loop is running already, as
        in a notebook; such a loop stands still meanwhile.
        """
        return run_blocking(self.run(user_prompt, **options))

    @overload
    def run_stream(
        self,
        user_prompt: UserPrompt | None = None,
        *,
        output_type: None = None,
        deps: DepsT = ...,
        **options: Unpack[RunOptions],
    ) -> AbstractAsyncContextManager[StreamedRunResult[DepsT, OutputT]]: ...
    @overload
    def run_stream(
        self,
        user_prompt: UserPrompt | None = None,
        *,
        output_type: OutputSpec[T],
        deps: DepsT = ...,
        **options: Unpack[RunOptions],
    ) -> AbstractAsyncContextManager[StreamedRunResult[DepsT, T]]: ...
    @overload
    def run_stream(
        self,
        user_prompt: UserPrompt | None = None,
        *,
        result_type: OutputSpec[T],
        deps: DepsT = ...,
        **options: Unpack[RunOptions],
    ) -> AbstractAsyncContextManager[StreamedRunResult[DepsT, T]]: ...
    @asynccontextmanager
    async def run_stream(
        self,
        user_prompt: UserPrompt | None = None,
        *,
        output_type: Any = None,
        result_type: Any = None,
        deps: Any = None,
        **options: Unpack[RunOptions],
    ) -> AsyncGenerator[StreamedRunResult[Any, Any]]:
        """Run with the output streamed. Entering waits until the model begins to write what can be the output.

        Leaving the block ends the run where it is. Raises what `run` raises, on entering or while reading.
        """
        run, go = self._start(user_prompt, output_type, result_type, deps, options)
        async with LiveRun(run, go) as live:
            result: StreamedRunResult[Any, Any] = StreamedRunResult(live)
            await result.begin()
            yield result

    @overload
    def run_stream_sync(
        self,
        user_prompt: UserPrompt | None = None,
        *,
        output_type: None = None,
        deps: DepsT = ...,
        **options: Unpack[RunOptions],
    ) -> StreamedRunResultSync[DepsT, OutputT]: ...
    @overload
    def run_stream_sync(
        self,
        user_prompt: UserPrompt | None = None,
        *,
        output_type: OutputSpec[T],
        deps: DepsT = ...,
        **options: Unpack[RunOptions],
    ) -> StreamedRunResultSync[DepsT, T]: ...
    def run_stream_sync(self, user_prompt: UserPrompt | None = None, **options: Any) -> StreamedRunResultSync[Any, Any]:
        """`run_stream` for callers that do not await. Use what it gives in a `with` block, or read it to its end."""
        return StreamedRunResultSync(self.run_stream(user_prompt, **options))

    @overload
    def run_stream_events(
        self,
        user_prompt: UserPrompt | None = None,
        *,
        output_type: None = None,
        deps: DepsT = ...,
        **options: Unpack[RunOptions],
    ) -> AgentRunEvents[OutputT]: ...
    @overload
    def run_stream_events(
        self,
        user_prompt: UserPrompt | None = None,
        *,
        output_type: OutputSpec[T],
        deps: DepsT = ...,
        **options: Unpack[RunOptions],
    ) -> AgentRunEvents[T]: ...
    def run_stream_events(
        self,
        user_prompt: UserPrompt | None = None,
        *,
        output_type: Any = None,
        result_type: Any = None,
        deps: Any = None,
        **options: Unpack[RunOptions],
    ) -> AgentRunEvents[Any]:
        """Run with everything that happens as events, the last of which is an `AgentRunResultEvent`.

        A `FinalResultEvent` says that what follows can be the output. Where that is text, the model may still go on to
        call tools, and the event comes again. Raises what `run` raises, while reading.
        """
        return AgentRunEvents(LiveRun(*self._start(user_prompt, output_type, result_type, deps, options)))
