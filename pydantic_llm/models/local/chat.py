"""Typed messages → what a chat template reads: roles, content, calls. Pure. Start at `turns_of`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, assert_never

from ...exceptions import UserError
from ...json_types import Json
from ...messages import (
    BinaryContent,
    CachePoint,
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

__all__ = ('Speech', 'folded', 'turns_of')


@dataclass(frozen=True, slots=True)
class Speech:
    """How a model's template wants a conversation told."""

    native_tools: bool
    """The template has places for tools, calls and what they gave; else they are told in words."""
    thoughts: str | None
    """The field for past thoughts; `None` where the template wants none."""
    images: bool
    """The model takes images."""
    tell_call: Callable[[ToolCallPart], str]
    """A past call in words, for a template without a place for it."""


@dataclass(slots=True)
class _Turns:
    """The conversation under construction."""

    request: PreparedRequest
    speech: Speech
    turns: list[Json] = field(default_factory=list[Json])
    images: list[bytes] = field(default_factory=list[bytes])

    def add(self, role: str, content: Any, **more: Any) -> None:
        """Add a turn, or go on with the last one where the same role spoke: many templates want roles to alternate."""
        last = self.turns[-1] if self.turns else None
        if last and last['role'] == role and role in ('system', 'user') and not more:
            last['content'] = _joined(last['content'], content)
        else:
            self.turns.append({'role': role, 'content': content, **more})


def turns_of(request: PreparedRequest, speech: Speech) -> tuple[list[Json], list[bytes]]:
    """The turns and the images in them. Instructions follow the system prompts that begin the conversation."""
    made = _Turns(request, speech)
    for message in request.messages:
        match message:
            case ModelRequest():
                for part in message.parts:
                    _add_request_part(made, part)
            case ModelResponse():
                _add_response(made, message)
            case _:
                assert_never(message)
    turns = _instructed(made.turns, request.instructions)
    return ([_in_pieces(turn) for turn in turns] if speech.images else turns), made.images


def _instructed(turns: list[Json], instructions: Sequence[str]) -> list[Json]:
    if not instructions:
        return turns
    told = '\n\n'.join(instructions)
    if turns and turns[0]['role'] == 'system':
        return [{**turns[0], 'content': f'{turns[0]["content"]}\n\n{told}'}, *turns[1:]]
    return [{'role': 'system', 'content': told}, *turns]


def _in_pieces(turn: Json) -> Json:
    """A turn as the templates of models that see want it: its content as a list."""
    return turn if turn['role'] == 'tool' else {**turn, 'content': [*_pieces(turn['content'])]}


def folded(turns: Sequence[Json]) -> list[Json]:
    """The same for a template without system prompts: they become the beginning of the user's next turn."""
    kept: list[Json] = []
    waiting: list[str] = []
    for turn in turns:
        if turn['role'] == 'system':
            waiting.append(turn['content'] if isinstance(turn['content'], str) else turn['content'][0]['text'])
        elif turn['role'] == 'user' and waiting:
            kept.append({**turn, 'content': _joined('\n\n'.join(waiting), turn['content'])})
            waiting = []
        else:
            kept.append(turn)
    if waiting:
        kept.append({'role': 'user', 'content': '\n\n'.join(waiting)})
    return kept


def _add_request_part(made: _Turns, part: ModelRequestPart) -> None:
    match part:
        case SystemPromptPart(content=content):
            made.add('system', content)
        case UserPromptPart():
            made.add('user', _content(made, part.items()))
        case ToolReturnPart():
            _add_tool_return(made, part)
        case RetryPromptPart(tool_name=None):
            made.add('user', part.model_response())
        case RetryPromptPart(tool_name=name):
            _add_result(made, name or '', part.tool_call_id, part.model_response())
        case _:
            assert_never(part)


def _add_tool_return(made: _Turns, part: ToolReturnPart) -> None:
    files = part.files()
    if not files:
        content: Any = part.content
        _add_result(made, part.tool_name, part.tool_call_id, '' if content is None else part.model_response_str())
        return
    named = [*part.without_files(), *(f'See file {file.identifier}.' for file in files)]
    told = replace(part, content=named[0] if len(named) == 1 else named).model_response_str()
    _add_result(made, part.tool_name, part.tool_call_id, told)
    made.add('user', _content(made, [item for file in files for item in (f'This is file {file.identifier}:', file)]))


def _add_result(made: _Turns, name: str, id: str, content: str) -> None:
    if made.speech.native_tools:
        made.add('tool', content, name=name, tool_call_id=id)
    else:
        made.add('user', f'The tool {name} answered:\n{content}')


def _content(made: _Turns, items: Sequence[UserContent]) -> Any:
    """Text, or a list of pieces where there are images among it."""
    pieces = [piece for item in items if (piece := _piece(made, item)) is not None]
    if any(piece['type'] != 'text' for piece in pieces):
        return pieces
    return '\n'.join(piece['text'] for piece in pieces)


def _piece(made: _Turns, item: UserContent) -> Json | None:
    match item:
        case str() as text:
            return {'type': 'text', 'text': text}
        case TextContent(content=text):
            return {'type': 'text', 'text': text}
        case CachePoint():
            return None
        case BinaryContent() if item.is_image and made.speech.images:
            made.images.append(item.data)
            return {'type': 'image'}
        case BinaryContent() if item.is_text:
            mark = f'FILE id="{item.identifier}" type="{item.media_type}"'
            told = item.data.decode('utf-8', 'replace')
            return {
                'type': 'text',
                'text': f'-----BEGIN {mark}-----\n{told}\n-----END FILE id="{item.identifier}"-----',
            }
        case _:
            what = 'text and images' if made.speech.images else 'text alone'
            raise UserError(f'{made.request.model_name!r} reads {what} in this process, and was given {item!r}')


def _add_response(made: _Turns, message: ModelResponse) -> None:
    """The assistant's turn; none where nothing of it can be told."""
    request, speech = made.request, made.speech
    texts: list[str] = []
    thoughts: list[str] = []
    calls: list[Json] = []
    for part in message.parts:
        match part:
            case TextPart(content=content):
                texts.append(content)
            case ThinkingPart(content=content) if speech.thoughts is not None and content:
                thoughts.append(content)
            case ToolCallPart() if speech.native_tools:
                calls.append(_call(part))
            case ToolCallPart():
                texts.append(speech.tell_call(part))
            case ThinkingPart() if part.provider_name == request.system:
                pass  # the template drops past thoughts itself
            case ThinkingPart() | NativeToolCallPart() | NativeToolReturnPart() | FilePart():
                request.leave_out_part(part)
            case _:
                assert_never(part)
    more: Json = {'tool_calls': calls} if calls else {}
    if thoughts and speech.thoughts is not None:
        more[speech.thoughts] = '\n\n'.join(thoughts)
    if texts or more:
        made.turns.append({'role': 'assistant', 'content': '\n\n'.join(texts), **more})


def _call(part: ToolCallPart) -> Json:
    """A past call; templates write the arguments as JSON themselves."""
    function = {'name': part.tool_name, 'arguments': part.args_as_dict(raise_if_invalid=False)}
    return {'type': 'function', 'id': part.tool_call_id, 'function': function}


def _joined(first: Any, second: Any) -> Any:
    """Two contents of one role, a paragraph apart."""
    if isinstance(first, str) and isinstance(second, str):
        return f'{first}\n\n{second}'
    return [*_pieces(first), *_pieces(second)]


def _pieces(content: Any) -> Iterator[Json]:
    if not isinstance(content, str):
        yield from content
    elif content:
        yield {'type': 'text', 'text': content}
