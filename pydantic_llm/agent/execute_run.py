"""The beginning and the end of a run: its conversation, and what is opened and closed around its loop."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any
from uuid import uuid4

from ..messages import ModelMessage
from ..usage import RunUsage
from .capture import new_message_list
from .first_request import build_first_request
from .loop import run_loop
from .options import RunOptions, UserPrompt
from .result import AgentRunResult, Conversation
from .run_state import RunState

__all__ = ('execute_run', 'new_conversation')


def new_conversation(history: Sequence[ModelMessage], options: RunOptions) -> Conversation:
    """Return an empty conversation with the ids of the run."""
    run_id = options.get('run_id') or str(uuid4())
    known = (message.conversation_id for message in reversed(history) if message.conversation_id)
    return Conversation(
        messages=new_message_list(),
        usage=options.get('usage') or RunUsage(),
        run_id=run_id,
        conversation_id=options.get('conversation_id') or next(known, run_id),
    )


async def execute_run(
    run: RunState, user_prompt: UserPrompt | None, history: Sequence[ModelMessage], *, must_close: bool
) -> AgentRunResult[Any]:
    """Execute a run to its end; with `must_close`, close its model afterwards."""
    async with AsyncExitStack() as stack:
        if must_close:
            await stack.enter_async_context(run.spec.model)
        toolset = await run.spec.toolset.for_run(run.context)
        run.spec = replace(run.spec, toolset=await stack.enter_async_context(toolset))
        final = await run_loop(run, await build_first_request(run, user_prompt, history))
        return AgentRunResult(final.output, run.conversation)
