"""Shared by the tests of the Messages room: short functions for messages and blocks, and the SDK's types as oracle."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import reduce
from operator import or_
from typing import Any, get_args

from anthropic.types.beta.beta_content_block_param import BetaContentBlockParam
from anthropic.types.beta.beta_tool_union_param import BetaToolUnionParam
from anthropic.types.beta.message_create_params import MessageCreateParamsBase
from pydantic import ConfigDict, TypeAdapter
from pydantic_core import to_json

from pydantic_llm.messages import (
    BinaryContent,
    ModelRequest,
    ModelResponse,
    NativeToolCallPart,
    SystemPromptPart,
    TextPart,
    ToolCallPart,
    UserPromptPart,
)
from pydantic_llm.models import ModelRequestParameters, ResponseDraft
from pydantic_llm.models.anthropic import AnthropicModel
from pydantic_llm.models.anthropic.betas import list_betas
from pydantic_llm.models.anthropic.decode import AnthropicDecoder
from pydantic_llm.tools.definition import ToolDefinition

Json = dict[str, Any]

SONNET = 'claude-sonnet-4-5'
PIXEL = BinaryContent(b'png', media_type='image/png')
CITY: Json = {'type': 'object', 'properties': {'city': {'type': 'string'}}, 'required': ['city']}
WEATHER = ToolDefinition('weather', CITY, 'Tells the weather.')
TIME = ToolDefinition('time', CITY)
FINAL = ToolDefinition('final_result', CITY, kind='output')


# ---------------------------------------------------------------------- the oracle

STRICT = ConfigDict(extra='forbid')
REQUEST_BLOCKS = tuple(
    kind for kind in get_args(BetaContentBlockParam) if getattr(kind, '__name__', '').endswith('Param')
)
ANY_BLOCK: Any = reduce(or_, REQUEST_BLOCKS)
NO_LONGER_TYPED = frozenset({'temperature', 'top_p', 'top_k', 'stream'})
"""Fields of the API that the SDK has no parameter for."""


def consume(value: Any) -> Any:
    """Return the value with its iterables consumed: pydantic validates an iterable only when it is consumed."""
    match value:
        case dict():
            return {name: consume(item) for name, item in value.items()}
        case str() | bytes() | int() | float() | None:
            return value
        case Iterable():
            return [consume(item) for item in value]
        case _:
            return value


class Sdk:
    """The SDK's types of requests, built once."""

    body: TypeAdapter[Any] | None = None
    blocks: TypeAdapter[Any]
    tools: TypeAdapter[Any]

    @classmethod
    def check(cls, body: Json) -> None:
        """Raise if the SDK's types do not allow the body."""
        if cls.body is None:
            cls.body = TypeAdapter(list[MessageCreateParamsBase], config=STRICT)
            cls.blocks = TypeAdapter(list[ANY_BLOCK], config=STRICT)
            cls.tools = TypeAdapter(list[BetaToolUnionParam], config=STRICT)
        consume(cls.body.validate_python([{k: v for k, v in body.items() if k not in NO_LONGER_TYPED}]))
        consume(cls.tools.validate_python(body.get('tools', [])))
        for message in body['messages']:
            if message['role'] != 'system':
                consume(cls.blocks.validate_python(message['content']))


# ---------------------------------------------------------------------- messages, requests and responses


def ask(*parts: Any, **more: Any) -> ModelRequest:
    """Return a request; text becomes a user prompt."""
    return ModelRequest([UserPromptPart(part) if isinstance(part, (str, list)) else part for part in parts], **more)


def say(*parts: Any, **more: Any) -> ModelResponse:
    """Return a response of Anthropic."""
    return ModelResponse(list(parts), provider_name='anthropic', **more)


class Sent:
    """A request in its encoded form."""

    def __init__(self, messages: Sequence[Any], settings: Any = None, name: str = SONNET, **parameters: Any) -> None:
        model = AnthropicModel(name, api_key='k')
        self.request = model.prepare(messages, settings, ModelRequestParameters(**parameters))
        self.body = model.encode(self.request)
        self.warnings = self.request.warnings
        self.betas = list_betas(self.request, model.profile)
        Sdk.check(self.body)

    @property
    def turns(self) -> list[Any]:
        """Roles and content; a block with text only is shown as its text."""
        return [(message['role'], *map(plain, message['content'])) for message in self.body['messages']]


def plain(block: Json) -> Any:
    return block['text'] if block.keys() == {'type', 'text'} else block


def text(content: str, **more: Any) -> Json:
    return {'type': 'text', 'text': content, **more}


def cached(ttl: str = '5m') -> Json:
    return {'cache_control': {'type': 'ephemeral', 'ttl': ttl}}


def tool_result(id: str, *texts: str, is_error: bool = False) -> Json:
    content = {'content': [text(each) for each in texts]} if texts else {}
    return {'type': 'tool_result', 'tool_use_id': id, **content, 'is_error': is_error}


def tool_call(id: str, name: str = 'weather', **args: Any) -> Json:
    return {'type': 'tool_use', 'id': id, 'name': name, 'input': args}


def decode_stream(*events: Json) -> ModelResponse:
    decoder = new_decoder()
    for event in events:
        decoder.decode_event(event)
    decoder.draft.parts.end()
    return decoder.draft.get()


def decode_whole(content: Any, **facts: Any) -> ModelResponse:
    """Decode a body with these blocks."""
    decoder = new_decoder()
    body = {'id': 'msg_1', 'model': 'answered', 'content': content, 'stop_reason': 'end_turn', 'usage': {}}
    decoder.decode({**body, **facts})
    return decoder.draft.get()


def new_decoder() -> AnthropicDecoder:
    return AnthropicDecoder(ResponseDraft('asked', 'anthropic'))


def block_start(index: int, block: Json) -> Json:
    return {'type': 'content_block_start', 'index': index, 'content_block': block}


def block_delta(index: int, **delta: Any) -> Json:
    return {'type': 'content_block_delta', 'index': index, 'delta': delta}


def block_stop(index: int) -> Json:
    return {'type': 'content_block_stop', 'index': index}


STOP: Json = {'type': 'message_stop'}


def stream_blocks(content: list[Json]) -> Iterator[Json]:
    """Yield the events of a stream with these blocks, like Anthropic."""
    for index, block in enumerate(content):
        empty_fields: Json = {'text': '', 'thinking': '', 'signature': '', 'citations': None, 'input': {}}
        grows = block['type'] in ('text', 'thinking') or 'input' in block
        empty = {name: empty_fields[name] if grows and name in empty_fields else value for name, value in block.items()}
        yield block_start(index, empty)
        if block['type'] == 'text':
            for piece in block['text'].partition(' '):
                yield block_delta(index, type='text_delta', text=piece)
            for citation in block.get('citations') or ():
                yield block_delta(index, type='citations_delta', citation=citation)
        elif block['type'] == 'thinking':
            yield block_delta(index, type='thinking_delta', thinking=block['thinking'])
            yield block_delta(index, type='signature_delta', signature=block['signature'])
        elif 'input' in block:
            yield block_delta(index, type='input_json_delta', partial_json='')
            args = to_json(block['input']).decode()
            for piece in (args[:3], args[3:]) if block['input'] else ():
                yield block_delta(index, type='input_json_delta', partial_json=piece)
        yield block_stop(index)
    yield {'type': 'message_delta', 'delta': {'stop_reason': 'end_turn'}, 'usage': {'output_tokens': 1}}
    yield STOP


MIDDLE: list[Any] = [
    ask(SystemPromptPart('First.'), 'a'),
    say(TextPart('b')),
    ask('c', SystemPromptPart('Later.')),
    say(TextPart('d')),
    ask('e'),
]
"""A conversation with a second system prompt inside it."""

CITATION = {
    'type': 'char_location',
    'cited_text': 'c',
    'document_index': 0,
    'document_title': None,
    'start_char_index': 0,
    'end_char_index': 1,
}
CALLED = {'type': 'code_execution_20260120', 'tool_id': 'srvtoolu_1'}
CONTENT: list[Json] = [
    {'type': 'compaction', 'content': 'summary', 'encrypted_content': 'e'},
    {'type': 'thinking', 'thinking': 'hm hm', 'signature': 'sig'},
    {'type': 'redacted_thinking', 'data': 'data'},
    text('so it is'),
    text('cited words', citations=[CITATION, {**CITATION, 'cited_text': 'd'}]),
    tool_call('toolu_1', city='Rome'),
    {**tool_call('toolu_2'), 'caller': CALLED},
    {'type': 'server_tool_use', 'id': 'a', 'name': 'web_search', 'input': {'query': 'q'}, 'caller': CALLED},
    {'type': 'web_search_tool_result', 'tool_use_id': 'a', 'content': [], 'caller': CALLED},
    {'type': 'server_tool_use', 'id': 'b', 'name': 'bash_code_execution', 'input': {'command': 'ls'}},
    {
        'type': 'bash_code_execution_tool_result',
        'tool_use_id': 'b',
        'content': {'type': 'bash_code_execution_tool_result_error', 'error_code': 'unavailable'},
    },
    {'type': 'server_tool_use', 'id': 'c', 'name': 'tool_search_tool_regex', 'input': {'pattern': 'w.*', 'limit': 5}},
    {
        'type': 'tool_search_tool_result',
        'tool_use_id': 'c',
        'content': {
            'type': 'tool_search_tool_search_result',
            'tool_references': [{'type': 'tool_reference', 'tool_name': 'weather'}],
        },
    },
    {'type': 'mcp_tool_use', 'id': 'd', 'name': 'ask "it"', 'server_name': 'wiki', 'input': {'q': ['x']}},
    {'type': 'mcp_tool_result', 'tool_use_id': 'd', 'is_error': False, 'content': [text('y')]},
    {'type': 'mcp_tool_use', 'id': 'e', 'name': 'list', 'server_name': 'wiki', 'input': {}},
    {'type': 'mcp_tool_result', 'tool_use_id': 'e', 'is_error': True, 'content': 'no'},
    {'type': 'container_upload', 'file_id': 'file_1'},
]
"""Every type of block of a response that can be sent back."""

UNKNOWN_BLOCKS: list[Json] = [
    {'type': 'server_tool_use', 'id': 'f', 'name': 'dream', 'input': {'deep': True}},
    {'type': 'dream_tool_result', 'tool_use_id': 'f', 'content': 'sheep', 'more': 1},
    {'type': 'wish', 'id': 'g', 'name': 'n', 'input': {'x': 1}},
    {'type': 'song', 'lines': [1]},
]
"""Blocks of types that do not exist yet."""


def with_parsed_args(response: ModelResponse) -> list[Any]:
    calls = (ToolCallPart, NativeToolCallPart)
    return [replace(part, args=part.args_as_dict()) if isinstance(part, calls) else part for part in response.parts]


def field_names(part: Any) -> list[str]:
    return list(part.__dataclass_fields__)
