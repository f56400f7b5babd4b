"""Encode messages as the turns of a chat template: dicts with a role, content and tool calls. Pure.

Start at `encode_messages`. https://huggingface.co/docs/transformers/en/chat_templating
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from json import dumps
from typing import Any, assert_never

from ...exceptions import UserError
from ...json_types import Json
from ...messages import (
    BinaryContent,
    CachePoint,
    CompactionPart,
    FilePart,
    ModelRequest,
    ModelResponse,
    NativeToolCallPart,
    NativeToolReturnPart,
    RetryPromptPart,
    SystemPromptPart,
    TextContent,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
)
from ...messages.request import ModelRequestPart
from ...wire.prepare import PreparedRequest
from .template_probe import TemplateFacts
from .tools import CallKeys, encode_call_as_text

__all__ = ('TemplateFeatures', 'encode_messages')


@dataclass(frozen=True, slots=True)
class TemplateFeatures:
    """The features of a model's chat template."""

    facts: TemplateFacts
    has_tools: bool
    """True if it renders the tools of a request."""
    thinking_field: str | None
    """The field for past thinking; `None` if it renders none."""
    takes_images: bool
    call_keys: CallKeys
    """The keys of a tool call that is sent as text."""
    text_only_reason: str = ''
    """The reason why a model that takes images is loaded for text alone; empty otherwise."""


@dataclass(slots=True)
class _Conversation:
    """The turns under construction, and their images."""

    request: PreparedRequest
    features: TemplateFeatures
    turns: list[Json] = field(default_factory=list[Json])
    images: list[bytes] = field(default_factory=list[bytes])

    def add(self, role: str, content: Any, **fields: Any) -> None:
        """Add a turn, or extend the last one if it has the same role.

        The templates of Gemma, Mistral, Llama 2 and Cohere raise unless roles alternate.
        """
        last = self.turns[-1] if self.turns else None
        if last and last['role'] == role and role in ('system', 'user') and not fields:
            last['content'] = _join_contents(last['content'], content)
        else:
            self.turns.append({'role': role, 'content': content, **fields})


def encode_messages(request: PreparedRequest, features: TemplateFeatures) -> tuple[list[Json], list[bytes]]:
    """Return the turns and their images. Instructions follow the system prompts that begin the conversation."""
    conversation = _Conversation(request, features)
    for message in request.messages:
        match message:
            case ModelRequest():
                for part in message.parts:
                    _add_request_part(conversation, part)
            case ModelResponse():
                _add_response(conversation, message)
            case _:
                assert_never(message)
    turns = _add_instructions(conversation.turns, request.instructions)
    if not features.facts.renders_system_alone and all(turn['role'] == 'system' for turn in turns):
        turns = [{**turn, 'role': 'user'} for turn in turns]
    has_lists = features.takes_images or features.facts.has_listed_content
    return ([_with_listed_content(turn) for turn in turns] if has_lists else turns), conversation.images


def _add_instructions(turns: list[Json], instructions: Sequence[str]) -> list[Json]:
    if not instructions:
        return turns
    text = '\n\n'.join(instructions)
    if turns and turns[0]['role'] == 'system':
        return [{**turns[0], 'content': f'{turns[0]["content"]}\n\n{text}'}, *turns[1:]]
    return [{'role': 'system', 'content': text}, *turns]


def _with_listed_content(turn: Json) -> Json:
    """Return the turn with its content as a list of pieces, as templates of multimodal models expect it.

    https://huggingface.co/docs/transformers/chat_templating_multimodal
    """
    return turn if turn['role'] == 'tool' else {**turn, 'content': [*_split_content(turn['content'])]}


def _add_request_part(conversation: _Conversation, part: ModelRequestPart) -> None:
    match part:
        case SystemPromptPart(content=content):
            conversation.add('system', content)
        case UserPromptPart():
            conversation.add('user', _encode_content(conversation, part.items()))
        case ToolReturnPart():
            _add_tool_return(conversation, part)
        case RetryPromptPart(tool_name=None):
            conversation.add('user', part.model_response())
        case RetryPromptPart(tool_name=name):
            _add_tool_result(conversation, name or '', part.tool_call_id, part.model_response())
        case _:
            assert_never(part)


def _add_tool_return(conversation: _Conversation, part: ToolReturnPart) -> None:
    """Add a tool result. Its files follow in a user turn, as a tool turn holds text only."""
    files = part.files
    if not files:
        content: Any = part.content
        text = '' if content is None else part.model_response_str()
        _add_tool_result(conversation, part.tool_name, part.tool_call_id, text)
        return
    named = [*part.without_files(), *(f'See file {file.identifier}.' for file in files)]
    text = replace(part, content=named[0] if len(named) == 1 else named).model_response_str()
    _add_tool_result(conversation, part.tool_name, part.tool_call_id, text)
    labelled = [item for file in files for item in (f'This is file {file.identifier}:', file)]
    conversation.add('user', _encode_content(conversation, labelled))


def _add_tool_result(conversation: _Conversation, name: str, id: str, content: str) -> None:
    if conversation.features.facts.renders_calls:
        conversation.add('tool', content, name=name, tool_call_id=id)
        return
    conversation.add('user', f'The tool {name} answered:\n{content}')
    if conversation.features.has_tools:
        conversation.request.note_change('past tool calls were sent as text: the chat template leaves them out')


def _encode_content(conversation: _Conversation, items: Sequence[UserContent]) -> Any:
    """Return text, or a list of pieces if there are images."""
    pieces = [piece for item in items if (piece := _encode_piece(conversation, item)) is not None]
    if any(piece['type'] != 'text' for piece in pieces):
        return pieces
    return '\n'.join(piece['text'] for piece in pieces)


def _encode_piece(conversation: _Conversation, item: UserContent) -> Json | None:
    takes_images = conversation.features.takes_images
    match item:
        case str() as text:
            return {'type': 'text', 'text': text}
        case TextContent(content=text):
            return {'type': 'text', 'text': text}
        case CachePoint():
            conversation.request.drop_cache_point()
            return None
        case BinaryContent() if item.is_image and takes_images:
            conversation.images.append(item.data)
            return {'type': 'image'}
        case BinaryContent() if item.is_text:
            mark = f'FILE id="{item.identifier}" type="{item.media_type}"'
            content = item.data.decode('utf-8', 'replace')
            text = f'-----BEGIN {mark}-----\n{content}\n-----END FILE id="{item.identifier}"-----'
            return {'type': 'text', 'text': text}
        case _:
            what = 'text and images' if takes_images else 'text alone'
            model_name, reason = conversation.request.model_name, conversation.features.text_only_reason
            because = f'. The reason for text alone: {reason}' if reason else ''
            raise UserError(f'{model_name!r} reads {what} in this process, and was given {item!r}{because}')


def _add_response(conversation: _Conversation, message: ModelResponse) -> None:
    """Add an assistant turn, unless nothing in the response can be sent."""
    request, features = conversation.request, conversation.features
    texts: list[str] = []
    thinking: list[str] = []
    calls: list[Json] = []
    for part in message.parts:
        match part:
            case TextPart(content=content):
                texts.append(content)
            case ThinkingPart(content=content) if features.thinking_field is not None and content:
                thinking.append(content)
            case ToolCallPart() if features.facts.renders_calls:
                calls.append(_encode_tool_call(part, as_text=features.facts.arguments_as_text))
            case ToolCallPart():
                texts.append(encode_call_as_text(part, features.call_keys))
            case ThinkingPart() if part.provider_name == request.system:
                pass  # the model's own thinking: its template drops it from past turns, so no warning is due
            case ThinkingPart() | NativeToolCallPart() | NativeToolReturnPart() | FilePart() | CompactionPart():
                request.drop_part(part)
            case _:
                assert_never(part)
    fields: Json = {'tool_calls': calls} if calls else {}
    if thinking and features.thinking_field is not None:
        fields[features.thinking_field] = '\n\n'.join(thinking)
    text = '\n\n'.join(texts)
    if text and calls and not features.facts.renders_text_with_calls:
        _add_text_alone(conversation, text)
        text = ''
    if text or fields:
        conversation.turns.append({'role': 'assistant', 'content': text, **fields})


def _add_text_alone(conversation: _Conversation, text: str) -> None:
    """Add the text of a response with tool calls as a turn of its own, if two responses may follow each other."""
    if conversation.features.facts.rules.alternates:
        conversation.request.note_change('text beside past tool calls was not sent: the chat template leaves it out')
    else:
        conversation.turns.append({'role': 'assistant', 'content': text})


def _encode_tool_call(part: ToolCallPart, *, as_text: bool) -> Json:
    """Return a tool call. Most templates encode its arguments as JSON themselves."""
    arguments: Any = part.args_as_dict(raise_if_invalid=False)
    function = {'name': part.tool_name, 'arguments': dumps(arguments, ensure_ascii=False) if as_text else arguments}
    return {'type': 'function', 'id': part.tool_call_id, 'function': function}


def _join_contents(first: Any, second: Any) -> Any:
    """Join two contents: texts with a blank line between them, or lists of pieces."""
    if isinstance(first, str) and isinstance(second, str):
        return f'{first}\n\n{second}'
    return [*_split_content(first), *_split_content(second)]


def _split_content(content: Any) -> Iterator[Json]:
    """Yield the pieces of a content, which is text or a list of pieces."""
    if not isinstance(content, str):
        yield from content
    elif content:
        yield {'type': 'text', 'text': content}
