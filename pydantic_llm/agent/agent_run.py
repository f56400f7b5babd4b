"""`AgentRun`: a run whose steps the caller executes, and `open_run`, which every way to run an agent goes through."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any, Generic, Self

from typing_extensions import TypeVar

from .._type_checks import check_type
from ..exceptions import RunCancelled, UserError
from ..tools.context import RunContext
from ..tools.controls import EnqueueContent, EnqueuePriority
from .nodes import AgentNode, End, RunNode, UserPromptNode
from .prepare_step import choose_model
from .result import AgentRunResult, ConversationView, FinalResult
from .run_state import RunState

__all__ = ('AgentRun', 'execute_run', 'open_run')

DepsT = TypeVar('DepsT', default=None)
OutputT = TypeVar('OutputT', default=str)


class AgentRun(ConversationView, Generic[DepsT, OutputT]):
    """A run whose steps the caller executes: an async iterator of its nodes.

    Each node is yielded before its step is executed. The last one is an `End`.
    """

    def __init__(self, run: RunState) -> None:
        self._run = run
        self._conversation = run.conversation
        self._node: AgentNode[DepsT, OutputT] = UserPromptNode(run.context.prompt)
        self._yielded: AgentNode[DepsT, OutputT] | None = None
        self._node.bind(run)

    @property
    def ctx(self) -> RunContext[DepsT]:
        """The context of the run. A node's `stream` takes it, but does not need it."""
        return self._run.context

    @property
    def next_node(self) -> AgentNode[DepsT, OutputT]:
        """The node whose step is executed next, or an `End`."""
        return self._node

    @property
    def result(self) -> AgentRunResult[OutputT] | None:
        """The result; `None` before the run has ended."""
        node = self._node
        return AgentRunResult(node.data.output, self._conversation) if isinstance(node, End) else None

    async def next(self, node: AgentNode[DepsT, OutputT]) -> AgentNode[DepsT, OutputT]:
        """Execute the step of a node and return the next node.

        The node is usually `next_node`; another one, or a changed one, is executed instead of it. A step that was
        streamed is not executed again. Raises the errors of `Agent.run`; a step that failed can be executed again.
        """
        if isinstance(node, End):
            raise UserError('The run has ended: an End has no step to execute')
        check_type(node, RunNode, parameter='node')
        node.bind(self._run)
        if self._run.context.controls.is_cancelled:
            await self._run.context.controls.checkpoint()
        self._node = await node.advance()
        if isinstance(self._node, End):
            self._conversation.output_call = self._node.data.tool_call_id
        return self._node

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> AgentNode[DepsT, OutputT]:
        if isinstance(self._yielded, End):
            raise StopAsyncIteration
        if self._yielded is self._node:  # the caller did not execute it with `next`
            await self.next(self._node)
        self._yielded = self._node
        return self._node

    def enqueue(self, *content: EnqueueContent, priority: EnqueuePriority = 'asap') -> str | None:
        """Add content to the next request of the run, as `RunContext.enqueue` does."""
        return self._run.context.controls.enqueue(*content, priority=priority)

    def cancel(self) -> None:
        """Cancel the run, from any task or thread. The `async with` block of the run raises `RunCancelled`."""
        self._run.context.controls.cancel()

    def __repr__(self) -> str:
        return f'AgentRun(next_node={self._node!r}, usage={self.usage!r})'


@asynccontextmanager
async def open_run(run: RunState) -> AsyncGenerator[AgentRun[Any, Any]]:
    """Open what a run needs, and close it afterwards. Its messages are valid to continue then.

    Raises `RunCancelled` if the run was cancelled by its controls.
    """
    async with _cancel_scope(run), AsyncExitStack() as stack:
        if run.spec.tracer is not None:
            stack.enter_context(run.spec.tracer.trace_run(run))
        if run.spec.closes_model:
            await stack.enter_async_context(run.spec.model)
        stack.push_async_callback(_close_models, run)
        await choose_model(run)
        toolset = await run.spec.toolset.for_run(run.context)
        run.spec = replace(run.spec, toolset=await stack.enter_async_context(toolset))
        agent_run: AgentRun[Any, Any] = AgentRun(run)
        try:
            yield agent_run
        finally:
            if agent_run.result is None:
                run.close_history()


async def _close_models(run: RunState) -> None:
    """Close the models that were made for this run."""
    async with AsyncExitStack() as stack:
        for model in run.made_models.values():
            stack.push_async_callback(model.aclose)


@asynccontextmanager
async def _cancel_scope(run: RunState) -> AsyncGenerator[None]:
    """Let the controls cancel the current task, and raise `RunCancelled` instead of its `CancelledError`.

    If the task is cancelled for another reason too, its `CancelledError` is kept, as `asyncio.timeout` does.
    """
    task, controls, token = asyncio.current_task(), run.context.controls, run.spec.cancellation_token
    assert task is not None, 'a run needs a task'
    before = task.cancelling()
    if token is not None:
        token.add(controls)
    controls.bind(task)
    is_ours = False
    try:
        await controls.checkpoint()
        yield
        await controls.checkpoint()
    except asyncio.CancelledError as error:
        is_ours = controls.close()
        if is_ours and task.cancelling() <= before:
            raise _describe_cancelled(run) from error
        _describe_cancelled(run).attach_to(error)
        raise
    finally:
        is_ours = controls.close() or is_ours
        if token is not None:
            token.remove(controls)
    if is_ours:
        raise _describe_cancelled(run)  # other code has caught the error


def _describe_cancelled(run: RunState) -> RunCancelled:
    ids = run.conversation
    return RunCancelled(
        'The run was cancelled',
        messages=ids.messages,
        first_new=ids.first_new,
        usage=ids.usage,
        run_id=ids.run_id,
        conversation_id=ids.conversation_id,
    )


async def execute_run(run: RunState) -> AgentRunResult[Any]:
    """Execute a run to its end."""
    async with open_run(run) as agent_run:
        node: AgentNode[Any, Any] = agent_run.next_node
        while not isinstance(node, End):
            node = await agent_run.next(node)
        final: FinalResult[Any] = node.data
    return AgentRunResult(final.output, run.conversation)
