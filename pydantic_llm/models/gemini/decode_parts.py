"""Decodes the parts of a content: text, thinking, tool calls, files, the work of Google's own tools."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Hashable, Iterable
from dataclasses import replace
from typing import Any

from ...json_types import Json
from ...messages import (
    BinaryContent,
    FilePart,
    ModelResponsePart,
    NativeToolCallPart,
    NativeToolReturnPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)
from ...streaming.draft import ResponseDraft
from ...streaming.parts import LAST
from .content import to_urlsafe
from .native_tools import CODE_EXECUTION, SOURCE, decode_tool_name


class PartsDecoder:
    """Decodes the parts of all chunks of one response.

    Text and thinking continue the part before them, if it has the same type. Other parts arrive whole, and so does each
    part with a signature.
    """

    def __init__(self, draft: ResponseDraft) -> None:
        self.draft = draft
        self._part_count = 0  # of parts that arrived whole
        self._code_id: str | None = None
        self._empty_searches: dict[Hashable, NativeToolReturnPart] = {}

    def decode(self, parts: Iterable[Json]) -> None:
        """Decode parts in order. Unknown kinds are skipped, and so are draft images, which count as thinking."""
        for part in parts:
            self._decode_part(part)

    def add_native_tool(self, name: str, args: Json, content: Any, source: str) -> None:
        """Add the call and the result of one of Google's tools that the metadata `source` reports."""
        id = self._generate_id(name)
        own: Json = {'provider_name': self.draft.provider_name, 'provider_details': {SOURCE: source}}
        self._add(NativeToolCallPart(name, args, id, **own))
        self._add(NativeToolReturnPart(name, content, id, **own))

    def fill_file_searches(self, found: list[Json]) -> None:
        """Add the passages that were found to the results of file searches that arrived empty."""
        if found:
            for key, part in self._empty_searches.items():
                self.draft.parts.whole(key, replace(part, content=found))
                self.draft.parts.close(key)
            self._empty_searches = {}

    def _decode_part(self, part: Json) -> None:
        is_thinking, signature = bool(part.get('thought')), part.get('thoughtSignature')
        own: Json = {'provider_name': self.draft.provider_name}
        if signature:
            own['provider_details'] = {'thought_signature': signature}
        match part:
            case {'text': text} if text is not None:
                self._decode_text(text, own, is_thinking=is_thinking)
            case {'functionCall': call} if call:
                self._add(ToolCallPart(call['name'], call.get('args') or {}, **_decode_id(call), **own))
            case {'inlineData': data} if data and not is_thinking:
                content = b64decode(to_urlsafe(data['data']), '-_', validate=True)
                self._add(FilePart(BinaryContent(content, media_type=data.get('mimeType') or 'image/png'), **own))
            case {'executableCode': code} if code:
                id = self._code_id = code.get('id') or self._generate_id(CODE_EXECUTION)
                self._add(NativeToolCallPart(CODE_EXECUTION, code, id, **own))
            case {'codeExecutionResult': result} if result:
                id = result.get('id') or self._code_id or self._generate_id(CODE_EXECUTION)
                self._add(NativeToolReturnPart(CODE_EXECUTION, result, id, **own))
            case {'toolCall': call} if call:
                self._add(NativeToolCallPart(decode_tool_name(call), call.get('args') or {}, **_decode_tool(call, own)))
            case {'toolResponse': result} if result:
                self._decode_tool_result(result, own)
            case _ if part.keys() == {'thoughtSignature'}:
                self._add(TextPart('', **own))
            case _:
                pass

    def _decode_text(self, text: Any, own: Json, *, is_thinking: bool) -> None:
        """Decode a fragment of text or of thinking, or a whole part if it has a signature."""
        if not isinstance(text, str):
            raise TypeError(f'text is {text!r}')
        parts = self.draft.parts
        # A part with a signature must not be merged with another part:
        # https://ai.google.dev/gemini-api/docs/thought-signatures
        if 'provider_details' in own:
            self._add((ThinkingPart if is_thinking else TextPart)(text, **own))
        elif is_thinking and text:
            is_new = parts.kind_of(LAST) != 'thinking'
            parts.thinking(LAST, text, **(own if is_new else {}))
        else:
            parts.text(LAST, '' if is_thinking else text)

    def _decode_tool_result(self, result: Json, own: Json) -> None:
        """Decode the result of one of Google's tools. The passages of a file search arrive later, as metadata."""
        part = NativeToolReturnPart(decode_tool_name(result), result.get('response'), **_decode_tool(result, own))
        if part.content is not None or part.tool_name != 'file_search':
            self._add(part)
            return
        self._empty_searches[self._start(part)] = part

    def _add(self, part: ModelResponsePart) -> None:
        self.draft.parts.close(self._start(part))

    def _start(self, part: ModelResponsePart) -> Hashable:
        self._part_count += 1
        key = ('part', self._part_count)
        self.draft.parts.whole(key, part)
        return key

    def _generate_id(self, name: str) -> str:
        """Generate the id of a tool call that has none. The same response always gets the same ids."""
        return f'{name}_{self._part_count}'


def _decode_id(block: Json) -> Json:
    return {'tool_call_id': block['id']} if block.get('id') else {}


def _decode_tool(block: Json, own: Json) -> Json:
    """Return the fields that the call and the result of one of Google's tools share."""
    details = {**own.get('provider_details', {}), 'tool_type': block.get('toolType')}
    return {**own, 'provider_details': details, **_decode_id(block)}
