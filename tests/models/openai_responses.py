"""Shared by the tests of the Responses room: models with a server, items, streams, and the SDK's types."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable, Sequence
from functools import cache, reduce
from operator import or_
from typing import Any, get_args, get_type_hints

from openai.types.responses import Response, ResponseStreamEvent
from openai.types.responses.response_create_params import ResponseCreateParamsBase
from openai.types.responses.response_input_item_param import ResponseInputItemParam
from openai.types.responses.tool_param import ToolParam
from pydantic import ConfigDict, TypeAdapter

from pydantic_llm.messages import BinaryContent, ModelMessage, ModelRequest, ModelResponse
from pydantic_llm.models import ModelRequestParameters, ResponseDraft
from pydantic_llm.models.openai import OpenAIResponsesModel
from pydantic_llm.models.openai.responses.decode import ResponsesDecoder
from pydantic_llm.profiles.openai import OpenAIModelProfile
from pydantic_llm.providers import infer_provider_class
from pydantic_llm.tools.definition import ToolDefinition
from tests.providers.server import Json, Server

HELLO: list[ModelMessage] = [ModelRequest.user_text_prompt('Hello?')]
HELLO_ITEM = {'role': 'user', 'content': 'Hello?'}

OURS: Json = {'provider_name': 'openai'}
"""Fields of the parts of a response by OpenAI."""


def details(**fields: Any) -> Json:
    """Return the fields of a part of a response by OpenAI that has these provider details."""
    return {**OURS, 'provider_details': fields}


PLACES = {
    'azure': {'azure_endpoint': 'https://me.openai.azure.com/openai/v1'},
    'bedrock-mantle': {'region_name': 'us-east-1'},
}
"""The arguments of services whose URL depends on the customer."""

CITY = {'type': 'object', 'properties': {'name': {'type': 'string'}}, 'required': ['name']}
STRICT_CITY = {**CITY, 'additionalProperties': False}
WEATHER, TIME = (ToolDefinition(name, dict(CITY)) for name in ('weather', 'time'))
ANSWER = ToolDefinition('answer', dict(CITY), kind='output')

# ---------------------------------------------------------------------- items and responses


def message(text: str, id: str = 'msg_1', **more: Any) -> Json:
    """Return a message item with one text."""
    content = {'type': 'output_text', 'text': text, 'annotations': [], 'logprobs': []}
    return {
        'type': 'message',
        'id': id,
        'role': 'assistant',
        'status': 'completed',
        'content': [{**content, **more}],
    }


def reasoning(*summaries: str, id: str = 'rs_1', **more: Any) -> Json:
    """Return a reasoning item."""
    summary = [{'type': 'summary_text', 'text': text} for text in summaries]
    return {'type': 'reasoning', 'id': id, 'summary': summary, **more}


def call(name: str = 'weather', arguments: str = '{"name": "Oslo"}', id: str = 'call_1', **more: Any) -> Json:
    """Return an item that calls a tool of the caller."""
    fields = {'call_id': id, 'name': name, 'arguments': arguments, 'status': 'completed'}
    return {'type': 'function_call', 'id': f'fc_{id}', **fields, **more}


def make_body(*items: Json, **more: Any) -> Json:
    """Return the body of a response."""
    return {
        'id': 'resp_1',
        'object': 'response',
        'created_at': 1_760_000_000,
        'model': 'answering-model',
        'status': 'completed',
        'error': None,
        'incomplete_details': None,
        'output': list(items),
        'usage': {'input_tokens': 3, 'output_tokens': 2, 'total_tokens': 5},
        **more,
    }


HI_RESPONSE = make_body(message('Hi'))

DELTAS: dict[str, tuple[str, str]] = {
    'function_call': ('response.function_call_arguments.delta', 'arguments'),
    'mcp_call': ('response.mcp_call_arguments.delta', 'arguments'),
    'code_interpreter_call': ('response.code_interpreter_call_code.delta', 'code'),
}
"""Type of item that has deltas -> the event of a delta, and the field that grows."""


def grow(item: Json) -> list[Json]:
    """Return the events of an item's deltas, four characters each."""
    events: list[Json] = []
    if item['type'] in DELTAS:
        kind, name = DELTAS[item['type']]
        events += [{'type': kind, 'delta': piece} for piece in split(item.get(name) or '')]
    for index, part in enumerate(item.get('summary') or ()):
        kind = 'response.reasoning_summary_text.delta'
        events += [{'type': kind, 'summary_index': index, 'delta': piece} for piece in split(part['text'])]
    for index, part in enumerate(item.get('content') or ()):
        kind = {'output_text': 'output_text', 'refusal': 'refusal', 'reasoning_text': 'reasoning_text'}[part['type']]
        text = part.get('text') or part.get('refusal') or ''
        events += [{'type': f'response.{kind}.delta', 'content_index': index, 'delta': piece} for piece in split(text)]
        for note in part.get('annotations') or ():
            added = 'response.output_text.annotation.added'
            events.append({'type': added, 'content_index': index, 'annotation': note})
    return [{'item_id': item['id'], **event} for event in events]


def split(text: str) -> list[str]:
    return [text[at : at + 4] for at in range(0, len(text), 4)]


START_FIELDS = {'content': [], 'summary': [], 'encrypted_content': None, 'arguments': '', 'code': ''}
"""The values of fields when an item starts."""


def make_events(response_body: Json) -> list[Json]:
    """Return the events of a stream for this body."""
    begun = {**response_body, 'status': 'in_progress', 'output': [], 'usage': None}
    found: list[Json] = [{'type': 'response.created', 'response': begun}]
    for index, item in enumerate(response_body['output']):
        grows = item['type'] in ('message', 'reasoning', *DELTAS)
        empty = {name: value for name, value in START_FIELDS.items() if name in item}
        added = {**item, **empty, 'status': 'in_progress'} if grows else item
        found.append({'type': 'response.output_item.added', 'output_index': index, 'item': added})
        found += [{'output_index': index, **event} for event in grow(item)]
        found.append({'type': 'response.output_item.done', 'output_index': index, 'item': item})
    found.append({'type': f'response.{response_body["status"]}', 'response': response_body})
    return found


def stream(*found: Json) -> bytes:
    """Return the events as the bytes of a stream."""
    return ''.join(f'data: {json.dumps(event)}\n\n' for event in found).encode()


# ---------------------------------------------------------------------- native items

PNG = b64encode(b'\x89PNG').decode()
IMAGE = BinaryContent(b'\x89PNG', media_type='image/png')

SEARCH: Json = {
    'type': 'web_search_call',
    'id': 'ws_1',
    'status': 'completed',
    'action': {'type': 'search', 'query': 'oslo', 'sources': [{'type': 'url', 'url': 'https://example.com'}]},
}
FILES: Json = {
    'type': 'file_search_call',
    'id': 'fs_1',
    'status': 'completed',
    'queries': ['oslo'],
    'results': [{'file_id': 'f', 'text': 'Oslo', 'score': 0.5}],
}
CODE: Json = {
    'type': 'code_interpreter_call',
    'id': 'ci_1',
    'status': 'completed',
    'container_id': 'c',
    'code': 'print("a\\n")',
    'outputs': [{'type': 'logs', 'logs': 'a\n'}, {'type': 'image', 'url': f'data:image/png;base64,{PNG}'}],
}
DRAWING: Json = {
    'type': 'image_generation_call',
    'id': 'ig_1',
    'status': 'completed',
    'background': 'opaque',
    'quality': 'low',
    'size': '1024x1024',
    'revised_prompt': 'A fjord.',
    'output_format': 'png',
    'result': PNG,
}
TOOLS: Json = {
    'type': 'mcp_list_tools',
    'id': 'mcpl_1',
    'server_label': 'wiki',
    'tools': [{'name': 'ask', 'input_schema': {}, 'annotations': None, 'description': None}],
}
ASKED: Json = {
    'type': 'mcp_call',
    'id': 'mcp_1',
    'server_label': 'wiki',
    'name': 'ask',
    'arguments': '{ "about": "Oslo" }',
    'output': 'A city.',
    'error': None,
    'status': 'completed',
    'approval_request_id': None,
}
APPROVAL: Json = {
    'type': 'mcp_approval_request',
    'id': 'mcpr_1',
    'server_label': 'wiki',
    'name': 'ask',
    'arguments': '{"about":"Oslo"}',
}
TOOL_SEARCH: Json = {
    'type': 'tool_search_call',
    'id': 'tsc_1',
    'status': 'completed',
    'arguments': {'paths': ['weather']},
    'call_id': None,
    'execution': 'server',
}
FOUND_TOOLS: Json = {
    'type': 'tool_search_output',
    'id': 'tso_1',
    'status': 'completed',
    'call_id': None,
    'execution': 'server',
    'tools': [{'type': 'function', 'name': 'weather', 'parameters': {}, 'strict': True}],
}

SHELL: Json = {
    'type': 'shell_call',
    'id': 'sh_1',
    'call_id': 'call_sh',
    'status': 'completed',
    'action': {'commands': ['ls']},
}
SHELL_OUTPUT: Json = {
    'type': 'shell_call_output',
    'id': 'sho_1',
    'call_id': 'call_sh',
    'status': 'completed',
    'output': [],
}
COMPACTION: Json = {'type': 'compaction', 'id': 'cmp_1', 'encrypted_content': 'sealed'}
NEWEST: Json = {'type': 'telepathy_call', 'id': 'tp_1', 'thought': {'deep': [1, None]}}

# ---------------------------------------------------------------------- requests and responses


def model(server: Server, name: str = 'gpt-4o', service: str = 'openai', **options: Any) -> OpenAIResponsesModel:
    """Build a model whose requests go to the server."""
    make: Any = infer_provider_class(service)
    provider = make(api_key='key', http_client=server.client(), **PLACES.get(service, {}))
    return OpenAIResponsesModel(name, provider=provider, **options)


async def body(
    settings: Any = None,
    *,
    messages: Sequence[ModelMessage] = HELLO,
    parameters: ModelRequestParameters | None = None,
    **options: Any,
) -> Json:
    """Return the body of a request, without the model and, if the messages are `HELLO`, without the input."""
    server = Server(HI_RESPONSE)
    await model(server, **options).request(messages, settings, parameters)
    sent = server.body
    check_body(sent)
    assert (sent.pop('model'), sent.pop('stream')) == (options.get('name', 'gpt-4o'), False)
    if messages is HELLO:
        assert sent.pop('input') == [HELLO_ITEM]
    return sent


async def warnings(settings: Any = None, *, messages: Sequence[ModelMessage] = HELLO, **options: Any) -> list[str]:
    """Return the warnings of a request's response."""
    return (await model(Server(HI_RESPONSE), **options).request(messages, settings)).warnings


async def get_sent_items(messages: Sequence[ModelMessage], settings: Any = None, **options: Any) -> list[Json]:
    """Return the input of a request."""
    found: list[Json] = (await body(settings, messages=messages, **options))['input']
    return found


async def decode_response(response_body: Json | bytes, **options: Any) -> ModelResponse:
    """Decode a body, or the bytes of a stream."""
    server = Server(response_body)
    if isinstance(response_body, dict):
        return await model(server, **options).request(HELLO)
    async with model(server, **options).request_stream(HELLO) as streamed:
        async for _ in streamed:
            pass
        return streamed.get()


async def decode_both_ways(response_body: Json, **options: Any) -> list[ModelResponse]:
    """Decode a body, and a stream of the same response."""
    return [
        await decode_response(response_body, **options),
        await decode_response(stream(*make_events(response_body)), **options),
    ]


PROFILE = OpenAIModelProfile()


def read(*found: Json, provider_name: str = 'openai') -> ModelResponse:
    """Decode a whole body, or events, without a model."""
    draft = ResponseDraft('asked', provider_name)
    decoder = ResponsesDecoder(draft, PROFILE)
    for event in found:
        if 'output' in event:
            decoder.decode(event)
        else:
            decoder.decode_event(event)
    draft.parts.end(complete=draft.state == 'complete')
    return draft.get()


# ---------------------------------------------------------------------- the oracle

STRICT = ConfigDict(extra='forbid')


@cache
def _request_type() -> TypeAdapter[Any]:
    return TypeAdapter(list[ResponseCreateParamsBase], config=STRICT)


@cache
def _select_types(union: Any, kind: str) -> TypeAdapter[Any]:
    """Return the types of a union whose `type` has this value."""
    fitting = [found for found in get_args(union) if kind in _get_kinds(found)]
    return TypeAdapter(list[reduce(or_, fitting)], config=STRICT)  # type: ignore[misc] -- made up here


def _get_kinds(found: Any) -> tuple[str, ...]:
    kind = get_type_hints(found, include_extras=False).get('type')
    return get_args(kind)


STORED_IMAGE_FIELDS = {'type', 'id'}
"""The fields of an image item that OpenAI stores. Its guide shows this form; the SDK's types require all fields."""


def check_body(sent: Json) -> None:
    """Fail if the SDK's types do not allow the request."""
    rest = {name: value for name, value in sent.items() if name not in ('stream', 'input', 'tools')}
    complete(_request_type().validate_python([{**rest, 'input': 'checked below'}]))
    for union, values in ((ResponseInputItemParam, sent['input']), (ToolParam, sent.get('tools', []))):
        for value in (value for value in values if value.keys() != STORED_IMAGE_FIELDS):
            complete(_select_types(union, value.get('type', 'message')).validate_python([value]))


def complete(value: Any) -> Any:
    """Return the value with all iterables read: pydantic validates an iterable only then."""
    match value:
        case dict():
            return {name: complete(item) for name, item in value.items()}
        case str() | bytes() | int() | float() | None:
            return value
        case Iterable():
            return [complete(item) for item in value]
        case _:
            return value


@cache
def _event_types() -> dict[str, Any]:
    [kinds, *_] = get_args(ResponseStreamEvent)
    return {get_args(kind.model_fields['type'].annotation)[0]: kind for kind in get_args(kinds)}


def check_events(found: Sequence[Json]) -> None:
    """Fail if the SDK has no type for an event, or the events are not numbered."""
    assert [event['sequence_number'] for event in found] == list(range(len(found)))
    for event in found:
        _event_types()[event['type']].model_validate(event)


def check_response(response_body: Json) -> None:
    """Fail if the SDK's types do not allow the body."""
    Response.model_validate(response_body)
