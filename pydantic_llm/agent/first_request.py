"""The first request of a run: its system prompts, its history and the user's prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..exceptions import UserError
from ..messages import ModelMessage, ModelRequest, ModelRequestPart, ModelResponse, SystemPromptPart, UserPromptPart
from .context_functions import ContextFunction, render_prompt
from .options import UserPrompt
from .run_state import RunState

__all__ = ('build_first_request',)


async def build_first_request(
    run: RunState, prompt: UserPrompt | None, history: Sequence[ModelMessage]
) -> ModelRequest | None:
    """Add the history to the run's messages and return the first request.

    Returns `None` if the history ends with tool calls that must be executed first, or with a paused response. Raises
    `UserError` if there is neither a prompt nor a history to continue.
    """
    run.messages.extend(await _reevaluate_history(run, history))
    run.conversation.first_new = len(history)
    if prompt is not None:
        system_prompts = await _build_system_prompts(run, history)
        return run.with_run_ids([*run.complete_tool_results(), *system_prompts, UserPromptPart(prompt)])
    match run.messages:
        case [*_, ModelRequest() as last]:
            del run.messages[-1]
            return last
        case [*_, ModelResponse(tool_calls=[_, *_]) | ModelResponse(must_continue=True)]:
            return None
        case []:
            parts = await _build_system_prompts(run, history)
            if parts or run.spec.instructions:
                return run.with_run_ids(parts)
        case _:
            pass
    raise UserError('There is nothing to ask: give a user_prompt, or a message_history that ends with a request')


async def _build_system_prompts(run: RunState, history: Sequence[ModelMessage]) -> list[ModelRequestPart]:
    """Return the system prompts of a new conversation; none if there is a history."""
    parts: list[ModelRequestPart] = []
    for prompt in () if history else run.spec.system_prompts:
        text = await render_prompt(prompt, run.context)
        if text:
            name = prompt.name if isinstance(prompt, ContextFunction) and prompt in run.spec.dynamic_prompts else None
            parts.append(SystemPromptPart(text, dynamic_ref=name))
    return parts


async def _reevaluate_history(run: RunState, history: Sequence[ModelMessage]) -> list[ModelMessage]:
    """Return the history with its dynamic system prompts evaluated again."""
    by_name = {prompt.name: prompt for prompt in run.spec.dynamic_prompts}
    messages = list(history)
    for index, message in enumerate(messages):
        if isinstance(message, ModelRequest) and any(_find_dynamic_prompt(part, by_name) for part in message.parts):
            parts = [await _reevaluate_prompt(run, part, by_name) for part in message.parts]
            messages[index] = replace(message, parts=parts)
    return messages


async def _reevaluate_prompt(
    run: RunState, part: ModelRequestPart, by_name: dict[str, ContextFunction]
) -> ModelRequestPart:
    prompt = _find_dynamic_prompt(part, by_name)
    if prompt is None or not isinstance(part, SystemPromptPart):
        return part
    return replace(part, content=await render_prompt(prompt, run.context) or '')


def _find_dynamic_prompt(part: ModelRequestPart, by_name: dict[str, ContextFunction]) -> ContextFunction | None:
    """Return the function that made a system prompt, if the prompt is dynamic."""
    return by_name.get(part.dynamic_ref or '') if isinstance(part, SystemPromptPart) else None
