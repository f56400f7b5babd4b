"""Decodes content blocks, whole or streamed, into parts. `serve_request` decodes past responses with it too."""

from __future__ import annotations

from ...json_types import Json, parse_json
from ...messages import ThinkingPart
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

ARGS_FRAGMENTS = 'partial_json'
"""The key under which an unknown block collects the fragments of its arguments."""


class BlockDecoder:
    """Decodes the blocks of a message. Each is started, extended by any number of deltas, and stopped.

    `tool_names` are the native tools of earlier calls, by the calls' ids; it is extended.
    """

    def __init__(self, draft: ResponseDraft, tool_names: dict[str, str] | None = None) -> None:
        self._draft = draft
        self._tool_names = {} if tool_names is None else tool_names
        self._unknown_blocks: dict[int, Json] = {}
        self._citations: dict[int, list[Json]] = {}
        self._initial_args: dict[int, str] = {}  # calls whose arguments came at their start -> text before other ones
        self._args_ends: dict[int, str] = {}  # calls of MCP tools -> text after their arguments

    def start(self, index: int, block: Json) -> None:
        """Start a part for a block. A block of an unknown type becomes a part when it stops."""
        provider, parts = self._draft.provider_name, self._draft.parts
        match block:
            case {'type': 'text', 'text': text}:
                parts.text(index, text, **self._add_citations(index, block.get('citations') or []))
            case {'type': 'thinking', 'thinking': thinking}:
                signature = block.get('signature') or None
                parts.whole(index, ThinkingPart(thinking, signature=signature, provider_name=provider))
            case {'type': 'redacted_thinking', 'data': data}:
                parts.whole(index, ThinkingPart('', id=REDACTED_THINKING, signature=data, provider_name=provider))
            case {'type': 'tool_use', 'name': name, 'id': id}:
                toolset = {'toolset_name': block['toolset_name']} if block.get('toolset_name') else {}
                details = {**(decode_caller(block) or {}), **toolset}
                fields: Json = {'provider_name': provider, 'provider_details': details} if details else {}
                parts.tool_call(index, name=name, args=block.get('input'), tool_call_id=id, **fields)
            case {'type': 'server_tool_use' | 'mcp_tool_use', 'name': _, 'id': _}:
                call = decode_call(block, provider)
                self._tool_names[call.tool_call_id] = call.tool_name
                parts.whole(index, call)
            case {'type': str() as kind, 'tool_use_id': _, 'content': _} if is_known_result(kind):
                parts.whole(index, decode_return(block, provider, self._tool_names))
            case _:
                self._unknown_blocks[index] = dict(block)

    def start_streamed(self, index: int, block: Json) -> None:
        """Start a part for a streamed block. The API starts every call with an empty `input`, which is ignored.

        Recording: anthropic__test_anthropic_mcp_servers_stream__0_c3980a. Other servers may send the arguments at the
        start, and then perhaps again as fragments.
        """
        args_start = mcp_args_start(block['name']) if block['type'] == 'mcp_tool_use' else ''
        if block.get('input'):
            self._initial_args[index] = args_start
            self.start(index, block)
            return
        self.start(index, {**block, 'input': None} if block['type'] in CALL_TYPES else block)
        if args_start:
            self._args_ends[index] = '{}}'
            self._draft.parts.tool_call(index, args=args_start)

    def extend(self, index: int, delta: Json) -> None:
        """Add a delta to the part of a block. Unknown deltas are skipped."""
        parts = self._draft.parts
        if index in self._unknown_blocks:
            _extend_unknown_block(self._unknown_blocks[index], delta)
            return
        match delta:
            case {'type': 'text_delta', 'text': text}:
                parts.text(index, text)
            case {'type': 'input_json_delta', 'partial_json': fragment}:
                if fragment:
                    self._extend_args(index, fragment)
            case {'type': 'thinking_delta', 'thinking': thinking}:
                parts.thinking(index, thinking)
            case {'type': 'signature_delta', 'signature': signature}:
                parts.thinking(index, signature=signature)
            case {'type': 'citations_delta', 'citation': citation}:
                parts.text(index, '', **self._add_citations(index, [citation]))
            case _:
                pass

    def stop(self, index: int) -> None:
        """End the part of a block."""
        parts = self._draft.parts
        if (block := self._unknown_blocks.pop(index, None)) is not None:
            parts.whole(index, decode_unknown_block(_join_args(block), self._draft.provider_name))
        if (args_end := self._args_ends.pop(index, None)) is not None:
            parts.tool_call(index, args=args_end)
        parts.close(index)

    def _extend_args(self, index: int, fragment: str) -> None:
        """Add a fragment to the arguments of a call. Fragments replace arguments that came at its start."""
        if (args_start := self._initial_args.pop(index, None)) is not None:
            self._draft.parts.details(index, args=args_start)
            if args_start:
                self._args_ends[index] = '}'
        elif index in self._args_ends:
            self._args_ends[index] = '}'
        self._draft.parts.tool_call(index, args=fragment)

    def _add_citations(self, index: int, citations: list[Json]) -> Json:
        """Return the fields of a text part for all of its citations so far, with the new ones."""
        if not citations:
            return {}
        known = self._citations[index] = [*self._citations.get(index, ()), *citations]
        return {'provider_name': self._draft.provider_name, 'provider_details': {'citations': known}}


def _extend_unknown_block(block: Json, delta: Json) -> None:
    """Add a delta to a block of an unknown type: text is appended, other values are replaced."""
    match delta:
        case {'type': 'input_json_delta', 'partial_json': fragment}:
            block.setdefault(ARGS_FRAGMENTS, []).append(fragment)
        case {'type': 'citations_delta', 'citation': citation}:
            block['citations'] = [*(block.get('citations') or ()), citation]
        case _:
            for name, value in delta.items():
                if name != 'type':
                    old = block.get(name)
                    block[name] = old + value if isinstance(old, str) and isinstance(value, str) else value


def _join_args(block: Json) -> Json:
    """Return the block with the collected fragments as its `input`."""
    fragments = ''.join(block.pop(ARGS_FRAGMENTS, ()))
    return {**block, 'input': parse_json(fragments)} if fragments else block
