"""Decodes content blocks, whole or streamed, into parts. `serve_request` decodes past responses with it too."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

from ...json_types import Json, parse_json
from ...messages import CompactionPart, ThinkingPart
from ...messages.response import ModelResponsePart
from ...streaming.draft import ResponseDraft
from .content import REDACTED_THINKING
from .native_tools import (
    decode_call,
    decode_caller,
    decode_return,
    decode_unknown_block,
    is_known_result,
    mcp_args_start,
)

CALL_TYPES = ('tool_use', 'server_tool_use', 'mcp_tool_use')
"""The types of blocks whose `input` is streamed."""

CONTENT_FIELDS = {'text': 'text', 'thinking': 'thinking', REDACTED_THINKING: 'data'}
"""Types of blocks -> the field of their text. Servers written in Go leave it out while it is empty
(labring/aiproxy#604), others send null."""

CALL, UNKNOWN = 'call', 'unknown'

BLOCK_KINDS = {'text': 'text', 'thinking': 'thinking', **dict.fromkeys(CALL_TYPES, CALL)}
"""Types of blocks -> the kind of deltas that extend them."""

DELTA_KINDS = {
    'text_delta': 'text',
    'citations_delta': 'text',
    'thinking_delta': 'thinking',
    'signature_delta': 'thinking',
    'input_json_delta': CALL,
}
"""Types of deltas -> the kind of the blocks that they extend."""


class BlockDecoder:
    """Decodes the blocks of a message. Each is started, extended by any number of deltas, and stopped.

    `tool_names` are the native tools of earlier calls, by the calls' ids; it is extended.
    """

    def __init__(self, draft: ResponseDraft, tool_names: dict[str, str] | None = None) -> None:
        self._draft = draft
        self._tool_names = {} if tool_names is None else tool_names
        self._open: dict[Hashable, str] = {}  # the kinds of the blocks that did not stop, the newest last
        self._open_kinds: dict[str, dict[Hashable, None]] = {}  # the same by their kind
        self._unknown_blocks: dict[Hashable, _UnknownBlock] = {}
        self._initial_args: dict[Hashable, str] = {}  # calls whose arguments came at their start -> text before others
        self._args_ends: dict[Hashable, str] = {}  # calls of MCP tools -> text after their arguments

    def start(self, index: Hashable, block: Json) -> None:
        """Start a part for a block. A summary, or a block of an unknown type, becomes a part when it stops.

        A block that is open under the same index ends: not every server stops its blocks (surogate#113).
        """
        if index in self._open:
            self.stop(index)
        kind = self._open[index] = BLOCK_KINDS.get(block.get('type', ''), UNKNOWN)
        self._open_kinds.setdefault(kind, {})[index] = None
        provider, parts = self._draft.provider_name, self._draft.parts
        block = _complete_block(block)
        match block:
            case {'type': 'text', 'text': text}:
                citations: list[Json] = block.get('citations') or []
                own = {'provider_name': provider, 'provider_details': {'citations': [*citations]}} if citations else {}
                parts.text(index, text, **own)
            case {'type': 'thinking', 'thinking': thinking}:
                self._add_block_thinking(index, thinking, block.get('signature') or None)
            case {'type': 'redacted_thinking', 'data': data}:
                parts.whole(index, ThinkingPart('', id=REDACTED_THINKING, signature=data, provider_name=provider))
            case {'type': 'tool_use', 'name': name}:
                toolset = {'toolset_name': block['toolset_name']} if block.get('toolset_name') else {}
                details = {**(decode_caller(block) or {}), **toolset}
                fields: Json = {'provider_name': provider, 'provider_details': details} if details else {}
                parts.tool_call(index, name=name, args=block.get('input'), tool_call_id=block.get('id'), **fields)
            case {'type': 'server_tool_use' | 'mcp_tool_use', 'name': _, 'id': _}:
                call = decode_call(block, provider)
                self._tool_names[call.tool_call_id] = call.tool_name
                parts.whole(index, call)
            case {'type': str() as kind, 'tool_use_id': _, 'content': _} if is_known_result(kind):
                parts.whole(index, decode_return(block, provider, self._tool_names))
            case _:
                self._unknown_blocks[index] = _UnknownBlock(dict(block))

    def start_streamed(self, index: Hashable, block: Json) -> None:
        """Start a part for a streamed block. The API starts every call with an empty `input`, which is ignored.

        Recording: anthropic__test_anthropic_mcp_servers_stream__0_c3980a. Other servers may send the arguments at the
        start, and then perhaps again as fragments.
        """
        kind = block.get('type')
        args_start = mcp_args_start(block['name']) if kind == 'mcp_tool_use' else ''
        if block.get('input'):
            self.start(index, block)
            self._initial_args[index] = args_start
            return
        self.start(index, {**block, 'input': None} if kind in CALL_TYPES else block)
        if args_start:
            self._args_ends[index] = '{}}'
            self._draft.parts.tool_call(index, args=args_start)

    def extend(self, index: Hashable, delta: Json) -> None:
        """Add a delta to the part of a block. Unknown deltas are skipped."""
        parts, kind = self._draft.parts, DELTA_KINDS.get(delta.get('type', ''))
        if kind is not None:
            index = self._find_block(index, kind)
        if index in self._unknown_blocks:
            self._unknown_blocks[index].extend(delta)
            return
        match delta:
            case {'type': 'text_delta', 'text': text}:
                parts.text(index, text)
            case {'type': 'input_json_delta', 'partial_json': fragment}:
                if fragment:
                    self._extend_args(index, fragment)
            case {'type': 'thinking_delta', 'thinking': thinking}:
                self._add_block_thinking(index, thinking)
            case {'type': 'signature_delta', 'signature': signature}:
                self._add_block_thinking(index, '', signature or None)
            case {'type': 'citations_delta', 'citation': citation}:
                parts.add_to_details(index, 'citations', [citation], provider_name=self._draft.provider_name)
            case _:
                pass

    def _find_block(self, index: Hashable, kind: str) -> Hashable:
        """Return the index of the open block that a delta of this kind extends. Without such a block, start one.

        Proxies change from thinking to text inside a block (axonhub#1677), or number their deltas otherwise.
        """
        if self._open.get(index) in (kind, UNKNOWN):
            return index
        if index is None or kind == CALL:  # a call cannot start without its name
            index = next(reversed(self._open_kinds.get(kind, {})), index)
        if kind not in (CALL, self._open.get(index)):
            self.start(index, {'type': kind})
        return index

    def stop_all(self) -> None:
        """End the parts of the blocks that the server did not stop."""
        for index in list(self._open):
            self.stop(index)

    def stop(self, index: Hashable) -> None:
        """End the part of a block."""
        if kind := self._open.pop(index, None):
            del self._open_kinds[kind][index]
        self._initial_args.pop(index, None)
        parts = self._draft.parts
        if (block := self._unknown_blocks.pop(index, None)) is not None:
            parts.whole(index, _decode_other_block(block.join(), self._draft.provider_name))
        if (args_end := self._args_ends.pop(index, None)) is not None:
            parts.tool_call(index, args=args_end)
        parts.close(index)

    def _add_block_thinking(self, index: Hashable, thinking: str, signature: str | None = None) -> None:
        """Add thinking to its part, which starts when there is any: proxies send empty blocks (cc-switch#7227)."""
        parts = self._draft.parts
        if parts.kind_of(index) is not None:
            parts.thinking(index, thinking, signature=signature)
        elif thinking or signature:
            parts.whole(index, ThinkingPart(thinking, signature=signature, provider_name=self._draft.provider_name))

    def is_call(self, index: Hashable) -> bool:
        """Return whether the block is a tool call that has started."""
        return self._open.get(index) == CALL and self._draft.parts.kind_of(index) is not None

    def _extend_args(self, index: Hashable, fragment: str) -> None:
        """Add a fragment to the arguments of a call. Fragments replace arguments that came at its start."""
        if (args_start := self._initial_args.pop(index, None)) is not None:
            self._draft.parts.details(index, args=args_start)
            if args_start:
                self._args_ends[index] = '}'
        elif index in self._args_ends:
            self._args_ends[index] = '}'
        self._draft.parts.tool_call(index, args=fragment)


def _complete_block(block: Json) -> Json:
    """Return the block with its text, if the server left out an empty one."""
    field = CONTENT_FIELDS.get(block.get('type', ''))
    return {**block, field: ''} if field is not None and block.get(field) is None else block


COMPACTION_FIELDS: dict[str, type] = {'encrypted_content': str, 'signature': str, 'tool_changes': list}
"""The fields of a compaction other than its text, and their types: `anthropic.types.beta.BetaCompactionBlockParam`."""


def _decode_other_block(block: Json, provider: str | None) -> ModelResponsePart:
    """Return the part for a whole block that is a summary, or of an unknown type."""
    match block:
        case {'type': 'compaction', 'content': str() | None as summary}:
            fields = {name: block[name] for name in COMPACTION_FIELDS if block.get(name) is not None}
            return CompactionPart(summary, provider_name=provider, provider_details=fields or None)
        case _:
            return decode_unknown_block(block, provider)


@dataclass(slots=True)
class _UnknownBlock:
    """A summary, or a block of an unknown type: its fields, and what deltas added to them."""

    fields: Json
    texts: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """The fragments of texts, by the names of their fields."""
    args: list[str] = field(default_factory=list[str])
    citations: list[Json] = field(default_factory=list[Json])

    def extend(self, delta: Json) -> None:
        """Add a delta: text is appended, other values are replaced."""
        match delta:
            case {'type': 'input_json_delta', 'partial_json': fragment}:
                self.args.append(fragment)
            case {'type': 'citations_delta', 'citation': citation}:
                self.citations.append(citation)
            case _:
                for name, value in delta.items():
                    if name != 'type':
                        self._set(name, value)

    def _set(self, name: str, value: Any) -> None:
        if isinstance(value, str) and isinstance(self.fields.get(name), str):
            self.texts.setdefault(name, []).append(value)
        else:
            self.fields[name] = value
            self.texts.pop(name, None)

    def join(self) -> Json:
        """Return the whole block."""
        whole = self.fields | {name: ''.join((self.fields[name], *texts)) for name, texts in self.texts.items()}
        if self.citations:
            whole['citations'] = [*(whole.get('citations') or ()), *self.citations]
        if fragments := ''.join(self.args):
            whole['input'] = parse_json(fragments)
        return whole
