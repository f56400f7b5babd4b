"""The requests of Claude Code, answered by models of other vendors: no field that it sends is an error.

The shape is that of its requests through proxies: https://github.com/ggml-org/llama.cpp/pull/20623 (system blocks),
https://github.com/mnfst/llm-gateway/pull/2258 (context management, effort), and of the `anthropic` package.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import httpx2
import pytest
from anthropic import AsyncAnthropic

from pydantic_llm.messages import ModelResponse, TextPart, ToolCallPart
from pydantic_llm.models import Model
from pydantic_llm.models.anthropic import AnthropicModel
from pydantic_llm.models.gemini import GeminiModel
from pydantic_llm.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_llm.providers.anthropic import AnthropicProvider
from pydantic_llm.providers.google_gla import GoogleGLAProvider
from pydantic_llm.providers.openai import OpenAIProvider
from pydantic_llm.serve import LocalServer, create_app
from pydantic_llm.usage import RequestUsage
from tests.faults.vendors import VENDORS as ALL_VENDORS, Vendor
from tests.serve.models import text_model
from tests.transport.server import Exchange, Server

BETAS = ['claude-code-20250219', 'oauth-2025-04-20', 'interleaved-thinking-2025-05-14', 'context-management-2025-06-27']
EPHEMERAL = {'type': 'ephemeral', 'ttl': '1h'}

PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII='
TOOL_NAMES = 'Task Bash Glob Grep Read Edit Write NotebookEdit WebFetch TodoWrite Skill mcp__db__run'.split()

TOOLS = [
    {
        'name': name,
        'description': f'{name} something. ' * 40,
        'input_schema': {
            '$schema': 'http://json-schema.org/draft-07/schema#',
            'type': 'object',
            'properties': {'command': {'type': 'string', 'description': 'The command'}, 'timeout': {'type': 'number'}},
            'required': ['command'],
            'additionalProperties': False,
        },
        'eager_input_streaming': True,
    }
    for name in TOOL_NAMES
]

MESSAGES: list[Any] = [
    {
        'role': 'user',
        'content': [
            {'type': 'text', 'text': '<system-reminder>\nAs you answer, use this context.\n</system-reminder>'},
            {'type': 'text', 'text': 'List the files.'},
        ],
    },
    {
        'role': 'assistant',
        'content': [
            {'type': 'thinking', 'thinking': 'I need to run ls.', 'signature': 'c2lnbmF0dXJl'},
            {'type': 'text', 'text': 'I look.'},
            {'type': 'tool_use', 'id': 'toolu_01', 'name': 'Bash', 'input': {'command': 'ls'}},
            {'type': 'tool_use', 'id': 'toolu_02', 'name': 'Read', 'input': {'command': 'a.png'}},
        ],
    },
    {
        'role': 'user',
        'content': [
            {'tool_use_id': 'toolu_01', 'type': 'tool_result', 'content': 'a.png\nb.py', 'is_error': False},
            {
                'tool_use_id': 'toolu_02',
                'type': 'tool_result',
                'content': [
                    {
                        'type': 'image',
                        'source': {
                            'type': 'base64',
                            'media_type': 'image/png',
                            'data': PIXEL,
                        },
                    }
                ],
            },
            {'type': 'text', 'text': 'And now?', 'cache_control': EPHEMERAL},
        ],
    },
]

REQUEST: dict[str, Any] = {
    'model': 'claude-opus-4-6',
    'max_tokens': 32_000,
    'system': [
        {'type': 'text', 'text': 'x-anthropic-billing-header: cc_version=2.1.37.0d9; cc_entrypoint=cli; cch=fa690;'},
        {
            'type': 'text',
            'text': "You are Claude Code, Anthropic's official CLI for Claude.",
            'cache_control': EPHEMERAL,
        },
        {'type': 'text', 'text': 'Be concise.', 'cache_control': {**EPHEMERAL, 'scope': 'global'}},
    ],
    'messages': MESSAGES,
    'tools': TOOLS,
    'metadata': {'user_id': 'user_0123_account__session_4567'},
    'thinking': {'type': 'adaptive'},
    'betas': BETAS,
}

BODY: dict[str, Any] = {
    'temperature': 1,
    'context_management': {'edits': [{'type': 'clear_thinking_20251015', 'keep': 'all'}]},
    'output_config': {'effort': 'high'},
    'speed': 'fast',
    'a_field_of_a_new_beta': {'enabled': True},
}
"""Fields that the installed `anthropic` may not have as parameters."""


@pytest.fixture
async def openai_url() -> AsyncGenerator[str]:
    """Return the URL of a server with the APIs of vendors, that knows their fields only."""
    with LocalServer(create_app(text_model('All ', 'done.'))) as url:
        yield url


def model_of(vendor: str, url: str) -> Model:
    match vendor:
        case 'openai':
            return OpenAIChatModel('gpt-5', provider=OpenAIProvider(base_url=f'{url}/v1', api_key='k'))
        case 'openai-responses':
            return OpenAIResponsesModel('gpt-5', provider=OpenAIProvider(base_url=f'{url}/v1', api_key='k'))
        case 'gemini':
            return GeminiModel('gemini-2.5-pro', provider=GoogleGLAProvider(base_url=url, api_key='k'))
        case _:
            return AnthropicModel('claude-opus-4-6', provider=AnthropicProvider(base_url=url, api_key='k'))


VENDORS = ('openai', 'openai-responses', 'gemini', 'anthropic')


@pytest.mark.parametrize('vendor', VENDORS)
async def test_a_stream_of_claude_code_is_answered_by_any_model(vendor: str, openai_url: str) -> None:
    app = create_app({'main': model_of(vendor, openai_url)}, aliases={'claude-*': 'main'}, key='k')
    with LocalServer(app) as url:
        async with (
            AsyncAnthropic(base_url=url, auth_token='k', api_key=None, max_retries=0) as client,
            client.beta.messages.stream(**REQUEST, extra_body=BODY) as stream,
        ):
            events = [event.type async for event in stream]
            message = await stream.get_final_message()
    assert [block.text for block in message.content if block.type == 'text'] == ['All done.']
    assert message.stop_reason == 'end_turn'
    assert events[0] == 'message_start'
    assert events[-1] == 'message_stop'


@pytest.mark.parametrize('vendor', VENDORS)
async def test_tokens_are_counted_for_claude_code(vendor: str, openai_url: str) -> None:
    counted = {name: REQUEST[name] for name in ('model', 'system', 'messages', 'tools', 'thinking', 'betas')}
    app = create_app({'main': model_of(vendor, openai_url)}, aliases={'claude-*': 'main'})
    with LocalServer(app) as url:
        async with AsyncAnthropic(base_url=url, api_key='k', max_retries=0) as client:
            raw = await client.beta.messages.with_raw_response.count_tokens(**counted)
    assert (await raw.parse()).input_tokens > 100
    assert raw.headers.get('x-token-count') == ('estimate' if vendor == 'openai' else None)


async def test_a_model_that_calls_a_tool_calls_it_in_claude_code() -> None:
    from pydantic_llm.models.function import FunctionModel

    def respond(messages: Any, info: Any) -> ModelResponse:
        assert [tool.name for tool in info.function_tools] == [tool['name'] for tool in TOOLS]
        usage = RequestUsage(input_tokens=9, output_tokens=3)
        return ModelResponse([TextPart('I look.'), ToolCallPart('Bash', {'command': 'ls'}, 'call_1')], usage=usage)

    with LocalServer(create_app(FunctionModel(respond))) as url:
        async with AsyncAnthropic(base_url=url, api_key='k', max_retries=0) as client:
            message = await client.beta.messages.create(**REQUEST, extra_body=BODY, timeout=30)
    assert [block.type for block in message.content] == ['text', 'tool_use']
    assert message.content[1].input == {'command': 'ls'}


async def test_fields_of_betas_reach_anthropic_and_are_a_warning_elsewhere() -> None:
    for name, is_sent in (('openai', False), ('anthropic', True)):
        [vendor] = [each for each in ALL_VENDORS if each.name == name]

        async def respond(exchange: Exchange, vendor: Vendor = vendor) -> None:
            await exchange.respond(vendor.body())

        async with Server(respond).run() as server:
            model = vendor.make(server.url)
            app = create_app(model)
            transport = httpx2.ASGITransport(app)
            async with httpx2.AsyncClient(transport=transport, base_url='http://localhost') as client:
                body = {key: value for key, value in {**REQUEST, **BODY}.items() if key != 'betas'}
                headers = {'anthropic-beta': ','.join(BETAS)}
                response = await client.post('/v1/messages?beta=true', json=body, headers=headers)
            assert response.status_code == 200, response.text
            await model.aclose()
        [sent] = server.requests
        assert ('a_field_of_a_new_beta' in sent.json) == is_sent
        assert ('context_management' in sent.json) == is_sent
        betas = dict(sent.headers).get('anthropic-beta', '').split(',')
        assert ('claude-code-20250219' in betas) == is_sent
        assert 'oauth-2025-04-20' not in betas
