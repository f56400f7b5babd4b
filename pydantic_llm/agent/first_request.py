"""The first request of a run: its system prompts, its history and the user's prompt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from ..exceptions import UserError
from ..messages import ModelMessage, ModelRequest, ModelRequestPart, ModelResponse, SystemPromptPart, UserPromptPart
from ..tools.context_functions import ContextFunction, render_prompt
from ..tools.deferred import DeferredToolResults
from .options import UserPrompt
from .run_state import RunState

__all__ = ('build_first_request',)


async def build_first_request(
    run: RunState, prompt: UserPrompt | None, history: Sequence[ModelMessage]
) -> ModelRequest | None:
    """Add the history to the run's messages and return the first request.

    Returns `None` if the history ends with tool calls that are executed or answered first, or with a paused response.
    Raises `UserError` if there is neither a prompt nor a history to continue.
    """
    run.messages.extend(await _reevaluate_history(run, history))
    run.conversation.first_new = len(history)
    if run.spec.deferred_results is not None:
        _check_results(run, run.spec.deferred_results)
        run.next_prompt = None if prompt is None else UserPromptPart(prompt)
        return None
    if prompt is not None:
        system_prompts = await _build_system_prompts(run, history)
        return run.with_run_ids([*run.complete_tool_results(), *system_prompts, UserPromptPart(prompt)])
    match run.messages:
        case [*_, ModelRequest() as last]:
            del run.messages[-1]
            return last
        case [*_, ModelResponse(tool_calls=[_, *_]) | ModelResponse(must_continue=True)]:
            return None
        case [*_, ModelResponse()] if run.spec.instructions:  # they are what the model is asked
            return run.with_run_ids([])
        case []:
            parts = await _build_system_prompts(run, history)
            if parts or run.spec.instructions:
                return run.with_run_ids(parts)
        case _:
            pass
    raise UserError('There is nothing to ask: give a user_prompt, or a message_history that ends with a request')


def _check_results(run: RunState, results: DeferredToolResults) -> None:
    """Raise `UserError` if a result is not one of an open tool call of the history."""
    calls = {call.tool_call_id for _, call in run.find_open_calls()}
    if not calls:
        raise UserError('deferred_tool_results was given, but message_history has no open tool call')
    if unknown := (results.calls.keys() | results.approvals.keys()) - calls:
        known = ', '.join(map(repr, sorted(calls)))
        raise UserError(f'deferred_tool_results has the id {min(unknown)!r}; the open tool calls are {known}')


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
    """Return the history with its dynamic system prompts evaluated again.

    A prompt that had no text before is added to the first request, and one that has none now is left out of it
    (pydantic-ai#1646).
    """
    messages = list(history)
    if not messages:
        return messages
    texts = {prompt.name: await render_prompt(prompt, run.context) for prompt in run.spec.dynamic_prompts}
    missing = {name: text for name, text in texts.items() if text}
    for index, message in enumerate(messages):
        if isinstance(message, ModelRequest) and any(_is_dynamic(part, texts) for part in message.parts):
            messages[index] = replace(message, parts=[*_replace_prompts(message.parts, texts, missing)])
    first = next((index for index, message in enumerate(messages) if isinstance(message, ModelRequest)), None)
    if missing and first is not None:
        messages[first] = _insert_prompts(messages[first], missing, [*texts])
    return messages


def _is_dynamic(part: ModelRequestPart, texts: Mapping[str, str | None]) -> bool:
    return isinstance(part, SystemPromptPart) and part.dynamic_ref in texts


def _replace_prompts(
    parts: Sequence[ModelRequestPart], texts: Mapping[str, str | None], missing: dict[str, str]
) -> Iterator[ModelRequestPart]:
    """Yield the parts with the new texts of dynamic prompts, and remove these from `missing`."""
    for part in parts:
        name = part.dynamic_ref if isinstance(part, SystemPromptPart) else None
        if not isinstance(part, SystemPromptPart) or name is None or name not in texts:
            yield part
        elif text := texts[name]:
            missing.pop(name, None)
            yield replace(part, content=text)


def _insert_prompts(message: ModelMessage, missing: Mapping[str, str], order: Sequence[str]) -> ModelMessage:
    """Return a request with the missing prompts after its other system prompts; dynamic ones keep their order."""
    assert isinstance(message, ModelRequest), 'chosen by its type'
    parts = list(message.parts)
    for name, text in missing.items():
        later = order[order.index(name) + 1 :]
        place = 0
        while (
            place < len(parts)
            and isinstance(part := parts[place], SystemPromptPart)
            and (part.dynamic_ref not in later)
        ):
            place += 1
        parts.insert(place, SystemPromptPart(text, dynamic_ref=name))
    return replace(message, parts=parts)
