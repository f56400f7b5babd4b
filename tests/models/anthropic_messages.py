"""What the tests of the Messages room share: short words for messages and blocks, and the SDK's types as the oracle."""

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
from pydantic_llm.models.anthropic.decode import decode, decode_event
from pydantic_llm.models.anthropic.options import betas
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
"""Fields that the API takes and the SDK has no parameter for."""


def complete(value: Any) -> Any:
    """The value, validated to its end: pydantic checks an iterable only when it is read."""
    match value:
        case dict():
            return {name: complete(item) for name, item in value.items()}
        case str() | bytes() | int() | float() | None:
            return value
        case Iterable():
            return [complete(item) for item in value]
        case _:
            return value


class Sdk:
    """The SDK's types of requests, built once."""

    body: TypeAdapter[Any] | None = None
    blocks: TypeAdapter[Any]
    tools: TypeAdapter[Any]

    @classmethod
    def check(cls, body: Json) -> None:
        """Fail for a body that the SDK's types do not allow."""
        if cls.body is None:
            cls.body = TypeAdapter(list[MessageCreateParamsBase], config=STRICT)
            cls.blocks = TypeAdapter(list[ANY_BLOCK], config=STRICT)
            cls.tools = TypeAdapter(list[BetaToolUnionParam], config=STRICT)
        complete(cls.body.validate_python([{k: v for k, v in body.items() if k not in NO_LONGER_TYPED}]))
        complete(cls.tools.validate_python(body.get('tools', [])))
        for message in body['messages']:
            if message['role'] != 'system':
                complete(cls.blocks.validate_python(message['content']))


# ---------------------------------------------------------------------- what is called here


def ask(*parts: Any, **more: Any) -> ModelRequest:
    """A request; text is a user's prompt."""
    return ModelRequest([UserPromptPart(part) if isinstance(part, (str, list)) else part for part in parts], **more)


def say(*parts: Any, **more: Any) -> ModelResponse:
    """An answer of Anthropic's."""
    return ModelResponse(list(parts), provider_name='anthropic', **more)


class Sent:
    """A request as it is sent."""

    def __init__(self, messages: Sequence[Any], settings: Any = None, name: str = SONNET, **parameters: Any) -> None:
        model = AnthropicModel(name, api_key='k')
        self.request = model.prepare(messages, settings, ModelRequestParameters(**parameters))
        self.body = model.encode(self.request)
        self.warnings = self.request.warnings
        self.betas = betas(self.request, model.profile)
        Sdk.check(self.body)

    @property
    def turns(self) -> list[Any]:
        """Roles and content; a lone text stands for its block."""
        return [(message['role'], *map(plain, message['content'])) for message in self.body['messages']]


def plain(block: Json) -> Any:
    return block['text'] if block.keys() == {'type', 'text'} else block


def text(words: str, **more: Any) -> Json:
    return {'type': 'text', 'text': words, **more}


def cached(ttl: str = '5m') -> Json:
    return {'cache_control': {'type': 'ephemeral', 'ttl': ttl}}


def result(id: str, *texts: str, is_error: bool = False) -> Json:
    content = {'content': [text(words) for words in texts]} if texts else {}
    return {'type': 'tool_result', 'tool_use_id': id, **content, 'is_error': is_error}


def call(id: str, name: str = 'weather', **args: Any) -> Json:
    return {'type': 'tool_use', 'id': id, 'name': name, 'input': args}


def read(*events: Json) -> ModelResponse:
    """What is made of a stream."""
    draft = ResponseDraft('asked', 'anthropic')
    for event in events:
        decode_event(event, draft)
    draft.parts.end()
    return draft.get()


def read_whole(content: list[Json], **facts: Any) -> ModelResponse:
    """What is made of a body."""
    draft = ResponseDraft('asked', 'anthropic')
    body = {'id': 'msg_1', 'model': 'answered', 'content': content, 'stop_reason': 'end_turn', 'usage': {}}
    decode({**body, **facts}, draft)
    return draft.get()


def started(index: int, block: Json) -> Json:
    return {'type': 'content_block_start', 'index': index, 'content_block': block}


def added(index: int, **delta: Any) -> Json:
    return {'type': 'content_block_delta', 'index': index, 'delta': delta}


def stopped(index: int) -> Json:
    return {'type': 'content_block_stop', 'index': index}


STOP: Json = {'type': 'message_stop'}


def streamed(content: list[Json]) -> Iterator[Json]:
    """The events that tell of these blocks as Anthropic does."""
    for index, block in enumerate(content):
        hollow: Json = {'text': '', 'thinking': '', 'signature': '', 'citations': None, 'input': {}}
        grows = block['type'] in ('text', 'thinking') or 'input' in block
        empty = {name: hollow[name] if grows and name in hollow else value for name, value in block.items()}
        yield started(index, empty)
        if block['type'] == 'text':
            for piece in block['text'].partition(' '):
                yield added(index, type='text_delta', text=piece)
            for citation in block.get('citations') or ():
                yield added(index, type='citations_delta', citation=citation)
        elif block['type'] == 'thinking':
            yield added(index, type='thinking_delta', thinking=block['thinking'])
            yield added(index, type='signature_delta', signature=block['signature'])
        elif 'input' in block:
            yield added(index, type='input_json_delta', partial_json='')
            args = to_json(block['input']).decode()
            for piece in (args[:3], args[3:]) if block['input'] else ():
                yield added(index, type='input_json_delta', partial_json=piece)
        yield stopped(index)
    yield {'type': 'message_delta', 'delta': {'stop_reason': 'end_turn'}, 'usage': {'output_tokens': 1}}
    yield STOP


MIDDLE: list[Any] = [
    ask(SystemPromptPart('First.'), 'a'),
    say(TextPart('b')),
    ask('c', SystemPromptPart('Later.')),
    say(TextPart('d')),
    ask('e'),
]
"""A conversation with a system prompt in its middle."""

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
    {'type': 'thinking', 'thinking': 'hm hm', 'signature': 'sig'},
    {'type': 'redacted_thinking', 'data': 'data'},
    text('so it is'),
    text('cited words', citations=[CITATION, {**CITATION, 'cited_text': 'd'}]),
    call('toolu_1', city='Rome'),
    {**call('toolu_2'), 'caller': CALLED},
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
    {'type': 'compaction', 'content': 'summary', 'encrypted_content': 'e'},
]
"""Every kind of block that there is in answers, and may be sent back."""

NEW_KINDS: list[Json] = [
    {'type': 'server_tool_use', 'id': 'f', 'name': 'dream', 'input': {'deep': True}},
    {'type': 'dream_tool_result', 'tool_use_id': 'f', 'content': 'sheep', 'more': 1},
    {'type': 'wish', 'id': 'g', 'name': 'n', 'input': {'x': 1}},
    {'type': 'song', 'lines': [1]},
]
"""Kinds of blocks that do not exist yet."""


def with_parsed_args(response: ModelResponse) -> list[Any]:
    calls = (ToolCallPart, NativeToolCallPart)
    return [replace(part, args=part.args_as_dict()) if isinstance(part, calls) else part for part in response.parts]


def slots(part: Any) -> list[str]:
    return list(part.__dataclass_fields__)
