"""Puts the messages of a history in the order that an API demands. Start at `place_system_prompts` and `arrange`.

Only orders that an API refuses are changed: Mistral's templates demand that roles alternate (vllm#6862) and that a
response follows tool results (opencode#7488), newer models of Claude that the user has the last word (vercel/ai#12296).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from ..messages import (
    CachePoint,
    CompactionPart,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    NativeToolCallPart,
    NativeToolReturnPart,
    RetryPromptPart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    UserContent,
    UserPromptPart,
)
from ..messages.request import ModelRequestPart, is_tool_result
from ..profiles.history import HistoryRules

BRIDGE = 'OK'
"""The response between a tool result and the user's content."""

CONTINUE = 'Continue.'
"""The user's text after a response that the model cannot continue by itself."""


@dataclass(slots=True)
class HistoryTarget:
    """The API and the request that a history is rewritten for."""

    system: str | None
    """The vendor's name; `None` for all vendors."""
    model_name: str
    rules: HistoryRules
    tools: frozenset[str]
    """The names of the request's tools."""
    supports_tools: bool
    """True if the model can call tools. If not, past calls and results are sent as text."""
    instructions: list[str]
    """The instructions of the request, which may be moved into the messages."""
    note: Callable[[str], None]
    """Adds a sentence about a change to the warnings."""


def place_system_prompts(messages: Sequence[ModelMessage], target: HistoryTarget) -> Sequence[ModelMessage]:
    """Return the messages with system prompts where the API accepts them: at the beginning, or as the user's text."""
    match target.rules.system_prompts:
        case 'anywhere':
            return messages
        case 'first':
            return _move_system_prompts(messages, target)
        case 'never':
            return _send_system_prompts_as_text(messages, target)


def _move_system_prompts(messages: Sequence[ModelMessage], target: HistoryTarget) -> Sequence[ModelMessage]:
    """Return the messages with the system prompts of the first request at its beginning.

    Those of later messages follow the instructions, so that the beginning stays the same as the conversation grows.
    """
    moved: list[ModelMessage] = []
    for index, message in enumerate(messages):
        prompts, rest = _split_parts(message, SystemPromptPart)
        if not prompts or not isinstance(message, ModelRequest):
            moved.append(message)
        elif index == 0:
            moved.append(replace(message, parts=[*prompts, *rest]))
        else:
            target.note('system prompts inside the conversation were sent at its beginning')
            target.instructions += [part.content for part in prompts if isinstance(part, SystemPromptPart)]
            moved += [replace(message, parts=rest)] if rest else []
    return moved


def _send_system_prompts_as_text(messages: Sequence[ModelMessage], target: HistoryTarget) -> Sequence[ModelMessage]:
    """Return the messages with the system prompts and the instructions as the first prompts of the user."""
    rest = _move_system_prompts(messages, target)
    prompts, others = _split_parts(rest[0], SystemPromptPart) if rest else ([], [])
    texts = [*(part.content for part in prompts if isinstance(part, SystemPromptPart)), *target.instructions]
    if not texts:
        return messages
    target.note(f'{target.model_name!r} has no system prompts: they were sent as the text of the user')
    target.instructions = []
    first = [UserPromptPart(text) for text in texts]
    if prompts and isinstance(rest[0], ModelRequest):
        return [replace(rest[0], parts=[*first, *others]), *rest[1:]]
    return _put_first(first, rest)


def _put_first(parts: Sequence[ModelRequestPart], messages: Sequence[ModelMessage]) -> list[ModelMessage]:
    """Return the messages with parts at the beginning of the first request, or in a request before a response."""
    if messages and isinstance(first := messages[0], ModelRequest):
        return [replace(first, parts=[*parts, *first.parts]), *messages[1:]]
    return [ModelRequest(parts), *messages]


def arrange(messages: Sequence[ModelMessage], target: HistoryTarget) -> Sequence[ModelMessage]:
    """Return the messages in an order that the API accepts."""
    messages = _gather_results(messages)
    if target.rules.alternates or not target.rules.user_after_result:
        messages = _join_adjacent([message for message in messages if _keep(message, target)], target)
    if not target.rules.user_after_result:
        messages = [part for message in messages for part in _bridge(message, target)]
    is_alone = sum(map(_has_content, messages)) == 1 and not target.rules.response_alone
    if is_alone or not target.rules.response_first:
        messages = _begin_with_user(messages, target)
    return _fit_end(messages, target)


def _gather_results(messages: Sequence[ModelMessage]) -> Sequence[ModelMessage]:
    """Return the messages with all results of a response in the request after it, as Gemini demands (eino-ext#571)."""
    gathered: list[ModelMessage] = []
    for group in _group_adjacent(messages, _gets_results):
        first = group[0]
        if len(group) == 1 or isinstance(first, ModelResponse):
            gathered.append(first)
            continue
        parts = [part for message in group for part in message.parts]
        parts.sort(key=lambda part: not is_tool_result(part))  # results first, each kind in its order
        gathered.append(replace(first, parts=parts))  # type: ignore[arg-type]  # for pyright
    return gathered


def _gets_results(last: ModelMessage, message: ModelMessage) -> bool:
    """Return whether the results in a request belong into the request before it."""
    return (
        isinstance(last, ModelRequest) and isinstance(message, ModelRequest) and any(map(is_tool_result, message.parts))
    )


def _group_adjacent(
    messages: Sequence[ModelMessage], belongs: Callable[[ModelMessage, ModelMessage], bool]
) -> list[list[ModelMessage]]:
    """Return the messages in groups: each belongs to the message before it, or begins another group."""
    groups: list[list[ModelMessage]] = []
    for message in messages:
        if groups and belongs(groups[-1][-1], message):
            groups[-1].append(message)
        else:
            groups.append([message])
    return groups


# ---------------------------------------------------------------------- roles that alternate


def _keep(message: ModelMessage, target: HistoryTarget) -> bool:
    """Return whether a message is sent if the order of roles matters: a response without text may have no message."""
    if isinstance(message, ModelRequest):
        return True
    for part in message.parts:
        is_thinking = isinstance(part, ThinkingPart) and bool(
            part.content or (part.signature and part.provider_name == target.system)
        )
        if isinstance(part, (TextPart, ToolCallPart)) or (is_thinking and not target.rules.alternates):
            return True
    target.note('a response without text was not sent')
    return False


def _join_adjacent(messages: Sequence[ModelMessage], target: HistoryTarget) -> list[ModelMessage]:
    """Return the messages with adjacent requests joined, and, if roles alternate, adjacent responses and prompts."""

    def is_same_side(last: ModelMessage, message: ModelMessage) -> bool:
        return type(last) is type(message) and (isinstance(message, ModelRequest) or target.rules.alternates)

    joined: list[ModelMessage] = []
    for group in _group_adjacent(messages, is_same_side):
        first, parts = group[0], [part for message in group for part in message.parts]
        joined.append(first if len(group) == 1 else replace(first, parts=parts))  # type: ignore[arg-type]  # for pyright
    return [_join_prompts(message) for message in joined] if target.rules.alternates else joined


def _join_prompts(message: ModelMessage) -> ModelMessage:
    """Return a request with one prompt of the user instead of several."""
    if isinstance(message, ModelResponse):
        return message
    prompts, others = _split_parts(message, UserPromptPart, RetryPromptPart)
    contents = [content for part in prompts if (content := _get_prompt(part)) is not None]
    if len(contents) < 2:
        return message
    others += [part for part in prompts if _get_prompt(part) is None]
    texts = [content for content in contents if isinstance(content, str)]
    items: list[UserContent] = [
        item for content in contents for item in ([content] if isinstance(content, str) else content)
    ]
    content = '\n\n'.join(texts) if len(texts) == len(contents) else items
    return replace(message, parts=[*others, UserPromptPart(content)])


def _get_prompt(part: object) -> str | Sequence[UserContent] | None:
    """Return the content of a part that is sent with the role of the user, `None` for other parts."""
    match part:
        case UserPromptPart(content=content):
            return content
        case RetryPromptPart(tool_name=None):
            return part.model_response()
        case _:
            return None


def _bridge(message: ModelMessage, target: HistoryTarget) -> Iterator[ModelMessage]:
    """Yield the message; if it has tool results and prompts of the user, in two messages with a response between."""
    prompts = [part for part in message.parts if _get_prompt(part) is not None]
    others = [part for part in message.parts if _get_prompt(part) is None]
    if isinstance(message, ModelResponse) or not prompts or not any(map(is_tool_result, others)):
        yield message
        return
    target.note(f'the response {BRIDGE!r} was added between tool results and the content of the user')
    yield replace(message, parts=others)  # type: ignore[arg-type]  # for pyright
    yield ModelResponse([TextPart(BRIDGE)])
    yield replace(message, parts=prompts)  # type: ignore[arg-type]  # for pyright


def _split_parts(
    message: ModelMessage, *kinds: type[ModelRequestPart]
) -> tuple[list[ModelRequestPart], list[ModelRequestPart]]:
    """Return the parts of a request that have one of these types, and the others."""
    parts = message.parts if isinstance(message, ModelRequest) else ()
    return [part for part in parts if isinstance(part, kinds)], [part for part in parts if not isinstance(part, kinds)]


# ---------------------------------------------------------------------- the first and the last message


def _begin_with_user(messages: Sequence[ModelMessage], target: HistoryTarget) -> Sequence[ModelMessage]:
    """Return the messages with a prompt of the user before a response that is the first message."""
    for index, message in enumerate(messages):
        if isinstance(message, ModelResponse):
            target.note(f'the prompt {target.rules.filler!r} was added: a conversation must begin with the user')
            return [*messages[:index], ModelRequest([UserPromptPart(target.rules.filler)]), *messages[index:]]
        if any(map(_has_user_content, message.parts)):
            break
    return messages


def _has_user_content(part: object) -> bool:
    """Return whether a part of a request has content of the user or a tool result."""
    match part:
        case SystemPromptPart():
            return False
        case UserPromptPart():
            return any(not isinstance(item, CachePoint) for item in part.items())
        case _:
            return True


def _has_content(message: ModelMessage) -> bool:
    """Return whether a message is sent: a request with nothing but cache points is not."""
    return isinstance(message, ModelResponse) or any(
        isinstance(part, SystemPromptPart) or _has_user_content(part) for part in message.parts
    )


def _fit_end(messages: Sequence[ModelMessage], target: HistoryTarget) -> Sequence[ModelMessage]:
    """Return the messages with an end that the API accepts, if the last one with content is a response."""
    end = next((index for index in reversed(range(len(messages))) if _has_content(messages[index])), -1)
    last = messages[end] if end >= 0 else None
    if not isinstance(last, ModelResponse):
        return messages
    # Anthropic's API continues a turn that it paused: https://platform.claude.com/docs/en/build-with-claude/handling-stop-reasons
    is_paused = any(isinstance(part, (NativeToolCallPart, NativeToolReturnPart)) for part in last.parts) or (
        isinstance(last.parts[-1], CompactionPart)
    )
    if not (target.rules.response_last or is_paused):
        target.note(f'the prompt {CONTINUE!r} was added: {target.model_name!r} does not continue a response')
        return [*messages, ModelRequest([UserPromptPart(CONTINUE)])]
    if target.rules.trailing_whitespace:
        return messages
    parts = list(last.parts)
    while parts and isinstance(text := parts[-1], TextPart) and text.content != text.content.rstrip():
        target.note('whitespace at the end of the last response was not sent')
        parts[-1:] = [replace(text, content=stripped)] if (stripped := text.content.rstrip()) else []
    if len(parts) == len(last.parts) and all(a is b for a, b in zip(parts, last.parts, strict=True)):
        return messages
    return [*messages[:end], *([replace(last, parts=parts)] if parts else []), *messages[end + 1 :]]
