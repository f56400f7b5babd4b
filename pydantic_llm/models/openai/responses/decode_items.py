"""`ItemDecoder`: decodes the output items of a response, whole or from their events, into parts.

Messages, reasoning and calls of the caller's tools are decoded here, items of OpenAI's own tools in `native_items`.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, cast

from pydantic_core import to_json

from ....json_types import Json
from ....messages import ThinkingPart
from ....streaming.draft import ResponseDraft
from .native_items import NativeItemDecoder

TOOL_CALL_DETAILS = ('namespace', 'caller')
"""Fields of a tool call that are kept in its part and sent back with it."""


class ItemDecoder:
    """Decodes the items of one response.

    If the server gives tool calls of different responses the same ids (`reuses_tool_call_ids`), the id of the response
    becomes part of each id. Recording of such a server:
    bedrock-mantle-responses__test_reused_tool_call_ids_request__0_42250b.
    """

    def __init__(self, draft: ResponseDraft, *, reuses_tool_call_ids: bool = False) -> None:
        self.draft = draft
        self.has_refusal = False
        self._reuses_tool_call_ids = reuses_tool_call_ids
        self._native = NativeItemDecoder(draft)
        self._phases: dict[str | None, str | None] = {}  # by the id of the message
        self._annotations: dict[Hashable, list[Json]] = {}  # by the key of the text
        self._thinking_keys: dict[str, list[Hashable]] = {}  # by the id of the reasoning item

    def start(self, item: Json) -> None:
        """Start an item. A tool call has its name from the start; text and thinking begin with their first delta."""
        match item:
            case {'type': 'function_call', 'id': str() as id}:
                self._start_tool_call(id, item)
            case {'type': 'message'}:
                self._phases[item.get('id')] = item.get('phase')
            case {'type': 'function_call' | 'reasoning'}:
                pass
            case _:
                self._native.start(item)

    def extend(self, event: Json) -> None:
        """Add to an item what an event of it contains."""
        parts = self.draft.parts
        match event:
            case {'type': 'response.output_text.delta', 'item_id': id, 'content_index': index, 'delta': delta}:
                self._add_text((id, index), id, delta)
            case {'type': 'response.function_call_arguments.delta' | 'response.mcp_call_arguments.delta'}:
                parts.tool_call(event['item_id'], args=event['delta'])
            case {'type': 'response.reasoning_summary_text.delta', 'item_id': id, 'summary_index': index}:
                self._add_thinking(id, ('summary', index), event['delta'])
            case {'type': 'response.reasoning_text.delta', 'item_id': id}:
                self._add_thinking(id, ('raw', event.get('content_index', 0)), event['delta'])
            case {'type': 'response.code_interpreter_call_code.delta', 'item_id': id, 'delta': delta}:
                # The code is a JSON string inside the arguments, which `NativeItem.begin_args` opened.
                parts.tool_call(id, args=to_json(delta).decode()[1:-1])
            case {'type': 'response.output_text.annotation.added', 'item_id': id, 'content_index': index}:
                self._annotations.setdefault((id, index), []).append(event['annotation'])
            case {'type': 'response.refusal.delta', 'delta': delta}:
                self._add_refusal(delta)
            case {'type': 'response.image_generation_call.partial_image'}:
                self._native.decode_partial_image(event)
            case _:
                pass

    def finish(self, item: Json) -> None:
        """Decode a whole item: add what its events did not contain, and end its parts."""
        match item['type']:
            case 'message':
                self._finish_message(item)
            case 'reasoning':
                self._finish_reasoning(item)
            case 'function_call':
                self._finish_tool_call(item)
            case _:
                self._native.finish(item)

    # ---------------------------------------------------------------------- messages

    def _finish_message(self, item: Json) -> None:
        id = item.get('id')
        self._phases[id] = item.get('phase')
        contents: list[Json] = item.get('content') or []
        for index, content in enumerate(contents):
            match content:
                case {'type': 'output_text', 'text': text}:
                    key = (id, index)
                    if self.draft.parts.kind_of(key) is None:
                        self._add_text(key, id, text)
                    self._add_text_details(key, id, content)
                    self.draft.parts.close(key)
                case {'type': 'refusal', 'refusal': refusal} if not self.has_refusal:
                    self._add_refusal(refusal)
                case _:
                    pass

    def _add_text(self, key: Hashable, id: str | None, text: str) -> None:
        parts = self.draft.parts
        if parts.kind_of(key) is not None:
            parts.text(key, text)
        elif text:
            phase = self._phases.get(id)
            details = {'provider_details': {'phase': phase}} if phase else {}
            parts.text(key, text, id=id, provider_name=self.draft.provider_name, **details)

    def _add_text_details(self, key: Hashable, id: str | None, content: Json) -> None:
        """Add the phase, the annotations and the log probabilities of a whole text to its part."""
        annotations: Any = content.get('annotations') or self._annotations.get(key, [])
        found = {'phase': self._phases.get(id), 'annotations': annotations, 'logprobs': content.get('logprobs')}
        if not isinstance(annotations, list) or not all(
            isinstance(each, dict) for each in cast('list[object]', annotations)
        ):
            raise TypeError(f'the annotations of a text are {annotations!r}')
        if details := {name: value for name, value in found.items() if value}:
            self.draft.parts.details(key, provider_details=details)

    def _add_refusal(self, refusal: str) -> None:
        self.has_refusal = True
        details = self.draft.provider_details
        details['refusal'] = details.get('refusal', '') + refusal

    # ---------------------------------------------------------------------- thinking

    def _add_thinking(self, id: str, position: tuple[str, int], text: str) -> None:
        """Add text of a summary, or of the thinking itself, which some servers send instead.

        Recording of such a server: openrouter-responses__test_openai_responses_raw_cot_stream_openrouter__0_23d34a.
        """
        parts, key = self.draft.parts, (id, *position)
        if parts.kind_of(key) is not None:
            parts.thinking(key, text)
        elif text:
            self._thinking_keys.setdefault(id, []).append(key)
            details: Json = {'provider_details': {'raw': True}} if position[0] == 'raw' else {}
            parts.thinking(key, text, id=id, provider_name=self.draft.provider_name, **details)

    def _finish_reasoning(self, item: Json) -> None:
        """Decode a whole reasoning item. Its encrypted content becomes the signature of its first part.

        https://platform.openai.com/docs/guides/reasoning#encrypted-reasoning-items
        """
        parts, id = self.draft.parts, item.get('id') or ''
        keys = list(self._thinking_keys.pop(id, ()))
        for kind, pieces in (('summary', item.get('summary')), ('raw', item.get('content'))):
            for index, piece in enumerate(pieces or ()):
                if (id, kind, index) not in keys:
                    self._add_thinking(id, (kind, index), piece.get('text') or '')
        keys += self._thinking_keys.pop(id, ())
        if signature := item.get('encrypted_content'):
            if keys:
                parts.thinking(keys[0], signature=signature)
            else:
                keys = [(id, 'encrypted')]
                part = ThinkingPart('', id=id, signature=signature, provider_name=self.draft.provider_name)
                parts.whole(keys[0], part)
        for key in keys:
            parts.close(key)

    # ---------------------------------------------------------------------- tool calls

    def _start_tool_call(self, key: Hashable, item: Json) -> None:
        draft, call_id = self.draft, item.get('call_id')
        if call_id and draft.provider_response_id and self._reuses_tool_call_ids:
            call_id = f'{draft.provider_response_id}:{call_id}'
        details = {name: item[name] for name in TOOL_CALL_DETAILS if item.get(name)}
        fields: Json = {'provider_details': details} if details else {}
        draft.parts.tool_call(
            key,
            name=item['name'],
            args=item.get('arguments') or '',
            tool_call_id=call_id,
            id=item.get('id'),
            provider_name=draft.provider_name,
            **fields,
        )

    def _finish_tool_call(self, item: Json) -> None:
        parts, key = self.draft.parts, item.get('id')
        if key is None or parts.kind_of(key) is None:
            key = key or ('call', item.get('call_id'))
            parts.close(key)
            self._start_tool_call(key, item)
        elif not parts.has_content(key):
            parts.tool_call(key, args=item.get('arguments') or '')
        parts.close(key)
