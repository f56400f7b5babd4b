"""`CallDecoder`: decodes the calls of the caller's tools."""

from __future__ import annotations

from dataclasses import replace

from pydantic_core import from_json

from ....json_types import Json
from ....messages import ToolCallPart
from ....streaming.draft import ResponseDraft
from .decode_slots import Slot

TOOL_CALL_DETAILS = ('namespace', 'caller')
"""Fields of a tool call that are kept in its part and sent back with it."""


class CallDecoder:
    """Decodes the tool calls of one response.

    If the server gives tool calls of different responses the same ids (`reuses_ids`), the id of the response becomes
    part of each id. Recording of such a server:
    bedrock-mantle-responses__test_reused_tool_call_ids_request__0_42250b.
    """

    def __init__(self, draft: ResponseDraft, *, reuses_ids: bool) -> None:
        self._draft = draft
        self._reuses_ids = reuses_ids

    def start(self, slot: Slot, item: Json) -> None:
        """Start a tool call with the arguments that its item has so far."""
        draft, call_id = self._draft, item.get('call_id')
        if call_id and draft.provider_response_id and self._reuses_ids:
            call_id = f'{draft.provider_response_id}:{call_id}'
        details = {name: item[name] for name in TOOL_CALL_DETAILS if item.get(name)}
        fields: Json = {'provider_details': details} if details else {}
        draft.parts.tool_call(
            slot,
            name=item['name'],
            args=item.get('arguments') or '',
            tool_call_id=call_id,
            id=item.get('id'),
            provider_name=draft.provider_name,
            **fields,
        )

    def add_whole_arguments(self, slot: Slot, whole: str) -> None:
        """Add the end of the arguments. Fragments that are not their beginning are replaced (opencodex#996)."""
        parts = self._draft.parts
        known = parts.get_content(slot)
        if whole.startswith(known) and whole != known:
            parts.tool_call(slot, args=whole[len(known) :])
            slot.expect(slot, whole[len(known) :])
        elif _is_json(whole) and not _is_json(known) and isinstance(part := parts.get_part(slot), ToolCallPart):
            parts.whole(slot, replace(part, args=whole))


def _is_json(text: str) -> bool:
    try:
        from_json(text)
    except ValueError:
        return False
    return True
