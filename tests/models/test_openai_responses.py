"""The Responses room: settings, thinking, stored conversations, and the model itself."""

from __future__ import annotations

from typing import Any

import pytest

from pydantic_llm.constraints import Regex
from pydantic_llm.exceptions import UserError
from pydantic_llm.messages import ModelMessage, ModelRequest, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_llm.models import ModelRequestParameters, OutputObjectDefinition
from pydantic_llm.models.openai import OpenAIResponsesModel
from pydantic_llm.models.openai.responses.settings import OWN_SETTINGS, SETTINGS, OpenAIResponsesModelSettings
from pydantic_llm.providers.bedrock_mantle import BedrockMantleProvider
from tests.models.openai_responses import (
    CITY,
    HELLO,
    HELLO_ITEM,
    HI_RESPONSE,
    STRICT_CITY,
    body,
    get_sent_items,
    model,
    warnings,
)
from tests.providers.server import Json, Server

# ------------------------------------------------------------------------------------------------------------- settings

SETTING_BODIES: dict[str, tuple[Any, Json]] = {
    'max_tokens': (10, {'max_output_tokens': 10}),
    'temperature': (0.0, {'temperature': 0.0}),
    'top_p': (0.5, {'top_p': 0.5}),
    'logprobs': (True, {'include': ['message.output_text.logprobs']}),
    'top_logprobs': (2, {'top_logprobs': 2}),
    'service_tier': ('flex', {'service_tier': 'flex'}),
    'extra_body': ({'prompt_cache_key': 'k'}, {'prompt_cache_key': 'k'}),
    'extra_headers': ({'x-team': 'a'}, {}),
    'timeout': (5.0, {}),
    'first_token_timeout': (5.0, {}),
    'idle_timeout': (5.0, {}),
    'retries': (0, {}),
    'unsupported_settings': ('error', {}),
    'openai_reasoning_effort': ('low', {'reasoning': {'effort': 'low'}}),
    'openai_reasoning_summary': ('auto', {'reasoning': {'summary': 'auto'}}),
    'openai_reasoning_context': ('auto', {'reasoning': {'context': 'auto'}}),
    'openai_send_reasoning_ids': (True, {}),
    'openai_previous_response_id': ('resp_0', {'previous_response_id': 'resp_0'}),
    'openai_conversation_id': ('conv_0', {'conversation': 'conv_0'}),
    'openai_store': (False, {'store': False}),
    'openai_background': (True, {'background': True}),
    'openai_truncation': ('auto', {'truncation': 'auto'}),
    'openai_text_verbosity': ('low', {'text': {'verbosity': 'low'}}),
    'openai_context_management': (
        [{'type': 'compaction', 'compact_threshold': 9}],
        {'context_management': [{'type': 'compaction', 'compact_threshold': 9}]},
    ),
    'openai_max_tool_calls': (2, {'max_tool_calls': 2}),
    'openai_native_tools': ([{'type': 'local_shell'}], {'tools': [{'type': 'local_shell'}]}),
    'openai_include': (['web_search_call.results'], {'include': ['web_search_call.results']}),
    'openai_include_code_execution_outputs': (True, {'include': ['code_interpreter_call.outputs']}),
    'openai_include_web_search_sources': (True, {'include': ['web_search_call.action.sources']}),
    'openai_include_file_search_results': (True, {'include': ['file_search_call.results']}),
    'openai_logprobs': (True, {'include': ['message.output_text.logprobs']}),
    'openai_top_logprobs': (2, {'top_logprobs': 2}),
    'openai_user': ('me', {'user': 'me'}),
    'openai_safety_identifier': ('hash', {'safety_identifier': 'hash'}),
    'openai_service_tier': ('scale', {'service_tier': 'scale'}),
    'openai_metadata': ({'a': 'b'}, {'metadata': {'a': 'b'}}),
    'openai_prompt_cache_key': ('key', {'prompt_cache_key': 'key'}),
    'openai_prompt_cache_options': ({'mode': 'explicit'}, {'prompt_cache_options': {'mode': 'explicit'}}),
    'openai_prompt_cache_retention': ('24h', {'prompt_cache_retention': '24h'}),
    'openai_moderation': ({'model': 'omni'}, {'moderation': {'model': 'omni'}}),
}
"""Setting -> a value, and the fields of the body. Other settings have tests of their own."""

TESTED_ELSEWHERE = {'cache', 'tool_choice', 'parallel_tool_calls', 'thinking'}
UNSUPPORTED = {
    'top_k',
    'seed',
    'stop_sequences',
    'presence_penalty',
    'frequency_penalty',
    'logit_bias',
    'constraint',
}


def test_every_setting_is_in_the_table() -> None:
    known = OpenAIResponsesModelSettings.__annotations__.keys()
    assert SETTING_BODIES.keys() | TESTED_ELSEWHERE | UNSUPPORTED == known
    assert (SETTINGS | OWN_SETTINGS).keys() <= SETTING_BODIES.keys()


@pytest.mark.parametrize('name', SETTING_BODIES)
async def test_a_setting_becomes_a_field(name: str) -> None:
    value, expected = SETTING_BODIES[name]
    assert await body({name: value}) == expected
    assert await warnings({name: value}) == []


@pytest.mark.parametrize('name', sorted(UNSUPPORTED))
async def test_an_unsupported_setting_is_dropped_with_a_warning(name: str) -> None:
    value: Any = {'stop_sequences': ['END'], 'logit_bias': {'7': 1}, 'constraint': Regex('a')}.get(name, 1)
    assert await body({name: value}) == {}
    truncated = '; the text of the response is truncated at them here' if name == 'stop_sequences' else ''
    assert await warnings({name: value}) == [
        f"{name!r} was not sent: the API of 'openai' does not support it{truncated}"
    ]


async def test_a_setting_of_the_other_api_is_listed_in_the_warnings() -> None:
    [warning] = await warnings({'openai_verbosity': 'low'})
    assert warning == (
        "'openai_verbosity' was not sent: this API has no such setting; did you mean 'openai_text_verbosity'?"
    )


async def test_a_value_of_include_is_sent_once() -> None:
    settings = {'logprobs': True, 'openai_logprobs': True, 'openai_include': ['message.output_text.logprobs']}
    assert await body(settings) == {'include': ['message.output_text.logprobs']}


async def test_verbosity_is_sent_with_the_format() -> None:
    output = ModelRequestParameters(output_mode='native', output_object=OutputObjectDefinition(CITY, 'City', 'A city.'))
    format = {'type': 'json_schema', 'name': 'City', 'schema': STRICT_CITY, 'description': 'A city.', 'strict': True}
    sent = await body({'openai_text_verbosity': 'low'}, parameters=output)
    assert sent == {'text': {'format': format, 'verbosity': 'low'}}


async def test_a_request_has_the_field_stream() -> None:
    for streams in (True, False):
        server = Server(b'data: {}\n\n' if streams else HI_RESPONSE)
        if streams:
            async with model(server).request_stream(HELLO):
                pass
        else:
            await model(server).request(HELLO)
        assert server.body == {'model': 'gpt-4o', 'input': [HELLO_ITEM], 'stream': streams}


# ------------------------------------------------------------------------------------------------------------- thinking

ENCRYPTED = {'include': ['reasoning.encrypted_content']}


@pytest.mark.parametrize(
    ('service', 'name', 'level', 'expected'),
    [
        ('openai', 'gpt-5-mini', True, {'effort': 'medium'}),
        ('openai', 'gpt-5-mini', 'minimal', {'effort': 'minimal'}),
        ('openai', 'gpt-5-mini', 'xhigh', {'effort': 'high'}),
        ('openai', 'o3', 'minimal', {'effort': 'low'}),
        ('openai', 'gpt-5.1', False, {'effort': 'none'}),
        ('openai', 'gpt-5.5', 'xhigh', {'context': 'all_turns', 'effort': 'xhigh'}),
        ('openai', 'gpt-5.5', None, {'context': 'all_turns'}),
        ('azure', 'gpt-5-mini', 'low', {'effort': 'low'}),
        ('openrouter', 'openai/gpt-5-mini', 'low', {'effort': 'low'}),
        ('grok', 'grok-3-mini', 'high', {'effort': 'high'}),
        ('bedrock-mantle', 'openai.gpt-5.6-luna', 'high', {'context': 'all_turns', 'effort': 'high'}),
        ('deepseek', 'deepseek-v4-flash', 'high', {'effort': 'high'}),
        ('ollama', 'gpt-oss:20b', 'low', {'effort': 'low'}),
        ('vllm-server', 'openai/gpt-oss-20b', 'medium', {'effort': 'medium'}),
    ],
)
async def test_thinking_is_an_effort(service: str, name: str, level: Any, expected: Json) -> None:
    settings = {} if level is None else {'thinking': level}
    assert (await body(settings, service=service, name=name))['reasoning'] == expected
    found = [warning for warning in await warnings(settings, service=service, name=name) if 'became' not in warning]
    assert found == []


async def test_a_model_that_cannot_stop_thinking_warns() -> None:
    assert await body({'thinking': False}, name='o3') == {'reasoning': {'effort': 'low'}, **ENCRYPTED}
    assert await warnings({'thinking': False}, name='o3') == [
        "'o3' cannot stop thinking; its lowest level was sent ('low')"
    ]


async def test_an_effort_of_the_api_overrides_thinking() -> None:
    settings = {'thinking': 'high', 'openai_reasoning_effort': 'minimal', 'openai_reasoning_summary': 'detailed'}
    sent = await body(settings, name='gpt-5')
    assert sent == {'reasoning': {'effort': 'minimal', 'summary': 'detailed'}, **ENCRYPTED}


@pytest.mark.parametrize(
    ('settings', 'name', 'warning'),
    [
        ({'temperature': 0.5}, 'gpt-5', "'temperature' was not sent: 'gpt-5' does not take it"),
        ({'thinking': True}, 'gpt-4o', "'thinking' was not sent: 'gpt-4o' has no setting for thinking"),
        (
            {'openai_reasoning_effort': 'high', 'top_p': 0.5},
            'gpt-5.1',
            "'top_p' was not sent: 'gpt-5.1' does not take it while it reasons",
        ),
    ],
)
async def test_a_refused_setting_is_listed_raises_or_is_dropped(settings: Json, name: str, warning: str) -> None:
    assert await warnings(settings, name=name) == [warning]
    assert await warnings({**settings, 'unsupported_settings': 'drop'}, name=name) == []
    with pytest.raises(UserError, match=warning):
        await body({**settings, 'unsupported_settings': 'error'}, name=name)


# ------------------------------------------------------------------------------------------------- stored conversations


def turn(id: str | None, *parts: Any, **more: Any) -> ModelResponse:
    fields: Any = {'provider_name': 'openai', 'provider_response_id': id, **more}
    return ModelResponse(list(parts) or [TextPart('Hi')], **fields)


FIRST = turn('resp_1')
CALLED = turn('resp_2', ToolCallPart('weather', '{}', 'call_1', id='fc_1', provider_name='openai'))
RETURN = ModelRequest([ToolReturnPart('weather', 'rain', 'call_1')])
RETURN_ITEM = {'type': 'function_call_output', 'call_id': 'call_1', 'output': 'rain'}
HI_ITEM = {'role': 'assistant', 'content': 'Hi'}
AUTO = {'openai_previous_response_id': 'auto'}
IN_CONVERSATION = {'provider_details': {'conversation': {'id': 'conv_1'}}}


async def test_a_stored_response_is_continued_with_the_messages_after_it() -> None:
    sent = await body(AUTO, messages=[*HELLO, FIRST, *HELLO, CALLED, RETURN])
    assert sent == {'previous_response_id': 'resp_2', 'input': [RETURN_ITEM]}


async def test_a_given_id_is_sent_with_the_whole_history() -> None:
    sent = await body({'openai_previous_response_id': 'resp_0'}, messages=[*HELLO, FIRST, *HELLO])
    assert sent == {'previous_response_id': 'resp_0', 'input': [HELLO_ITEM, HI_ITEM, HELLO_ITEM]}


@pytest.mark.parametrize(
    'newest',
    [
        turn('msg_1', provider_name='anthropic'),
        turn(None),
        turn('resp_9', state='interrupted'),
        turn('resp_9', state='incomplete'),
        turn('resp_9', provider_details={'store': False}),
    ],
    ids=['of another vendor', 'without an id', 'interrupted', 'cut', 'not stored'],
)
async def test_a_response_that_cannot_be_continued_is_sent_after_the_last_that_can(newest: ModelResponse) -> None:
    sent = await body(AUTO, messages=[*HELLO, FIRST, *HELLO, newest, *HELLO])
    assert sent == {'previous_response_id': 'resp_1', 'input': [HELLO_ITEM, HI_ITEM, HELLO_ITEM]}


async def test_if_nothing_is_stored_everything_is_sent() -> None:
    assert await body(AUTO) == {}
    assert await body({'openai_conversation_id': 'auto'}) == {}


@pytest.mark.parametrize('conversation_id', ['conv_1', 'auto'])
async def test_a_conversation_is_continued_with_the_messages_after_its_newest_response(conversation_id: str) -> None:
    messages: list[ModelMessage] = [*HELLO, turn('resp_1', **IN_CONVERSATION), *HELLO, CALLED, RETURN]
    sent = await body({'openai_conversation_id': conversation_id}, messages=messages)
    tool_call = {'type': 'function_call', 'call_id': 'call_1', 'name': 'weather', 'arguments': '{}'}
    assert sent == {'conversation': 'conv_1', 'input': [HELLO_ITEM, tool_call, RETURN_ITEM]}


async def test_another_conversation_gets_the_whole_history() -> None:
    messages = [*HELLO, turn('resp_1', **IN_CONVERSATION), *HELLO]
    sent = await body({'openai_conversation_id': 'conv_2'}, messages=messages)
    assert sent == {'conversation': 'conv_2', 'input': [HELLO_ITEM, HI_ITEM, HELLO_ITEM]}


# ------------------------------------------------------------------------------------------------------------ the model


async def test_a_name_of_a_service_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('OPENROUTER_API_KEY', 'key')
    built = OpenAIResponsesModel('openai/gpt-5', provider='openrouter')
    assert (built.system, built.base_url) == ('openrouter', 'https://openrouter.ai/api/v1')
    assert built.model_id == 'openrouter:openai/gpt-5'
    assert repr(built) == "OpenAIResponsesModel('openai/gpt-5')"


@pytest.mark.parametrize(
    ('service', 'name', 'url'),
    [
        ('openai', 'gpt-4o', 'https://api.openai.com/v1/responses'),
        ('openrouter', 'openai/gpt-5', 'https://openrouter.ai/api/v1/responses'),
        ('deepseek', 'deepseek-v4-flash', 'https://api.deepseek.com/responses'),
        ('grok', 'grok-4.3', 'https://api.x.ai/v1/responses'),
        ('ollama', 'qwen3', 'http://localhost:11434/v1/responses'),
        ('lmstudio', 'qwen3', 'http://localhost:1234/v1/responses'),
        ('vllm-server', 'Qwen/Qwen3-8B', 'http://localhost:8000/v1/responses'),
        ('bedrock-mantle', 'openai.gpt-oss-120b', 'https://bedrock-mantle.us-east-1.api.aws/v1/responses'),
        ('bedrock-mantle', 'openai.gpt-5.6-luna', 'https://bedrock-mantle.us-east-1.api.aws/openai/v1/responses'),
    ],
)
async def test_a_request_is_sent_to_the_url_of_the_service(service: str, name: str, url: str) -> None:
    server = Server(HI_RESPONSE)
    asked = model(server, name, service)
    assert (await asked.request(HELLO)).text == 'Hi'
    async with asked.request_stream(HELLO) as stream:
        assert [event async for event in stream]
    assert [str(request.url) for request in server.requests] == [url, url]


async def test_mantles_paths_are_unchanged_if_a_base_url_is_given() -> None:
    server = Server(HI_RESPONSE)
    provider = BedrockMantleProvider(api_key='key', base_url='https://example.com/v1', http_client=server.client())
    await OpenAIResponsesModel('openai.gpt-5.6-luna', provider=provider).request(HELLO)
    assert str(server.request.url) == 'https://example.com/v1/responses'


async def test_a_profile_can_be_given() -> None:
    messages = [*HELLO, turn('resp_1', TextPart('Hi', id='msg_1', provider_name='openai')), *HELLO]
    [_, plain, _] = await get_sent_items(messages)
    [_, item, _] = await get_sent_items(messages, profile={'openai_item_ids': True})
    assert plain == HI_ITEM
    assert item['id'] == 'msg_1'
