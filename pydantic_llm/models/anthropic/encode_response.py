"""Encodes a past response as content blocks of the assistant's turn. `serve_response` uses its functions too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, assert_never, cast

from ...json_types import Json, keep_objects
from ...messages import (
    BaseToolCallPart,
    CompactionPart,
    FilePart,
    ModelMessage,
    ModelResponse,
    NativeToolCallPart,
    NativeToolReturnPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)
from ...messages.request import is_tool_result
from ...messages.response import ModelResponsePart
from ...profiles.anthropic import AnthropicModelProfile
from ...wire.prepare import PreparedRequest
from .content import COMPACTION_BLOCK, REDACTED_THINKING, encode_text
from .decode_blocks import COMPACTION_FIELDS
from .native_tools import encode_call, encode_caller, encode_return, encode_unknown_block

RESPONSE_ONLY_FIELDS = frozenset({'file_id', 'abort_reason'})
"""Fields of citations and of code results that the API sends, but rejects in requests."""


class ResponseEncoder:
    """Encodes the past responses of one request. Notes on the request name what was dropped or changed."""

    def __init__(
        self, request: PreparedRequest, profile: AnthropicModelProfile, messages: Sequence[ModelMessage]
    ) -> None:
        self._request = request
        self._profile = profile
        self._defined_tools = frozenset(tool.name for tool in request.parameters.tools)
        self._defines_advisor = _defines_advisor(request)
        self._sendable_call_ids = _find_sendable_calls(messages)
        self._sent_call_ids: set[str] = set()  # of native tools

    def encode(self, message: ModelResponse) -> list[Json]:
        return [block for part in message.parts for block in self._encode_part(part, message)]

    def _encode_part(self, part: ModelResponsePart, message: ModelResponse) -> Iterator[Json]:
        match part:
            case TextPart():
                yield from self._encode_text_part(part)
            case ThinkingPart():
                yield from self._encode_thinking_part(part, is_own=self._is_own(part) and self._is_signed(message))
            case ToolCallPart():
                yield encode_tool_call(part)
            case NativeToolCallPart() | NativeToolReturnPart():
                yield from self._encode_native_part(part, message)
            case CompactionPart():
                yield encode_compaction(part)
            case FilePart():
                self._request.note('a file of a model was dropped: the Messages API has no place for it in a response')
            case _:
                assert_never(part)

    def _encode_text_part(self, part: TextPart) -> Iterator[Json]:
        citations = keep_objects((part.provider_details or {}).get('citations')) if self._is_own(part) else []
        # Claude did not make those with an empty index: `serve_response` does, for another vendor's text
        citations = [citation for citation in citations if citation.get('encrypted_index') != '']
        for block in encode_text(part.content):
            if citations:
                block['citations'] = [_drop_response_only_fields(citation) for citation in citations]
            yield block

    def _encode_thinking_part(self, part: ThinkingPart, *, is_own: bool) -> Iterator[Json]:
        """Encode thinking with its signature. Claude rejects thinking that it did not sign, so that is sent as text.

        https://platform.claude.com/docs/en/build-with-claude/extended-thinking. Other models must get their thinking
        back, signed or not: hermes-agent#17510, #22313.
        """
        if is_own and (part.signature or (part.content and not self._profile.anthropic_requires_signatures)):
            yield encode_thinking_part(part)
        elif part.content:
            self._request.note('thinking without a signature of this vendor was sent as text between tags')
            start, end = self._profile.thinking_tags
            yield {'type': 'text', 'text': f'{start}\n{part.content}\n{end}'}
        elif part.signature:
            self._request.note('encrypted thinking of another vendor was dropped')

    def _encode_native_part(
        self, part: NativeToolCallPart | NativeToolReturnPart, message: ModelResponse
    ) -> Iterator[Json]:
        # Claude refuses the ids that other servers of this API make (tingly-dev/tingly-box#1401).
        if not (self._is_own(part) and self._is_signed(message)):
            self._request.note('what native tools of other vendors did was dropped')
        elif part.tool_name == 'advisor' and not self._defines_advisor:
            self._request.note('what the advisor did was dropped: the request does not define the advisor')
        elif (block := encode_unknown_block(part)) is not None:
            self._sent_call_ids.add(part.tool_call_id)
            yield dict(block)
        elif isinstance(part, NativeToolReturnPart) and part.tool_call_id not in self._sent_call_ids:
            self._request.note(f'a result of {part.tool_name!r} without its call was dropped')
        elif isinstance(part, NativeToolReturnPart):
            block = encode_return(part, self._defined_tools)
            yield {**block, 'content': _drop_response_only_fields(block['content'])}
        elif part.tool_call_id in self._sendable_call_ids:
            self._sent_call_ids.add(part.tool_call_id)
            yield encode_call(part, args_as_object(part))
        else:
            self._request.note(f'a call of {part.tool_name!r} without a result was dropped')

    def _is_signed(self, message: ModelResponse) -> bool:
        """Return whether the server of this request knows the signatures of a response.

        Other servers sign with values of their own, such as DeepSeek with the response's id (hermes-agent#21048).
        Claude's signatures are valid at Anthropic, Amazon and Google alike.
        """
        is_claudes = self._profile.anthropic_requires_signatures and 'claude' in (message.model_name or '')
        return is_claudes or self._request.is_same_server(message)

    def _is_own(self, part: TextPart | ThinkingPart | NativeToolCallPart | NativeToolReturnPart) -> bool:
        return part.provider_name == self._request.system


def _find_sendable_calls(messages: Sequence[ModelMessage]) -> frozenset[str]:
    """Return the ids of the calls of native tools that have a result, or may still get one.

    The API rejects a call whose turn ended without its result. It accepts one in a turn that the model continues:
    recording anthropic__test_in_flight_mcp_call_history_is_accepted__0_a1c40c.
    """
    responses = [message for message in messages if isinstance(message, ModelResponse)]
    ids = {
        part.tool_call_id for response in responses for part in response.parts if isinstance(part, NativeToolReturnPart)
    }
    if responses and _continues_last_turn(messages):
        ids |= {part.tool_call_id for part in responses[-1].parts if isinstance(part, NativeToolCallPart)}
    return frozenset(ids)


def _continues_last_turn(messages: Sequence[ModelMessage]) -> bool:
    """Return whether the model continues its last turn, which paused or ended with tool calls."""
    last = messages[-1]
    if isinstance(last, ModelResponse):
        return True
    follows_response = len(messages) > 1 and isinstance(messages[-2], ModelResponse)
    return follows_response and all(map(is_tool_result, last.parts))


def _defines_advisor(request: PreparedRequest) -> bool:
    """Return whether `extra_body` defines the advisor tool. The API rejects its blocks in other requests."""
    tools = request.settings.get('extra_body', {}).get('tools', ())
    return any(str(tool.get('type', '')).startswith('advisor_') for tool in tools)


def _drop_response_only_fields(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {name: item for name, item in cast('Json', value).items() if name not in RESPONSE_ONLY_FIELDS}


def encode_compaction(part: CompactionPart) -> Json:
    """Encode a summary as the block that it came from. Its text must not be empty, but may be null."""
    details = part.provider_details or {}
    kept = {name: details[name] for name, kind in COMPACTION_FIELDS.items() if isinstance(details.get(name), kind)}
    return {'type': COMPACTION_BLOCK, 'content': part.content if part.has_content() else None, **kept}


def encode_thinking_part(part: ThinkingPart) -> Json:
    """Encode thinking, readable or encrypted, as the block that it came from."""
    if part.id == REDACTED_THINKING:
        return {'type': REDACTED_THINKING, 'data': part.signature}
    return {'type': 'thinking', 'thinking': part.content, 'signature': part.signature or ''}


def encode_tool_call(part: ToolCallPart) -> Json:
    """Encode a tool call."""
    block: Json = {'type': 'tool_use', 'id': part.tool_call_id, 'name': part.tool_name, 'input': args_as_object(part)}
    details = part.provider_details or {}
    toolset = {'toolset_name': details['toolset_name']} if isinstance(details.get('toolset_name'), str) else {}
    return block | encode_caller(details) | toolset


def args_as_object(part: BaseToolCallPart) -> Json:
    """Return the arguments as an object. Invalid JSON is sent inside one, for the model to see its mistake."""
    return part.args_as_dict(raise_if_invalid=False)
