"""Responses of the vendor of a room, for tests."""

from __future__ import annotations

from typing import Any

from ..messages import BinaryContent, FilePart, ModelResponse, ModelResponsePart, TextPart, ThinkingPart, ToolCallPart
from ..usage import RequestUsage
from .room import Room

__all__ = ('make_response', 'make_rich_response', 'make_text', 'make_tool_call', 'split_in_threes')


def split_in_threes(text: str) -> list[str]:
    """Split a text into pieces of three characters."""
    return [text[at : at + 3] for at in range(0, len(text), 3)]


def make_response(room: Room, *parts: ModelResponsePart, **fields: Any) -> ModelResponse:
    """Return a response of the room's vendor."""
    model = room.build()
    values: dict[str, Any] = {
        'usage': RequestUsage(input_tokens=5, output_tokens=3),
        'model_name': 'm' if room.features.has_model_name else model.model_name,
        'provider_name': model.system,
        'provider_url': model.base_url,
        'provider_response_id': 'r' if room.features.has_response_id else None,
        'finish_reason': 'stop',
        **fields,
    }
    return ModelResponse(list(parts), **values)


def make_tool_call(room: Room, id: str, args: str = '{"city": "Rome"}') -> ToolCallPart:
    """Return a call of the tool `look`."""
    has_vendor = room.features.item_ids or room.features.signs_tool_calls
    own: dict[str, Any] = {'provider_name': room.build().system} if has_vendor else {}
    if room.features.item_ids:
        own['id'] = f'item_{id}'
    return ToolCallPart('look', args, id, **own)


def make_text(room: Room, content: str) -> TextPart:
    """Return a text."""
    own: dict[str, Any] = {'id': 'item_t', 'provider_name': room.build().system} if room.features.item_ids else {}
    return TextPart(content, **own)


def make_rich_response(room: Room) -> ModelResponse:
    """Return a response with a part of each kind."""
    own: dict[str, Any] = {'provider_name': room.build().system}
    item: dict[str, Any] = {'id': 'item_x'} if room.features.item_ids else {}
    return make_response(
        room,
        ThinkingPart('Hm.', signature='s' if room.features.signatures else None, **own, **item),
        make_text(room, 'Hello.'),
        make_tool_call(room, 'a'),
        FilePart(BinaryContent(b'x', media_type='image/png'), **own),
    )
