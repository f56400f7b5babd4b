"""The chat completions room: settings, thinking, and the model class."""

from __future__ import annotations

from typing import Any

import pytest

from pydantic_llm.exceptions import UserError
from pydantic_llm.models.openai.chat.settings import OWN_SETTINGS, SETTINGS, OpenAIChatModelSettings
from pydantic_llm.profiles.openai import OpenAIModelProfile
from pydantic_llm.settings import ModelSettings
from tests.models.openai_chat import HELLO, HELLO_MESSAGE, build_model, collect_warnings, encode_body
from tests.providers.server import Json, Server, chunks

# ------------------------------------------------------------------------------------------------------------- settings

SETTING_BODIES: dict[str, tuple[Any, Json]] = {
    'max_tokens': (10, {'max_completion_tokens': 10}),
    'temperature': (0.0, {'temperature': 0.0}),
    'top_p': (0.5, {'top_p': 0.5}),
    'seed': (0, {'seed': 0}),
    'stop_sequences': (['END'], {'stop': ['END']}),
    'presence_penalty': (0.1, {'presence_penalty': 0.1}),
    'frequency_penalty': (-0.1, {'frequency_penalty': -0.1}),
    'logit_bias': ({'50256': -100}, {'logit_bias': {'50256': -100}}),
    'logprobs': (True, {'logprobs': True}),
    'top_logprobs': (2, {'top_logprobs': 2}),
    'service_tier': ('flex', {'service_tier': 'flex'}),
    'extra_body': ({'model': 'other', 'x': 1}, {'x': 1}),
    'extra_headers': ({'x-team': 'a'}, {}),
    'timeout': (5.0, {}),
    'retries': (0, {}),
    'first_token_timeout': (5.0, {}),
    'idle_timeout': (5.0, {}),
    'unsupported_settings': ('error', {}),
    'openai_reasoning_effort': ('low', {'reasoning_effort': 'low'}),
    'openai_logprobs': (True, {'logprobs': True}),
    'openai_top_logprobs': (2, {'top_logprobs': 2}),
    'openai_user': ('me', {'user': 'me'}),
    'openai_safety_identifier': ('hash', {'safety_identifier': 'hash'}),
    'openai_service_tier': ('scale', {'service_tier': 'scale'}),
    'openai_prediction': ({'type': 'content', 'content': 'a'}, {'prediction': {'type': 'content', 'content': 'a'}}),
    'openai_store': (False, {'store': False}),
    'openai_metadata': ({'a': 'b'}, {'metadata': {'a': 'b'}}),
    'openai_verbosity': ('low', {'verbosity': 'low'}),
    'openai_modalities': (['text', 'audio'], {'modalities': ['text', 'audio']}),
    'openai_audio': ({'voice': 'alloy'}, {'audio': {'voice': 'alloy'}}),
    'openai_prompt_cache_key': ('key', {'prompt_cache_key': 'key'}),
    'openai_prompt_cache_options': ({'mode': 'explicit'}, {'prompt_cache_options': {'mode': 'explicit'}}),
    'openai_prompt_cache_retention': ('24h', {'prompt_cache_retention': '24h'}),
    'openai_web_search_options': ({}, {'web_search_options': {}}),
    'openai_moderation': ({'model': 'omni'}, {'moderation': {'model': 'omni'}}),
}
"""Each setting: a value, and the fields of the body that it becomes. The others have tests of their own."""

TESTED_BELOW = {'cache', 'top_k', 'tool_choice', 'parallel_tool_calls', 'thinking', 'constraint'}


def test_every_setting_is_in_the_table() -> None:
    assert SETTING_BODIES.keys() | TESTED_BELOW == OpenAIChatModelSettings.__annotations__.keys()
    assert (SETTINGS | OWN_SETTINGS).keys() <= SETTING_BODIES.keys()


@pytest.mark.parametrize('name', SETTING_BODIES)
async def test_a_setting_becomes_a_field(name: str) -> None:
    value, expected = SETTING_BODIES[name]
    settings: Any = {name: value}
    server = Server()
    response = await build_model(server).request(HELLO, settings)
    sent = server.body
    assert sent.pop('model') == ('other' if name == 'extra_body' else 'gpt-4o')
    assert sent == {'messages': [HELLO_MESSAGE], **expected}
    assert response.warnings == []


async def test_settings_of_the_request_win_over_those_of_the_model() -> None:
    settings: ModelSettings = {'temperature': 0.1, 'seed': 1, 'extra_headers': {'x-a': '1'}}
    server = Server()
    await build_model(server, settings=settings).request(HELLO, {'temperature': 0.2, 'extra_headers': {'x-b': '2'}})
    assert (server.body['temperature'], server.body['seed']) == (0.2, 1)
    assert (server.request.headers['x-a'], server.request.headers['x-b']) == ('1', '2')


async def test_extra_headers_win_over_the_clients_own() -> None:
    server = Server()
    await build_model(server).request(HELLO, {'extra_headers': {'Authorization': 'Basic abc'}})
    assert server.request.headers.get_list('authorization') == ['Basic abc']


async def test_a_stream_requests_its_usage() -> None:
    server = Server(chunks({'content': 'Hi'}))
    async with build_model(server).request_stream(HELLO):
        pass
    sent = server.body
    assert (sent['stream'], sent['stream_options']) == (True, {'include_usage': True})


async def test_stream_options_are_not_sent_to_servers_without_them() -> None:
    server = Server(chunks({'content': 'Hi'}))
    async with build_model(server, profile={'openai_stream_usage': False}).request_stream(HELLO):
        pass
    assert server.body == {'model': 'gpt-4o', 'messages': [HELLO_MESSAGE], 'stream': True}


UNSUPPORTED = [
    ({'top_k': 3}, 'gpt-4o', "'top_k' was not sent: the API of 'openai' does not support it"),
    (
        {'stop_sequences': ['END']},
        'o3',
        "'stop_sequences' was not sent: 'o3' does not take it; the text of the response is truncated at them here",
    ),
    ({'temperature': 0.5}, 'gpt-5', "'temperature' was not sent: 'gpt-5' does not take it"),
    ({'temperatur': 0.5}, 'gpt-4o', "'temperatur' was not sent: there is no such setting; did you mean 'temperature'?"),
    ({'thinking': True}, 'gpt-4o', "'thinking' was not sent: 'gpt-4o' has no setting for thinking"),
    (
        {'openai_reasoning_effort': 'high', 'temperature': 0.5},
        'gpt-5.1',
        "'temperature' was not sent: 'gpt-5.1' does not take it while it reasons",
    ),
    ({'temperature': 0.5}, 'gpt-5.5', "'temperature' was not sent: 'gpt-5.5' does not take it while it reasons"),
]
unsupported = pytest.mark.parametrize(('settings', 'name', 'warning'), UNSUPPORTED)


@pytest.mark.filterwarnings('ignore::pydantic_llm.exceptions.UnknownSettingWarning')
@unsupported
async def test_an_unsupported_setting_is_dropped_with_a_warning(settings: Json, name: str, warning: str) -> None:
    assert await collect_warnings(settings, name=name) == [warning]
    rest = {'reasoning_effort': 'high'} if 'openai_reasoning_effort' in settings else {}
    assert await encode_body(settings, name=name) == rest


@pytest.mark.filterwarnings('ignore::pydantic_llm.exceptions.UnknownSettingWarning')
@unsupported
async def test_an_unsupported_setting_can_be_an_error(settings: Json, name: str, warning: str) -> None:
    server = Server()
    strict: Any = {**settings, 'unsupported_settings': 'error'}
    with pytest.raises(UserError) as caught:
        await build_model(server, name).request(HELLO, strict)
    assert str(caught.value) == f"{warning.rstrip('?')}. Set unsupported_settings='warn' to send the request without it"
    assert server.requests == []


@unsupported
async def test_an_unsupported_setting_can_be_dropped_without_a_warning(settings: Json, name: str, warning: str) -> None:
    assert await collect_warnings({**settings, 'unsupported_settings': 'drop'}, name=name) == []


async def test_settings_of_other_vendors_are_ignored() -> None:
    settings = {'anthropic_thinking': {'type': 'enabled'}, 'gemini_labels': {}}
    assert await encode_body(settings) == {}
    assert await collect_warnings(settings) == []


@pytest.mark.parametrize(
    ('settings', 'name'),
    [
        ({}, 'gpt-5.1'),
        ({'thinking': False}, 'gpt-5.1'),
        ({'thinking': False}, 'gpt-5.5'),
        ({'openai_reasoning_effort': 'none'}, 'gpt-6-sol'),
        ({}, 'gpt-5-chat-latest'),
    ],
)
async def test_sampling_is_sent_while_a_model_does_not_reason(settings: Json, name: str) -> None:
    assert (await encode_body({**settings, 'temperature': 0.5}, name=name))['temperature'] == 0.5


# ------------------------------------------------------------------------------------------------------------- thinking

THINKING: list[tuple[str, str, Any, Json]] = [
    ('openai', 'gpt-5-mini', True, {'reasoning_effort': 'medium'}),
    ('openai', 'gpt-5-mini', 'minimal', {'reasoning_effort': 'minimal'}),
    ('openai', 'gpt-5-mini', 'xhigh', {'reasoning_effort': 'high'}),
    ('openai', 'o3', 'minimal', {'reasoning_effort': 'low'}),
    ('openai', 'gpt-5-pro', 'low', {'reasoning_effort': 'high'}),
    ('openai', 'gpt-5.2-pro', True, {'reasoning_effort': 'medium'}),
    ('openai', 'gpt-5.1', 'xhigh', {'reasoning_effort': 'high'}),
    ('openai', 'gpt-5.2', 'xhigh', {'reasoning_effort': 'xhigh'}),
    ('openai', 'gpt-5.1', False, {'reasoning_effort': 'none'}),
    ('openrouter', 'anthropic/claude-sonnet-4.5', True, {'reasoning': {'effort': 'medium', 'enabled': True}}),
    ('openrouter', 'openai/gpt-5', 'xhigh', {'reasoning': {'effort': 'xhigh', 'enabled': True}}),
    ('openrouter', 'openai/gpt-5', False, {'reasoning': {'effort': 'none'}}),
    ('snowflake', 'claude-sonnet-4-6', 'high', {'reasoning': {'effort': 'high'}, 'temperature': 1}),
    ('snowflake', 'claude-sonnet-4-6', False, {}),
    ('zai', 'glm-4.7', None, {'thinking': {'clear_thinking': False}}),
    ('zai', 'glm-4.7', 'high', {'thinking': {'clear_thinking': False, 'type': 'enabled'}}),
    ('zai', 'glm-4.7', False, {'thinking': {'clear_thinking': False, 'type': 'disabled'}}),
    (
        'zai',
        'glm-5.2',
        'high',
        {'thinking': {'clear_thinking': False, 'type': 'enabled'}, 'reasoning_effort': 'high'},
    ),
    (
        'zai',
        'glm-5.3',
        'medium',
        {'thinking': {'clear_thinking': False, 'type': 'enabled'}, 'reasoning_effort': 'high'},
    ),
    ('deepseek', 'deepseek-reasoner', True, {'reasoning_effort': 'medium'}),
    ('deepseek', 'deepseek-v4-pro', True, {'thinking': {'type': 'enabled'}}),
    ('deepseek', 'deepseek-v4-pro', 'medium', {'thinking': {'type': 'enabled'}, 'reasoning_effort': 'high'}),
    ('deepseek', 'deepseek-v4-pro', False, {'thinking': {'type': 'disabled'}}),
    ('moonshotai', 'kimi-k2.6', True, {'thinking': {'type': 'enabled'}}),
    ('moonshotai', 'kimi-k2.6', False, {'thinking': {'type': 'disabled'}}),
    ('moonshotai', 'kimi-k3', 'xhigh', {'reasoning_effort': 'max'}),
    ('alibaba', 'qwen3-32b', True, {'enable_thinking': True}),
    ('alibaba', 'qwen-plus', False, {'enable_thinking': False}),
    ('cerebras', 'zai-glm-4.7', None, {'clear_thinking': False}),
    ('cerebras', 'zai-glm-4.7', True, {'clear_thinking': False}),
    ('cerebras', 'zai-glm-4.7', False, {'clear_thinking': False, 'reasoning_effort': 'none'}),
    ('cerebras', 'gpt-oss-120b', 'high', {'reasoning_effort': 'high'}),
    ('grok', 'grok-4.3', False, {'reasoning_effort': 'none'}),
    ('grok', 'grok-3-mini', True, {'reasoning_effort': 'high'}),
    ('vllm-server', 'Qwen/Qwen3-8B', False, {'reasoning_effort': 'none'}),
    ('ollama', 'gpt-oss:20b', 'low', {'reasoning_effort': 'low'}),
]
"""Service, model, the setting, and the fields that it becomes."""


@pytest.mark.parametrize(('service', 'name', 'level', 'expected'), THINKING)
async def test_thinking_becomes_the_servers_fields(service: str, name: str, level: Any, expected: Json) -> None:
    settings = {} if level is None else {'thinking': level}
    assert await encode_body(settings, service=service, name=name) == expected
    found = await collect_warnings(settings, service=service, name=name)
    assert [warning for warning in found if 'became' not in warning] == []


@pytest.mark.parametrize(
    ('service', 'name', 'expected', 'warning'),
    [
        (
            'openai',
            'o3',
            {'reasoning_effort': 'low'},
            "'o3' cannot stop thinking; its lowest level was sent ('low')",
        ),
        (
            'cerebras',
            'gpt-oss-120b',
            {'reasoning_effort': 'low'},
            "'gpt-oss-120b' cannot stop thinking; its lowest level was sent ('low')",
        ),
        (
            'moonshotai',
            'kimi-k2.7-code',
            {},
            "'thinking' was not sent: 'kimi-k2.7-code' cannot stop thinking",
        ),
        ('deepseek', 'deepseek-chat', {}, "'thinking' was not sent: 'deepseek-chat' has no setting for thinking"),
        ('ollama', 'qwen3:8b', {}, "'thinking' was not sent: 'qwen3:8b' has no setting for thinking"),
    ],
)
async def test_thinking_that_cannot_be_switched_off_is_a_warning(
    service: str, name: str, expected: Json, warning: str
) -> None:
    assert await encode_body({'thinking': False}, service=service, name=name) == expected
    assert await collect_warnings({'thinking': False}, service=service, name=name) == [warning]


async def test_an_effort_of_the_api_wins_over_thinking() -> None:
    settings = {'thinking': 'high', 'openai_reasoning_effort': 'low'}
    assert await encode_body(settings, name='gpt-5') == {'reasoning_effort': 'low'}


async def test_snowflakes_temperature_can_be_chosen() -> None:
    settings = {'thinking': 'low', 'temperature': 0.5}
    assert await encode_body(settings, service='snowflake', name='claude-sonnet-4-6') == {
        'reasoning': {'effort': 'low'},
        'temperature': 0.5,
    }


# ------------------------------------------------------------------------------------------------------------ the class


async def test_a_profile_can_be_given_in_each_of_its_forms() -> None:
    server = Server()
    by_field = build_model(server, profile={'openai_max_tokens_field': 'max_tokens'})
    by_value = build_model(server, profile=OpenAIModelProfile(openai_max_tokens_field='max_tokens'))
    by_name = build_model(server, profile=lambda name: OpenAIModelProfile(openai_max_tokens_field='max_tokens'))
    for chosen in (by_field, by_value, by_name):
        server.requests.clear()
        await chosen.request(HELLO, {'max_tokens': 5})
        assert server.body == {'model': 'gpt-4o', 'messages': [HELLO_MESSAGE], 'max_tokens': 5}


def test_a_key_cannot_be_given_with_a_provider_object() -> None:
    with pytest.raises(UserError, match='give the key to the provider'):
        build_model(Server(), api_key='key')


def test_a_model_has_names_and_a_base_url() -> None:
    built = build_model(Server(), 'deepseek-chat', 'deepseek')
    assert (built.system, built.model_name, built.base_url) == ('deepseek', 'deepseek-chat', 'https://api.deepseek.com')
    assert built.model_id == 'deepseek:deepseek-chat'
    assert repr(built) == "OpenAIChatModel('deepseek-chat')"
