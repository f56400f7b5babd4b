"""The steps of a run, as objects: each node executes one step and returns the node of the next one.

| node | step | next node |
| --- | --- | --- |
| `UserPromptNode` | build the first request | `ModelRequestNode`; `CallToolsNode` if the history ends with tool calls |
| `ModelRequestNode` | send a request | `CallToolsNode` |
| `CallToolsNode` | execute the tool calls of a response, or read its output | `ModelRequestNode` or `End` |
| `End` | none: the run has an output | |
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, cast

from typing_extensions import TypeVar

from ..exceptions import UserError
from ..messages import ModelRequest, ModelResponse
from ..tools.context import RunContext
from .background_run import BackgroundRun
from .first_request import build_first_request
from .loop import handle_response, resume_response, send_request
from .options import UserPrompt
from .response_stream import AgentStream
from .result import AgentStreamEvent, FinalResult
from .run_state import RunState

__all__ = ('AgentNode', 'CallToolsNode', 'End', 'ModelRequestNode', 'RunNode', 'UserPromptNode')

DepsT = TypeVar('DepsT', default=None)
OutputT = TypeVar('OutputT', default=str)
DataT = TypeVar('DataT', covariant=True)


@dataclass(frozen=True)
class End(Generic[DataT]):
    """The last node of a run."""

    data: DataT
    """The output, as a `FinalResult`."""


@dataclass
class RunNode(Generic[DepsT, OutputT]):
    """Base of the nodes that execute a step. A node executes it once; a step that failed can be executed again."""

    _run: RunState | None = field(default=None, init=False, repr=False, compare=False)
    _next: AgentNode[DepsT, OutputT] | None = field(default=None, init=False, repr=False, compare=False)

    def bind(self, run: RunState) -> None:
        """Make this a node of the run. Raises `UserError` if it is one of another run."""
        if self._run is not None and self._run is not run:
            raise UserError(f'{type(self).__name__} is a step of another run')
        self._run = run

    async def advance(self) -> AgentNode[DepsT, OutputT]:
        """Execute the step, if it was not yet, and return the next node."""
        if self._next is None:
            run = self._require_run()
            following = await self._execute(run)
            if not isinstance(following, End):
                following.bind(run)
            self._next = following
        return self._next

    def _require_run(self) -> RunState:
        if self._run is None:
            raise UserError(f'This {type(self).__name__} is no step of a run yet: pass it to AgentRun.next()')
        return self._run

    @abstractmethod
    async def _execute(self, run: RunState) -> AgentNode[DepsT, OutputT]:
        """Execute the step and return the next node."""

    def _run_in_background(self) -> BackgroundRun[AgentNode[DepsT, OutputT]]:
        """Return the step as a task whose events can be read."""
        if self._next is not None:
            raise UserError(f'The step of this {type(self).__name__} was executed already, so that it has no events')
        return BackgroundRun(self._require_run(), self.advance)

    @asynccontextmanager
    async def _stream_events(self) -> AsyncGenerator[AsyncIterator[AgentStreamEvent]]:
        async with self._run_in_background() as background:
            yield background.events()
            await background.finish()


@dataclass
class UserPromptNode(RunNode[DepsT, OutputT]):
    """Builds the first request."""

    user_prompt: UserPrompt | None

    async def _execute(self, run: RunState) -> AgentNode[DepsT, OutputT]:
        request = await build_first_request(run, self.user_prompt, run.spec.history)
        return CallToolsNode(await resume_response(run)) if request is None else ModelRequestNode(request)

    def stream(
        self, ctx: RunContext[Any] | None = None
    ) -> AbstractAsyncContextManager[AsyncIterator[AgentStreamEvent]]:
        """Execute the step, with its events as an iterator. It has events only if it continues a paused response."""
        return self._stream_events()


@dataclass
class ModelRequestNode(RunNode[DepsT, OutputT]):
    """Sends a request to the model."""

    request: ModelRequest

    async def _execute(self, run: RunState) -> CallToolsNode[DepsT, OutputT]:
        self.request = run.add_enqueued(self.request)
        return CallToolsNode(await send_request(run, self.request))

    @asynccontextmanager
    async def stream(self, ctx: RunContext[Any] | None = None) -> AsyncGenerator[AgentStream[DepsT, OutputT]]:
        """Execute the step, with its response as a stream. Leaving the block waits for the rest of the response.

        After `stream.cancel()`, the step ends with the response so far, whose state is `'interrupted'`. The argument is
        not needed; a node knows its run.
        """
        async with self._run_in_background() as background:
            stream = AgentStream[DepsT, OutputT](background)
            yield stream
            if not stream.cancelled:
                await background.finish()
            elif isinstance(partial := background.run.messages[-1], ModelResponse):
                self._next = CallToolsNode(partial)
                self._next.bind(background.run)


@dataclass
class CallToolsNode(RunNode[DepsT, OutputT]):
    """Executes the tool calls of a response, or reads its output."""

    model_response: ModelResponse

    async def _execute(self, run: RunState) -> AgentNode[DepsT, OutputT]:
        run.replace_response(self.model_response)
        outcome = await handle_response(run, self.model_response)
        if isinstance(outcome, ModelRequest):
            return ModelRequestNode(outcome)
        if (request := run.take_request_when_idle()) is not None:
            return ModelRequestNode(request)
        return End(cast('FinalResult[OutputT]', outcome))

    def stream(
        self, ctx: RunContext[Any] | None = None
    ) -> AbstractAsyncContextManager[AsyncIterator[AgentStreamEvent]]:
        """Execute the step, with the events of its tool calls as an iterator. Leaving the block waits for its end.

        The argument is not needed; a node knows its run.
        """
        return self._stream_events()


AgentNode = (
    UserPromptNode[DepsT, OutputT]
    | ModelRequestNode[DepsT, OutputT]
    | CallToolsNode[DepsT, OutputT]
    | End[FinalResult[OutputT]]
)
"""A step of a run."""
