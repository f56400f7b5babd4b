"""Acme's API from the server's side: `decode_request` undoes `encode`, the rest undoes `decode`.

A package needs this half only to serve the API, or to run the conformance suite.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic_llm import UserError
from pydantic_llm.messages import (
    BinaryContent,
    FinishReason,
    ImageUrl,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    ModelResponsePart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
)
from pydantic_llm.models import ModelRequestParameters
from pydantic_llm.settings import ModelSettings
from pydantic_llm.tools import ToolDefinition
from pydantic_llm.wire import BlockStreamEncoder, OpenBlock, ServedRequest

from .encode import OWN_SETTINGS, SETTINGS

Json = dict[str, Any]

WIRE_FINISH_REASONS: dict[FinishReason, str] = {
    'stop': 'end',
    'length': 'limit',
    'tool_call': 'calls',
    'content_filter': 'blocked',
}


def decode_request(body: Json) -> ServedRequest:
    """Decode the body of a request. Raises `UserError` if it is not one."""
    try:
        messages = [_decode_turn(turn) for turn in body['turns']]
        if body.get('system'):
            system = ModelRequest([SystemPromptPart(text) for text in body['system']])
            messages = [system, *messages]
        settings = {name: body[field] for name, field in (SETTINGS | OWN_SETTINGS).items() if field in body}
        if body.get('use_tools', 'auto') != 'auto':
            settings['tool_choice'] = body['use_tools']
        tools = [ToolDefinition(tool['name'], tool['schema'], tool['about'] or None) for tool in body.get('tools', ())]
        return ServedRequest(
            body['model'],
            messages,
            ModelSettings(**settings),  # type: ignore[typeddict-item] # the tables hold its keys
            ModelRequestParameters(tools),
            stream=bool(body.get('stream')),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UserError(f'The request is not a request of Acme: {type(error).__name__}: {error}') from error


def _decode_turn(turn: Json) -> ModelRequest | ModelResponse:
    if turn['from'] == 'model':
        return ModelResponse([_decode_response_part(part) for part in turn['parts']], provider_name='acme')
    return ModelRequest([_decode_request_part(part) for part in turn['parts']])


def _decode_request_part(part: Json) -> ModelRequestPart:
    match part:
        case {'result': result, 'id': id, 'tool': tool}:
            return ToolReturnPart(tool, result, id, outcome='failed' if part['failed'] else 'success')
        case {'image': url}:
            image: UserContent = BinaryContent.from_data_uri(url) if url.startswith('data:') else ImageUrl(url)
            return UserPromptPart([image])
        case _:
            return UserPromptPart(part['text'])


def _decode_response_part(part: Json) -> ModelResponsePart:
    match part:
        case {'call': tool, 'id': id, 'arguments': arguments}:
            return ToolCallPart(tool, arguments, id)
        case {'thinking': text, 'seal': seal}:
            return ThinkingPart(text, signature=seal, provider_name='acme')
        case _:
            return TextPart(part['text'])


def encode_response(response: ModelResponse, request: ServedRequest) -> Json:
    """Encode a whole response."""
    return {
        'id': response.provider_response_id,
        'model': response.model_name or request.model_name,
        'parts': [encoded for part in response.parts if (encoded := encode_part(part)) is not None],
        **encode_finish(response),
    }


def encode_finish(response: ModelResponse) -> Json:
    """Encode the finish reason, Acme's own if the response has one, and the usage."""
    finish = (response.provider_details or {}).get('finish_reason')
    if finish not in WIRE_FINISH_REASONS.values():
        finish = WIRE_FINISH_REASONS.get(response.finish_reason) if response.finish_reason else None
    usage = response.usage
    counts = {'read': usage.input_tokens, 'written': usage.output_tokens, 'cached': usage.cache_read_tokens}
    return {'finish': finish, 'usage': counts}


def encode_part(part: ModelResponsePart) -> Json | None:
    """Encode a part; return `None` if the API has no such part."""
    match part:
        case TextPart(content=text):
            return {'text': text}
        case ThinkingPart(content=text, signature=seal):
            return {'thinking': text, 'seal': seal}
        case ToolCallPart():
            return {'call': part.tool_name, 'id': part.tool_call_id, 'arguments': part.args_as_json_str()}
        case _:
            return None


class StreamEncoder(BlockStreamEncoder):
    """Encodes the events of a response into Acme's."""

    def begin(self) -> Iterator[Json]:
        """Yield the first event."""
        begun = self._request.begun
        id = begun.provider_response_id if begun else None
        yield {'event': 'start', 'id': id, 'model': self._request.model_name}

    def _start_block(self, index: int, part: ModelResponsePart) -> Iterator[Json]:
        if (encoded := encode_part(part)) is not None:
            self._open_blocks[index] = block = OpenBlock(index)
            if isinstance(part, ToolCallPart):
                encoded['arguments'] = part.args if isinstance(part.args, str) else ''
                block.wrote_args = bool(encoded['arguments'])
            yield {'event': 'part', 'index': index, 'part': encoded}

    def _extend_text(self, block: OpenBlock, text: str, citations: Sequence[Json]) -> Iterator[Json]:
        yield {'event': 'more', 'index': block.number, 'part': {'text': text}}

    def _extend_thinking(self, block: OpenBlock, thinking: str, signature: str | None) -> Iterator[Json]:
        yield {'event': 'more', 'index': block.number, 'part': {'thinking': thinking, 'seal': signature}}

    def _encode_args(self, block: OpenBlock, args: str) -> Json:
        return {'event': 'more', 'index': block.number, 'part': {'arguments': args}}

    def _stop_block(self, block: OpenBlock, part: ModelResponsePart) -> Iterator[Json]:
        if isinstance(part, ToolCallPart) and not block.wrote_args:
            yield self._encode_args(block, part.args_as_json_str())
        yield {'event': 'part_end', 'index': block.number}

    def _encode_end(self, response: ModelResponse) -> Iterator[Json]:
        yield {'event': 'end', **encode_finish(response)}
