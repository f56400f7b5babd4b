"""The Responses API from the server's side: decoding requests, and errors for invalid ones."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic_core import from_json, to_json

from pydantic_llm.exceptions import ModelHTTPError, UserError
from pydantic_llm.messages import ModelRequest, ModelResponse, TextPart, UserPromptPart
from pydantic_llm.models.openai import OpenAIResponsesModel
from pydantic_llm.models.openai.responses.serve import (
    decode_request,
    encode_error,
    encode_error_event,
    encode_response,
)
from pydantic_llm.native_tools import CodeExecutionTool, MCPServerTool, WebSearchTool
from tests.models.openai_responses import (
    CITY,
    FOUND_TOOLS,
    SEARCH,
    SHELL,
    SHELL_OUTPUT,
    STRICT_CITY,
    TOOL_SEARCH,
    call,
    check_body,
    check_events,
    check_response,
    reasoning,
)
from tests.providers.server import Json


def json(value: Any) -> Any:
    """Return a value as it is after the wire."""
    return from_json(to_json(value))


BODIES: dict[str, Json] = {
    'words': {'input': [{'role': 'user', 'content': 'Hello?'}]},
    'content': {
        'input': [
            {'role': 'system', 'content': 'Be kind.'},
            {
                'role': 'user',
                'content': [
                    {'type': 'input_text', 'text': 'Hello?'},
                    {'type': 'input_image', 'image_url': 'data:image/png;base64,AAAA', 'detail': 'low'},
                    {'type': 'input_image', 'image_url': 'https://example.com/a.png', 'detail': 'auto'},
                    {'type': 'input_image', 'file_id': 'file-1', 'detail': 'high'},
                    {'type': 'input_file', 'file_id': 'file-2'},
                    {'type': 'input_file', 'file_url': 'https://example.com/a.pdf'},
                    {
                        'type': 'input_file',
                        'file_data': 'data:application/pdf;base64,AAAA',
                        'filename': 'filename.pdf',
                    },
                ],
            },
        ]
    },
    'history': {
        'instructions': 'Be brief.',
        'input': [
            {'role': 'user', 'content': 'Hello?'},
            reasoning('Hm.', encrypted_content='sealed'),
            {**SEARCH, 'action': {'type': 'search', 'query': 'oslo'}},
            {'type': 'image_generation_call', 'id': 'ig_1'},
            TOOL_SEARCH,
            FOUND_TOOLS,
            SHELL,
            SHELL_OUTPUT,
            {'role': 'assistant', 'content': 'Let me look.'},
            {name: value for name, value in call().items() if name != 'status'},
            {'type': 'function_call_output', 'call_id': 'call_1', 'output': 'rain'},
            {'role': 'user', 'content': 'And?'},
        ],
    },
    'options': {
        'input': [{'role': 'user', 'content': 'Hello?'}],
        'tools': [
            {'type': 'code_interpreter', 'container': {'type': 'auto'}},
            {'type': 'web_search', 'search_context_size': 'low'},
            {
                'type': 'mcp',
                'server_label': 'wiki',
                'server_url': 'https://example.com/mcp',
                'require_approval': 'never',
            },
            {
                'type': 'mcp',
                'server_label': 'mail',
                'server_url': 'https://example.com/m',
                'require_approval': 'always',
            },
            {'type': 'computer'},
            {'type': 'function', 'name': 'weather', 'description': 'd', 'parameters': STRICT_CITY, 'strict': True},
            {'type': 'function', 'name': 'loose', 'description': '', 'parameters': CITY, 'strict': False},
        ],
        'tool_choice': 'required',
        'parallel_tool_calls': False,
        'text': {
            'format': {'type': 'json_schema', 'name': 'n', 'schema': STRICT_CITY, 'strict': True},
            'verbosity': 'low',
        },
        'include': ['reasoning.encrypted_content', 'code_interpreter_call.outputs', 'web_search_call.results'],
        'reasoning': {'effort': 'low', 'summary': 'auto'},
        'max_output_tokens': 9,
        'store': False,
        'metadata': {'a': 'b'},
        'truncation': 'auto',
        'user': 'u',
    },
}


@pytest.mark.parametrize('name', BODIES)
def test_a_decoded_request_is_encoded_as_it_was(name: str) -> None:
    body = {'model': 'gpt-5', 'include': ['reasoning.encrypted_content'], **BODIES[name]}
    check_body(body)
    served = decode_request(json({**body, 'stream': True, 'new_field': 1}))
    assert (served.stream, served.model_name, served.settings.get('extra_body')) == (True, 'gpt-5', {'new_field': 1})
    model = OpenAIResponsesModel('gpt-5', api_key='k')
    again = model.encode(model.prepare(served.messages, served.settings, served.parameters))
    assert json(again) == json({**body, 'stream': False})


def test_shared_native_tools_are_decoded_as_such() -> None:
    served = decode_request(json({'model': 'm', **BODIES['options']}))
    assert served.parameters.native_tools == [
        CodeExecutionTool(),
        WebSearchTool(search_context_size='low'),
        MCPServerTool('wiki', 'https://example.com/mcp'),
    ]
    settings: Json = dict(served.settings)
    assert [tool['type'] for tool in settings['openai_native_tools']] == ['mcp', 'computer']


def test_a_response_repeats_fields_of_the_request() -> None:
    body = {'model': 'm', **BODIES['options']}
    answer = json(encode_response(ModelResponse([TextPart('Hi')], finish_reason='stop'), decode_request(json(body))))
    check_response(answer)
    for name in ('tools', 'tool_choice', 'parallel_tool_calls', 'text', 'reasoning', 'metadata', 'truncation', 'user'):
        assert answer[name] == body[name]
    assert answer['store'] is False


def test_input_that_is_text_is_a_prompt() -> None:
    [request] = decode_request({'model': 'm', 'input': 'Hello?'}).messages
    assert isinstance(request, ModelRequest)
    assert [(type(part), part.content) for part in request.parts] == [(UserPromptPart, 'Hello?')]


@pytest.mark.parametrize(
    ('change', 'message_pattern'),
    [
        ({'model': ''}, "'model' is missing"),
        ({'input': []}, "'input' is missing"),
        ({'previous_response_id': 'resp_1'}, 'This server stores no responses'),
        ({'conversation': 'conv_1'}, 'This server stores no responses'),
        ({'input': [{'role': 'user', 'content': [{'type': 'smell'}]}]}, "type 'smell'"),
        ({'input': [{'type': 'item_reference', 'id': 'x'}]}, 'item_reference'),
        ({'input': [{'role': 'user'}]}, 'does not know'),
        ({'tools': [{'type': 'function'}]}, 'KeyError'),
    ],
)
def test_an_invalid_request_raises_with_a_reason(change: Json, message_pattern: str) -> None:
    with pytest.raises(UserError, match=message_pattern):
        decode_request({'model': 'm', 'input': 'Hello?', **change})


@pytest.mark.parametrize(
    ('status', 'kind'),
    [
        (400, 'invalid_request_error'),
        (401, 'authentication_error'),
        (404, 'not_found_error'),
        (429, 'rate_limit_error'),
        (503, 'server_error'),
    ],
)
def test_errors_have_the_types_of_the_api(status: int, kind: str) -> None:
    seen, body = encode_error(ModelHTTPError(status, 'm', message='Sorry.'))
    error = {'message': 'Sorry.', 'type': kind, 'param': None, 'code': str(status)}
    assert (seen, body) == (status, {'error': error})
    event = encode_error_event(body, 0)
    check_events([event])
    assert (event['type'], event['message'], event['error']) == ('error', 'Sorry.', error)
